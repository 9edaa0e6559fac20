"""Rows for a coverage log: whole days and holes of hourly klines."""

from datetime import UTC, date, datetime, timedelta

from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.coverage.records import DayCoverage, Hole, PartitionVersion
from crypto_lakehouse.vocabulary import DayCondition

NAME = "binance_um_klines"
NOW = datetime(2024, 2, 10, 12, tzinfo=UTC)


def utc(day: date, hour: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def version_of(month: str, symbol: str = "BTCUSDT", version: str = "v") -> PartitionVersion:
    return PartitionVersion(NAME, f"kline_interval=1h/symbol_key={symbol}/period={month}", symbol, "1h", version)


def whole(
    partition_version: PartitionVersion, first: date, count: int = 1, condition: DayCondition = DayCondition.AVAILABLE
) -> list[DayCoverage]:
    missing = 24 if condition is DayCondition.MISSING else 0
    return [
        DayCoverage(
            partition_version, first + timedelta(days=n), condition, "why", 24 - missing, 24, missing, "archive_daily"
        )
        for n in range(count)
    ]


def add(log: CoverageLog, days: list[DayCoverage], holes: list[Hole] | None = None, at: datetime = NOW) -> None:
    log.append(NAME, CoverageFrames.of(days, holes or []), at)


def query(**other: object) -> CoverageQuery:
    return CoverageQuery(NOW, **other)  # type: ignore[arg-type]
