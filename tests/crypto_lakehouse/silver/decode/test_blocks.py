"""Blocks are whole lines, however the content is cut."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import SchemaDrift
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.silver.decode.blocks import split_blocks, whole_block
from crypto_lakehouse.silver.sniff import MAX_LINE_BYTES

FUNDING = dataset("binance_um_funding_rate")
HEADER = ",".join(FUNDING.layouts[0].columns).encode()
LINES = [b"%d,8,0.0001" % (1_704_067_200_000 + number) for number in range(40)]


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)


def chunks(content: bytes, cuts: list[int]) -> Iterator[bytes]:
    edges = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    yield from (content[start:end] for start, end in pairwise(edges))


@given(cuts=st.lists(st.integers(0, 1000), max_size=20), lines=st.integers(1, 40), has_end=st.booleans())
def test_blocks_joined_are_the_whole_and_count_their_lines(cuts: list[int], lines: int, has_end: bool) -> None:
    content = b"\n".join([HEADER, *LINES[:lines]]) + b"\n" * has_end
    whole = whole_block(chunks(content, cuts), FUNDING)
    assert whole is not None
    assert (whole.data, whole.first_line) == (b"".join(line + b"\n" for line in LINES[:lines]), 2)
    split = list(split_blocks(chunks(content, cuts), FUNDING))
    assert b"".join(block.data for block in split) == whole.data
    assert {block.sniffed.layout for block in split} == {FUNDING.layouts[0]}
    for block in split:
        assert block.data == b"" or block.data.endswith(b"\n")
        if block.data:
            assert block.data.startswith(LINES[block.first_line - 2])


def test_content_is_split_at_about_the_size_of_a_block() -> None:
    content = b"\n".join([HEADER, *LINES])
    sizes = [len(block.data) for block in split_blocks(chunks(content, list(range(0, 2000, 30))), FUNDING)]
    assert len(sizes) > 5
    assert max(sizes) < 200


def test_content_that_inflates_too_far_is_no_whole_block(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"\n".join([HEADER, *LINES])
    monkeypatch.setattr(blocks, "WHOLE_BYTES", len(content))
    assert whole_block(chunks(content, [10]), FUNDING) is not None
    monkeypatch.setattr(blocks, "WHOLE_BYTES", len(content) - 1)
    assert whole_block(chunks(content, [10]), FUNDING) is None


def test_a_line_without_end_is_refused_before_it_is_read_whole() -> None:
    taken: list[int] = []

    def endless() -> Iterator[bytes]:
        yield HEADER + b"\n"
        while True:
            taken.append(1)
            yield b"1" * 1000

    with pytest.raises(SchemaDrift, match="a line of more than"):
        list(split_blocks(endless(), FUNDING))
    assert len(taken) == MAX_LINE_BYTES // 1000 + 1
