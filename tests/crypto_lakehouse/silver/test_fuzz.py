"""Random damage to sound files: lines are set aside, and the rest is read as another reader would read it."""

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.lake.partition import partitions_between
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import conform
from crypto_lakehouse.silver.inputs import Segment
from crypto_lakehouse.silver.parse import SourceShape
from crypto_lakehouse.silver.separate import parse_lines
from crypto_lakehouse.silver.set_aside import ReadLines
from crypto_lakehouse.silver.shape import shape_rows
from crypto_lakehouse.silver.sniff import sniff
from crypto_lakehouse.spec import Dataset
from tests.archive_builder import ArchiveFile, build_input
from tests.random_files import random_file, sound_file
from tests.silver_oracle import stdlib_records

MUTATIONS = 40
"""For each dataset; the slow set has many more."""
ARCHIVED = [row for row in DATASETS if row.frequencies]
ALPHABET = b'0123456789.,-+eE"\n\r\x00 \tTFtrue\xff=/:'


def damaged(content: bytes, dice: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(dice.choice([1, 1, 1, 2, 5])):
        at = dice.randrange(len(data) or 1)
        kind = dice.randrange(4)
        if kind == 0:
            data[at : at + 1] = bytes([dice.choice(ALPHABET)])
        elif kind == 1:
            data[at:at] = bytes([dice.choice(ALPHABET)])
        elif kind == 2:
            del data[at : at + dice.randint(1, 4)]
        else:
            data[at:at] = data[at : at + dice.randint(1, 40)]
    return bytes(data)


def engine_rows(file: ArchiveFile, content: bytes, folder: Path) -> tuple[list[tuple[Any, ...]], bytes]:
    """Returns Silver rows in the order of the file, and the file without the lines that were set aside.

    Raises LakehouseError as conform would.
    """
    sniffed = sniff(content, file.dataset)
    body = content[sniffed.body_offset :]
    body += b"" if body.endswith(b"\n") or not body else b"\n"
    shape = SourceShape(file.dataset, sniffed.layout)
    parsed = parse_lines(body, shape)
    given = build_input(file, b"", folder)
    segments = (Segment(given, parsed.frame.height),)
    read = ReadLines(body, 1 + sniffed.has_header, parsed, shape_rows(parsed.frame, shape, segments), segments)
    shaped = read.shaped.frame
    lines = body.split(b"\n")[:-1]
    bad = {row.line for _, row in read.refused()}
    kept = [line for number, line in enumerate(lines, 1 + sniffed.has_header) if number not in bad]
    sound = content[: sniffed.body_offset] + b"".join(line + b"\n" for line in kept)
    times = [column.name for column in file.dataset.columns if column.type.value == "timestamp"]
    plain = shaped.with_columns(pl.col(times).cast(pl.Int64)).with_columns(pl.lit(file.symbol).alias("symbol"))
    return plain.select([column.name for column in file.dataset.columns]).rows(), sound


@pytest.mark.parametrize("mutations", [MUTATIONS, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", ARCHIVED, ids=lambda table: table.name)
def test_damage_costs_its_lines_and_the_rest_is_read_as_it_stands(
    table: Dataset, mutations: int, tmp_path: Path
) -> None:
    dice = random.Random(f"{table.name} {mutations}")
    set_aside, read = 0, 0
    for seed in range(mutations):
        file, content = (sound_file if seed % 2 else random_file)(table, seed % 10)
        changed = damaged(content, dice)
        try:
            made, sound = engine_rows(file, changed, tmp_path)
        except LakehouseError:
            continue
        set_aside += len(sound) < len(changed)
        read += len(made)
        assert made == (stdlib_records(file.key, sound) if sound else []), changed
    assert 0 < set_aside < mutations
    assert read > 0


@pytest.mark.parametrize("seed", range(10))
def test_conform_ends_with_an_outcome_whatever_the_bytes_are(seed: int, tmp_path: Path) -> None:
    dice = random.Random(seed)
    row = dice.choice(ARCHIVED)
    file, _ = random_file(row, seed)
    noise = dice.randbytes(dice.randint(0, 5000))
    partitions = partitions_between(row, file.symbol, file.first_day, file.key.last_day, file.interval)
    outcome = conform(row, partitions, [build_input(file, noise, tmp_path)], tmp_path, ConformSettings())
    assert len(outcome.refused) == 1
    assert {made.file for made in outcome.partitions} == {None}
