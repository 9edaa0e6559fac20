"""How tests get a RestLake."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest

from tests.fakes.exchange import LocalExchange, RowSource
from tests.rest_lake import RestLake, VirtualTime, exchange_settings

OpenLake = Callable[..., RestLake]


@pytest.fixture
def open_lake(tmp_path: Path) -> Iterator[OpenLake]:
    """Opens a lake and an exchange whose clock shows the instant given, and closes them at the end."""
    with ExitStack() as stack:

        def open_at(now: datetime, name: str = "rest", rows: RowSource | None = None, **settings: object) -> RestLake:
            time = VirtualTime(now.timestamp())
            exchange = stack.enter_context(LocalExchange(rows, clock=time))
            return RestLake(
                exchange, time, tmp_path / name, exchange_settings(exchange.url, tmp_path / name, **settings)
            )

        yield open_at
