"""What is known of partitions beyond their files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crypto_lakehouse.archive.listing import Folder, FolderDays
from crypto_lakehouse.coverage.grid import DAY_US, HOUR_US
from crypto_lakehouse.coverage.lifetime import Lifetime
from crypto_lakehouse.coverage.lifetimes import LifetimeLog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.records import DayCoverage, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import microseconds, midnight
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.quality.evidence import known_lifetimes, partition_evidence
from crypto_lakehouse.vocabulary import DayCondition, Frequency, Interval

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


def test_candles_of_three_days_start_as_those_of_other_partitions(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    name = "kline_interval=3d/symbol_key=BTCUSDT/period=2024-01"
    version = PartitionVersion(KLINES.name, name, "BTCUSDT", "3d", "v")
    first = date(2024, 1, 2)
    days = [
        DayCoverage(version, first + timedelta(days=number), DayCondition.AVAILABLE, "", int(number % 3 == 0), 1, 0, "")
        for number in range(9)
    ]
    CoverageLog(storage).append(KLINES.name, CoverageFrames.of(days), datetime(2024, 2, 1, tzinfo=UTC))
    partition = Partition.parse(KLINES, "kline_interval=3d/symbol_key=BTCUSDT/period=2024-02")
    candidate = Candidate(KLINES.name, partition.name, "", "", "", 0, 1, "d", None, None)
    [evidence] = partition_evidence(storage, KLINES, [candidate]).values()
    assert evidence.series.anchor == microseconds(midnight(first)) % (3 * DAY_US)
