"""A partition has one name, one path and one stretch of time."""

import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.partition import (
    Partition,
    next_span_start,
    partitions_between,
    span_label,
    span_start,
)
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Interval, PartitionSpan

days = st.dates(date(2017, 1, 1), date(2035, 12, 31))
spans = st.sampled_from(PartitionSpan)
symbols = st.sampled_from(["BTCUSDT", "BTCUSD_PERP", "币安人生USDT", "DOTUSDt", "BTC-230929"])


@st.composite
def partitions(draw: st.DrawFn) -> Partition:
    """Any partition of any dataset."""
    row = draw(st.sampled_from(DATASETS))
    interval = draw(st.sampled_from(row.intervals)) if row.has_interval else None
    return Partition(row, draw(symbols), span_start(row.span_of(interval), draw(days)), interval)


@given(partitions())
def test_a_name_gives_its_partition_back(partition: Partition) -> None:
    assert Partition.parse(partition.dataset, partition.name) == partition
    assert Partition.parse(partition.dataset.name, partition.name) == partition


@given(partitions())
def test_a_path_is_ascii_and_safe_as_a_key_of_the_lake(partition: Partition) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_=-]+(/[A-Za-z0-9_=-]+)+", partition.path)
    assert partition.path.startswith(f"silver/{partition.dataset.name}/")


@given(partitions())
def test_the_hive_keys_of_a_name_are_the_datasets(partition: Partition) -> None:
    assert tuple(partition.values) == partition.dataset.partition_keys


@given(partitions())
def test_days_and_instants_of_a_partition_agree(partition: Partition) -> None:
    assert partition.start.date() == partition.first_day
    assert partition.end == datetime.combine(partition.last_day + timedelta(days=1), datetime.min.time(), UTC)
    assert partition.start < partition.end


@given(spans, days)
def test_spans_follow_each_other_without_gap_or_overlap(span: PartitionSpan, day: date) -> None:
    first, following = span_start(span, day), next_span_start(span, day)
    assert first <= day < following
    assert span_start(span, following) == following
    assert span_start(span, following - timedelta(days=1)) == first
    assert span_label(span, day) == span_label(span, first) != span_label(span, following)


@given(st.sampled_from(DATASETS), days, st.integers(0, 400))
def test_partitions_between_two_days_cover_each_day_once(row: Dataset, first: date, length: int) -> None:
    last = first + timedelta(days=length)
    interval = row.intervals[0] if row.has_interval else None
    found = partitions_between(row, "BTCUSDT", first, last, interval)
    assert found[0].first_day <= first <= found[0].last_day
    assert found[-1].first_day <= last <= found[-1].last_day
    for one, following in pairwise(found):
        assert one.end == following.start


def test_no_partition_lies_between_reversed_days() -> None:
    assert partitions_between(dataset("binance_um_metrics"), "BTCUSDT", date(2025, 1, 2), date(2024, 1, 1)) == []


def test_a_leap_day_belongs_to_its_month_and_year() -> None:
    row = dataset("binance_um_klines")
    assert Partition(row, "BTCUSDT", date(2024, 2, 1), Interval.M1).last_day == date(2024, 2, 29)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "kline_interval=1m/symbol_key=BTCUSDT",
        "kline_interval=1m/symbol_key=BTCUSDT/period=2024-13",
        "kline_interval=1m/symbol_key=BTCUSDT/period=2024-12/extra=1",
        "symbol_key=BTCUSDT/kline_interval=1m/period=2024-12",
        "kline_interval=7m/symbol_key=BTCUSDT/period=2024-12",
        "kline_interval=1s/symbol_key=BTCUSDT/period=2024-12",
        "kline_interval=1m/symbol_key=../period=2024-12",
        "kline_interval=1m/symbol_key=BTC%2FUSDT/period=2024-12",
        "kline_interval=1m/symbol_key=btcusdt/period=2024-12",
        "kline_interval=1m/symbol_key=BTCUSDT/period=2024-1",
        "kline_interval=1m/symbol_key=BTCUSDT/period= 2024-12",
        "kline_interval=1m/symbol_key=BTCUSDT/period=2024-12/",
        "/kline_interval=1m/symbol_key=BTCUSDT/period=2024-12",
    ],
)
def test_what_no_partition_is_called_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Partition.parse("binance_um_klines", name)


def test_a_day_that_starts_no_span_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="does not start a month"):
        Partition(dataset("binance_um_klines"), "BTCUSDT", date(2024, 12, 2), Interval.M1)


@pytest.mark.parametrize(
    ("name", "interval"),
    [("binance_um_klines", None), ("binance_um_metrics", Interval.M1), ("binance_um_klines", Interval.S1)],
)
def test_an_interval_that_the_dataset_has_not_is_refused(name: str, interval: Interval | None) -> None:
    with pytest.raises(InvalidRequest, match="interval"):
        Partition(dataset(name), "BTCUSDT", date(2024, 1, 1), interval)
