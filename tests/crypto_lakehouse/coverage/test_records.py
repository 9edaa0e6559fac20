"""Records of coverage travel between steps as JSON, and name their partition's version."""

from datetime import date

from pydantic import TypeAdapter

from crypto_lakehouse.coverage.records import PartitionVersion, ReconciledDay
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import ColumnDifference, Reconciliation
from crypto_lakehouse.vocabulary import Source

PARTITION = Partition.parse("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01")
VERSION = PartitionVersion.of(PARTITION, "0123456789abcdef" * 4)


def reconciled(only_kept: int | None, only_other: int | None) -> ReconciledDay:
    differences = (ColumnDifference("close", 2, "0.5"), ColumnDifference("symbol", 1, ""))
    pair = Reconciliation("2024-01-05", Source.ARCHIVE_DAILY, Source.REST, 20, 3, differences)
    return ReconciledDay.of(VERSION, pair, only_kept, only_other)


def test_a_version_is_named_by_its_partition_and_the_first_digits_of_its_file() -> None:
    name = "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01"
    assert PartitionVersion("binance_um_klines", name, "BTCUSDT", "1h", "0123456789abcdef") == VERSION
    ticks = Partition.parse("binance_um_agg_trades", "symbol_key=BTCUSDT/date=2024-01-01")
    assert (PartitionVersion.of(ticks, "").kline_interval, PartitionVersion.of(ticks, "").version) == ("", "")


def test_a_reconciled_day_lists_the_columns_that_differ_and_the_differences_that_are_numbers() -> None:
    record = reconciled(None, None)
    assert (record.day, record.kept, record.other) == (date(2024, 1, 5), "archive_daily", "rest")
    assert (record.columns, record.largest) == ("close, symbol", "close 0.5")
    assert (record.equal, record.different, record.only_kept) == (20, 3, None)


def test_a_reconciled_day_goes_through_json_unchanged() -> None:
    codec = TypeAdapter(ReconciledDay)
    for record in (reconciled(None, None), reconciled(3, 4)):
        assert codec.validate_json(codec.dump_json(record)) == record
