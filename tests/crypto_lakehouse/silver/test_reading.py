"""Inputs are verified, decoded in threads, and given in order."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import reading
from crypto_lakehouse.silver.conform import InputObject
from crypto_lakehouse.silver.decode.blocks import Block
from crypto_lakehouse.silver.reading import ReadAhead, inflation_bounds, stream_blocks
from tests.archive_builder import kline_rows
from tests.conforming import MARCH, SPOT_KLINES, build, kline_input

KLINES = dataset(SPOT_KLINES)
BOUNDS = inflation_bounds(ConformSettings())


def test_a_zip_whose_bytes_changed_since_bronze_is_refused(tmp_path: Path) -> None:
    given = kline_input("2024-03-01", kline_rows(MARCH, 5), tmp_path)
    changed = InputObject(replace(given.object, sha256="0" * 64), given.path)
    outcome = build(SPOT_KLINES, [MARCH], [changed], tmp_path / "work")
    assert outcome.refused[0].error == "CorruptObject"
    large = InputObject(replace(changed.object, size=2**30), given.path)
    assert build(SPOT_KLINES, [MARCH], [large], tmp_path / "b").refused[0].error == "CorruptObject"


def test_small_inputs_come_in_order_with_their_blocks_and_large_ones_with_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_AHEAD", 3)
    inputs = [kline_input(f"2024-03-{day:02}", kline_rows(date(2024, 3, day), day), tmp_path) for day in range(1, 9)]
    large = InputObject(replace(inputs[4].object, size=reading.SMALL_OBJECT_BYTES + 1), inputs[4].path)
    gone = InputObject(inputs[6].object, tmp_path / "gone")
    ordered = [*inputs[:4], large, inputs[5], gone, inputs[7]]
    with ReadAhead(ordered, KLINES, BOUNDS) as ahead:
        read = list(ahead)
    assert [input_object for input_object, _ in read] == ordered
    assert read[4][1] is None
    assert isinstance(read[6][1], CorruptObject)
    lines = [content.data.count(b"\n") for _, content in read if isinstance(content, Block)]
    assert lines == [1, 2, 3, 4, 6, 8]


def test_a_reader_that_stops_early_ends_the_threads(tmp_path: Path) -> None:
    blocks = stream_blocks(kline_input("2024-03-01", kline_rows(MARCH, 1440), tmp_path), KLINES, BOUNDS)
    assert next(blocks).first_line == 1
    blocks.close()
    assert list(blocks) == []
