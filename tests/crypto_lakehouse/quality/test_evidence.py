"""What is known of partitions beyond their files."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.records import DayCoverage, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.instants import DAY_US, microseconds, midnight
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.quality.evidence import partition_evidence
from crypto_lakehouse.vocabulary import DayCondition

KLINES = dataset("binance_um_klines")


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
