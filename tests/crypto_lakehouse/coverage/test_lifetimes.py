"""The log of lifetimes."""

from datetime import UTC, datetime
from pathlib import Path

from crypto_lakehouse.coverage.lifetime import Lifetime
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.lake.local import LocalStorage

AT = datetime(2025, 1, 1, tzinfo=UTC)


def test_the_last_entry_of_a_series_counts_and_nothing_new_writes_nothing(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    log = LifetimeLog(storage, "binance_um_klines")
    assert log.read() == {}
    listed, ended = Lifetime((10, 20)), Lifetime((10, 20), (90, 90))
    log.note({("BTCUSDT", "1h"): listed, ("ETHUSDT", ""): Lifetime()}, AT)
    log.note({("BTCUSDT", "1h"): ended}, AT)
    files = len(list(storage.list("lifetimes/")))
    log.note({("BTCUSDT", "1h"): ended}, AT)
    assert log.read() == {("BTCUSDT", "1h"): ended}
    assert len(list(storage.list("lifetimes/"))) == files
    assert LifetimeLog(storage, "binance_cm_klines").read() == {}
