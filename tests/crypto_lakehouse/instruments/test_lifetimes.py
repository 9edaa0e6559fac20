"""What is known of the start and the end of series, from several sources."""

from datetime import UTC, date, datetime
from pathlib import Path

from crypto_lakehouse.archive.listing import Folder, FolderDays
from crypto_lakehouse.coverage.lifetime import Lifetime
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import DAY_US, HOUR_US, microseconds, midnight
from crypto_lakehouse.instruments.lifetimes import known_lifetimes
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.vocabulary import Frequency, Interval

KLINES, TODAY = dataset("binance_um_klines"), date(2025, 6, 1)


def folder(symbol: str, first: date | None, last: date) -> FolderDays:
    return FolderDays(Folder(KLINES, Frequency.DAILY, symbol, Interval.H1), first, last)


def test_the_name_of_a_delivery_contract_is_its_end(tmp_path: Path) -> None:
    symbol, day = "BTCUSDT_241227", date(2024, 12, 27)
    listed = folder(symbol, date(2024, 9, 27), day)
    lifetime = known_lifetimes(LocalStorage(tmp_path), KLINES, [listed], TODAY)[symbol, "1h"]
    start = microseconds(midnight(day))
    assert lifetime.ends == (start + 8 * HOUR_US, start + DAY_US)
    assert lifetime.starts == (microseconds(midnight(date(2024, 9, 27))), microseconds(midnight(date(2024, 9, 28))))


def test_a_start_once_found_stays_where_later_days_are_listed(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    first = known_lifetimes(storage, KLINES, [folder("NEWUSDT", date(2024, 12, 12), date(2025, 1, 1))], TODAY)
    LifetimeLog(storage, KLINES.name).note(first, datetime(2025, 1, 2, tzinfo=UTC))
    later = known_lifetimes(storage, KLINES, [folder("NEWUSDT", None, date(2025, 5, 31))], TODAY)
    assert later == first
    assert known_lifetimes(storage, KLINES, [], TODAY) == first
    assert first["NEWUSDT", "1h"] != Lifetime()
