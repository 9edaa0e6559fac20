"""Layouts are recognised by a file's first line, and nothing else is."""

import pytest

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import ContentRefused, SchemaDrift
from crypto_lakehouse.silver.sniff import sniff
from crypto_lakehouse.spec import Dataset, HeaderRule, SourceLayout, TimeEncoding

LAYOUTS = [(row, layout) for row in DATASETS for layout in row.layouts]
IDS = [f"{row.name}-{len(layout.columns)}" for row, layout in LAYOUTS]


@pytest.mark.parametrize(("table", "layout"), LAYOUTS, ids=IDS)
def test_a_header_is_accepted_where_one_is_ever_published(table: Dataset, layout: SourceLayout) -> None:
    head = ",".join(layout.columns).encode() + b"\n1,2"
    if layout.header is HeaderRule.NEVER:
        with pytest.raises(SchemaDrift, match="a header, but this dataset never has one"):
            sniff(head, table)
    else:
        sniffed = sniff(head, table)
        assert (sniffed.layout, sniffed.has_header, head[sniffed.body_offset :]) == (layout, True, b"1,2")


@pytest.mark.parametrize(("table", "layout"), LAYOUTS, ids=IDS)
def test_data_in_the_first_line_is_accepted_where_files_without_header_exist(
    table: Dataset, layout: SourceLayout
) -> None:
    first = b"2024-01-01 00:00:00" if table.time_encoding is TimeEncoding.TEXT else b"1704067200000"
    head = b",".join([first, *[b"1"] * (len(layout.columns) - 1)]) + b"\n"
    if layout.header is HeaderRule.ALWAYS:
        with pytest.raises(SchemaDrift, match="data, but this dataset always has a header"):
            sniff(head, table)
    else:
        sniffed = sniff(head, table)
        assert (sniffed.layout, sniffed.has_header, sniffed.body_offset) == (layout, False, 0)


@pytest.mark.parametrize(
    "head",
    [
        b"open_time,open,high,low,close,volume\n",
        b"Open_time" + ",".join(dataset("binance_um_klines").layouts[0].columns).encode()[9:] + b"\n",
        b"open,open_time" + ",".join(dataset("binance_um_klines").layouts[0].columns).encode()[14:] + b"\n",
        b" \n",
        b"\n1,2,3\n",
        b'"open_time","open"\n' + b"1704067200000" + b",1" * 11 + b"\n",
        b"<html>\n",
        b"\xff\xfeo\x00",
    ],
)
def test_any_other_first_line_is_refused(head: bytes) -> None:
    with pytest.raises(SchemaDrift):
        sniff(head, dataset("binance_um_klines"))


@pytest.mark.parametrize("name", ["binance_spot_trades", "binance_um_klines"])
@pytest.mark.parametrize("first", [b"", b"1,2,3", b"1704067200000,1,1,1,1,1,1,1,1,1,1,1,1,1", b"17\x00,1", b" "])
def test_a_bad_first_row_is_a_bad_row_and_the_next_line_decides(first: bytes, name: str) -> None:
    table = dataset(name)
    row = b"1704067200000" + b",1" * (len(table.layouts[0].columns) - 1)
    sniffed = sniff(first + b"\n" + row + b"\n", table)
    assert (sniffed.layout, sniffed.has_header, sniffed.body_offset) == (table.layouts[0], False, 0)


def test_an_empty_file_is_refused_and_not_taken_for_a_quiet_day() -> None:
    with pytest.raises(ContentRefused, match="empty"):
        sniff(b"", dataset("binance_um_klines"))


def test_a_header_without_a_line_end_has_no_body() -> None:
    table = dataset("binance_um_funding_rate")
    head = ",".join(table.layouts[0].columns).encode()
    assert sniff(head, table).body_offset == len(head)
