"""How tests of the exchanges get a lake."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from tests.crypto_lakehouse.exchange.venue_lake import AskedLake, VenueLake, VirtualTime, venue_settings
from tests.fakes.exchange.server import LocalExchange
from tests.rest_fixtures import open_lake

__all__ = ["asked_lake", "open_lake", "open_venue"]


@pytest.fixture
def open_venue(tmp_path: Path) -> Iterator[Callable[..., VenueLake]]:
    """Opens a lake and an exchange in one virtual time that shows the instant given."""
    with ExitStack() as stack:

        def open_at(now: datetime, name: str = "venue", **settings: object) -> VenueLake:
            time = VirtualTime(now.timestamp())
            exchange = stack.enter_context(LocalExchange(clock=time))
            folder = tmp_path / name
            return VenueLake(exchange, time, folder, venue_settings(exchange.url, folder, **settings))

        yield open_at


@pytest.fixture
def asked_lake(tmp_path: Path) -> Iterator[tuple[AskedLake, LocalExchange]]:
    """Opens a lake for whole runs and the exchange it asks, in real time."""
    with LocalExchange() as exchange:
        yield AskedLake.of(exchange, tmp_path), exchange
