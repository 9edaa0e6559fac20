"""Which input is preferred where two hold one key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.instants import microseconds
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.silver.inputs import InputObject, allowed_times, identity, precedences
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import ChecksumStatus, MergeStrategy, Source

START = datetime(2025, 1, 1, tzinfo=UTC)
BY_SOURCE, NEWEST_FIRST = (
    replace(dataset("binance_um_klines"), merge=merge)
    for merge in (MergeStrategy.ARCHIVE_FIRST, MergeStrategy.NEWEST_FIRST)
)


def given(key: str, source: Source = Source.ARCHIVE_DAILY, hours: int = 0, sha256: str = "s") -> InputObject:
    made = START + timedelta(hours=hours)
    bronze_object = BronzeObject(
        dataset="d",
        key=key,
        symbol="BTCUSDT",
        interval="1m",
        path=key,
        source=source,
        start=START,
        end=START + timedelta(days=1),
        etag="e",
        last_modified=made,
        size=1,
        sha256=sha256,
        checksum=ChecksumStatus.VERIFIED,
        seen_at=made,
    )
    return InputObject(bronze_object, Path(key))


def preferred(table_inputs: list[InputObject], ranks: dict[str, int]) -> list[str]:
    return [each.object.key for each in sorted(table_inputs, key=lambda each: ranks[identity(each)])]


def test_the_better_source_is_preferred_and_then_the_newer_object() -> None:
    inputs = [given("rest", Source.REST, 9), given("daily"), given("later daily", hours=1)]
    assert preferred(inputs, precedences(BY_SOURCE, inputs)) == ["later daily", "daily", "rest"]


def test_the_newest_is_preferred_where_the_table_says_so_whatever_its_source() -> None:
    inputs = [given("daily"), given("rest", Source.REST, 9)]
    assert preferred(inputs, precedences(NEWEST_FIRST, inputs)) == ["rest", "daily"]


@pytest.mark.parametrize("table", [BY_SOURCE, NEWEST_FIRST], ids=lambda table: table.merge)
def test_the_order_in_which_inputs_come_does_not_matter(table: Dataset) -> None:
    inputs = [given("b"), given("a"), given("a", sha256="t"), given("c", Source.REST)]
    assert precedences(table, inputs) == precedences(table, inputs[::-1])


def test_times_may_differ_from_the_day_by_the_tables_tolerance() -> None:
    bronze_object, tolerance = given("a").object, BY_SOURCE.day_tolerance_seconds * 1_000_000
    expected = (microseconds(START) - tolerance, microseconds(START + timedelta(days=1)) + tolerance)
    assert allowed_times(BY_SOURCE, bronze_object) == expected


def test_a_refusal_names_the_object_and_the_reason() -> None:
    refused = given("data/a.zip").refused(SchemaDrift("13 fields", "Look at it"))
    assert (refused.key, refused.error, refused.reason) == ("data/a.zip", "SchemaDrift", "13 fields")
    assert given("data/a.zip").stem == "a"
