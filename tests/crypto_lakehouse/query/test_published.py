"""The catalog alone decides which files a request opens, for datasets and marts alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.records import DayCoverage, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.query import INFO_SCHEMA, Lake
from crypto_lakehouse.query.published import PartitionFilter, published_partitions, published_summary
from crypto_lakehouse.query.views import CoverageView
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Mart, Table
from crypto_lakehouse.vocabulary import Condition, DayCondition, Interval
from tests.hourly_mart import registered

KLINES = dataset("binance_um_klines")
AT = datetime(2025, 2, 1, tzinfo=UTC)


@pytest.fixture
def mart() -> Iterator[Mart]:
    """A mart in the table of marts."""
    with registered() as declared:
        yield declared


def record(
    table: Table, symbol: str, first_day: date, condition: Condition = Condition.AVAILABLE
) -> PublishedPartition:
    """Returns a published month of hourly rows, of which the catalog knows ten, from noon of the first day on."""
    partition = Partition(table, symbol, first_day, Interval.H1 if table.has_interval else None)
    start = partition.start + timedelta(hours=12)
    return PublishedPartition(
        table.name, partition.name, partition.path, f"{partition.path}/data.parquet", "0" * 64, 100, 10, "digest",
        start, start + timedelta(hours=9), condition, (), "run", AT,
    )  # fmt: skip


@pytest.fixture
def catalog(tmp_path: Path, mart: Mart) -> EmbeddedCatalog:
    """A catalog with three months of two symbols of a dataset, and a month of a mart."""
    catalog = EmbeddedCatalog(tmp_path / "catalog.sqlite")
    for table in (KLINES, mart):
        catalog.ensure_table(table)
    catalog.publish(
        [
            record(KLINES, "BTCUSDT", date(2024, 12, 1)),
            record(KLINES, "BTCUSDT", date(2025, 1, 1), Condition.DEGRADED),
            record(KLINES, "ETHUSDT", date(2025, 1, 1)),
            record(mart, "BTCUSDT", date(2025, 1, 1)),
        ]
    )
    return catalog


@pytest.mark.parametrize(
    ("needed", "count"),
    [
        (PartitionFilter(), 3),
        (PartitionFilter(("BTCUSDT",)), 2),
        (PartitionFilter(("*USDT",)), 3),
        (PartitionFilter(("ETH*", "X?Z")), 1),
        (PartitionFilter(interval=Interval.M1), 0),
        (PartitionFilter(start=datetime(2025, 1, 1, tzinfo=UTC)), 2),
        # The catalog prunes by day, the times of the file within the day.
        (PartitionFilter(end=datetime(2025, 1, 1, 12, tzinfo=UTC)), 1),
        (PartitionFilter(end=datetime(2025, 1, 1, 12, 0, 1, tzinfo=UTC)), 3),
        (PartitionFilter(start=datetime(2025, 1, 1, 21, 0, 1, tzinfo=UTC)), 0),
    ],
)
def test_a_filter_leaves_the_partitions_that_can_have_such_rows(
    catalog: EmbeddedCatalog, needed: PartitionFilter, count: int
) -> None:
    assert len(published_partitions(catalog, KLINES, needed)) == count


def test_a_partition_without_times_is_never_left_out_by_time() -> None:
    unknown = replace(record(KLINES, "BTCUSDT", date(2025, 1, 1)), first_time=None, last_time=None)
    assert PartitionFilter(start=AT, end=AT).overlaps(unknown)


def test_the_summary_has_a_row_per_series_of_datasets_and_marts(catalog: EmbeddedCatalog, mart: Mart) -> None:
    summary = published_summary(catalog, (KLINES, mart), PartitionFilter())
    assert summary.schema == INFO_SCHEMA
    columns = ("dataset", "kline_interval", "symbol", "partitions", "degraded", "rows")
    assert summary.select(columns).rows() == [
        (KLINES.name, "1h", "BTCUSDT", 2, 1, 20),
        (KLINES.name, "1h", "ETHUSDT", 1, 0, 10),
        (mart.name, None, "BTCUSDT", 1, 0, 10),
    ]


def test_a_lake_lists_marts_among_its_tables_and_not_among_its_datasets(
    catalog: EmbeddedCatalog, mart: Mart, tmp_path: Path
) -> None:
    lake = Lake(Settings(lake=str(tmp_path / "lake")), catalog)
    assert lake.tables() == [KLINES.name, mart.name]
    assert lake.datasets() == [KLINES.name]
    assert lake.info(mart.name)["rows"].to_list() == [10]


def test_coverage_is_asked_of_marts_as_of_datasets(catalog: EmbeddedCatalog, mart: Mart, tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    version = PartitionVersion(mart.name, "symbol_key=BTCUSDT/month=2025-01", "BTCUSDT", "", "v")
    day = DayCoverage(version, date(2025, 1, 1), DayCondition.AVAILABLE, "", 10, None, 0, "")
    CoverageLog(LocalStorage(folder)).append(mart.name, CoverageFrames.of([day]), AT)
    lake, days = Lake(Settings(lake=str(folder)), catalog), (date(2025, 1, 1), date(2025, 1, 1))
    for found in (lake.coverage(days=days), lake.coverage(mart.name, days=days)):
        assert found.select("dataset", "symbol", "rows").rows() == [(mart.name, "BTCUSDT", 10)]
    # The process of a query does not know the mart of this test; the tables are the same in SQL.
    view = lake._sql_tables.views("FROM coverage", lake._publications(None))["coverage"]
    assert isinstance(view, CoverageView)
    assert view.table_names == (KLINES.name, mart.name)
