"""The exchange as the tests of this folder use it."""

from collections.abc import Iterator

import pytest

from tests.fakes.exchange.server import LocalExchange
from tests.fakes.exchange.talking import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(clock: Clock) -> Iterator[LocalExchange]:
    with LocalExchange(clock=clock) as one:
        yield one
