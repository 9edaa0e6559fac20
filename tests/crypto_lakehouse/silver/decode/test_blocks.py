"""Content that is cut anywhere becomes blocks of whole lines, none lost and none twice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.silver.decode.blocks import split_blocks, whole_block
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

TRADES = dataset("binance_um_agg_trades")
HEADER = ",".join(TRADES.layouts[0].columns).encode() + b"\n"
LINES = [b",".join([str(number).encode()] * len(TRADES.layouts[0].columns)) + b"\n" for number in range(200)]
CONTENT = b"".join(LINES)


def cut(content: bytes, places: list[int]) -> list[bytes]:
    borders = [0, *sorted(place % (len(content) + 1) for place in places), len(content)]
    return [content[start:end] for start, end in pairwise(borders)]


@pytest.mark.parametrize("header", [b"", HEADER], ids=["no header", "header"])
@given(places=st.lists(st.integers(0, len(CONTENT)), max_size=30), ends=st.booleans())
def test_blocks_joined_are_the_content_without_its_header(header: bytes, places: list[int], ends: bool) -> None:
    content = (header + CONTENT) if ends else (header + CONTENT)[:-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK_BYTES", 512)
        made = list(split_blocks(iter(cut(content, places)), TRADES))
    assert b"".join(block.data for block in made) == CONTENT
    assert all(block.data.endswith(b"\n") for block in made if block.data)
    number = 1 + bool(header)
    for block in made:
        assert block.first_line == number
        number += block.data.count(b"\n")
    whole = whole_block(iter(cut(content, places)), TRADES)
    assert whole is not None
    assert (whole.data, whole.first_line) == (CONTENT, 1 + bool(header))


def test_content_that_is_too_large_is_no_whole_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "WHOLE_BYTES", len(CONTENT) - 1)
    assert whole_block(iter([CONTENT]), TRADES) is None


def test_a_line_without_end_is_refused_before_all_of_it_is_read() -> None:
    read: list[int] = []

    def endless() -> object:
        yield LINES[0]
        while True:
            read.append(1)
            yield b"1" * 4096

    with pytest.raises(SchemaDrift, match="a line of more than"):
        list(split_blocks(endless(), TRADES))  # type: ignore[arg-type]
    assert len(read) <= MAX_LINE_BYTES // 4096 + 1
