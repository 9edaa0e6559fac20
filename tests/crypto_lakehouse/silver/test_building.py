"""A partition's manifest records what its inputs cover and what was refused."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import RefusedInput
from crypto_lakehouse.silver.background import Background
from crypto_lakehouse.silver.building import PartitionBuild
from crypto_lakehouse.silver.inputs import InputObject, identity
from crypto_lakehouse.vocabulary import Source
from tests.archive_builder import kline_rows
from tests.conforming import MARCH, kline_input

MONTH = Partition.parse("binance_spot_klines", "kline_interval=1m/symbol_key=BTCUSDT/period=2024-03")
Covered = tuple[tuple[str, str], ...]


def day(number: int, month: int = 3) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


def given(folder: Path, start: datetime, end: datetime, source: Source = Source.ARCHIVE_DAILY) -> InputObject:
    sound = kline_input("2024-03-01", kline_rows(MARCH, 5), folder)
    return InputObject(replace(sound.object, key=f"{source} {start}", start=start, end=end, source=source), sound.path)


def covered(inputs: list[InputObject], folder: Path, rows: int = 0) -> Covered:
    background = Background()
    build = PartitionBuild(MONTH, inputs, folder, background)
    for input_object in inputs:
        build.contribution(input_object).rows = rows
    made = build.finish().result()
    background.close()
    assert made.file is None
    return made.manifest.covered


def test_spans_that_touch_are_joined_and_cut_at_the_partition(tmp_path: Path) -> None:
    spans = [(day(28, 2), day(2)), (day(4), day(5)), (day(2), day(3)), (day(31), day(2, 4)), (day(1, 5), day(2, 5))]
    inputs = [given(tmp_path, start, end) for start, end in spans]
    assert covered(inputs, tmp_path) == (
        ("2024-03-01T00:00:00+00:00", "2024-03-03T00:00:00+00:00"),
        ("2024-03-04T00:00:00+00:00", "2024-03-05T00:00:00+00:00"),
        ("2024-03-31T00:00:00+00:00", "2024-04-01T00:00:00+00:00"),
    )


@pytest.mark.parametrize("source", Source)
def test_only_an_archive_file_covers_its_span_without_rows(source: Source, tmp_path: Path) -> None:
    inputs = [given(tmp_path, day(4), day(5), source)]
    whole = (("2024-03-04T00:00:00+00:00", "2024-03-05T00:00:00+00:00"),)
    assert covered(inputs, tmp_path) == (whole if source.is_archive else ())
    assert covered(inputs, tmp_path, rows=1) == whole


def test_a_refused_input_covers_nothing_and_is_recorded(tmp_path: Path) -> None:
    inputs = [given(tmp_path, day(number), day(number + 1)) for number in (4, 6)]
    background = Background()
    build = PartitionBuild(MONTH, inputs, tmp_path, background)
    record = RefusedInput(inputs[0].object.key, inputs[0].object.sha256, "ContentRefused", "reason")
    build.contribution(inputs[0]).rows = 3
    build.refuse(inputs[0], record)
    manifest = build.finish().result().manifest
    background.close()
    assert manifest.refused == (record,)
    assert [entry.key for entry in manifest.inputs] == [inputs[1].object.key]
    assert manifest.covered == (("2024-03-06T00:00:00+00:00", "2024-03-07T00:00:00+00:00"),)
    assert manifest.rows_in == 0


def test_the_covering_inputs_are_in_order_of_precedence(tmp_path: Path) -> None:
    inputs = [given(tmp_path, day(4), day(5), source) for source in reversed(Source)]
    background = Background()
    build = PartitionBuild(MONTH, inputs, tmp_path, background)
    background.close()
    assert [each.object.source for each in build.covering] == list(Source)
    assert {identity(each): build.precedence(each) for each in inputs} == {
        identity(each): number for number, each in enumerate(inputs[::-1])
    }
