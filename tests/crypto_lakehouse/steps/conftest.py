"""What tests of the steps share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crypto_lakehouse.steps.delta_runs import Deployment
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.exchange import LocalExchange
from tests.small_lake import SmallLake, small_lake


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    """An empty lake, an empty bucket, and an exchange whose clock is this machine's."""
    with serving(FakeBucket()) as bucket, LocalExchange() as exchange:
        yield Deployment(bucket, exchange, tmp_path)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty lake, and an archive."""
    with small_lake(tmp_path) as lake:
        yield lake
