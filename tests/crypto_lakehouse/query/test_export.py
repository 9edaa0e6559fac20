"""Results as files: no digit is lost, and no text becomes a formula."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.query.export import csv_text, json_document, write_parquet
from crypto_lakehouse.query.limits import QueryResult

AT = datetime(2025, 1, 1, 12, 30, tzinfo=UTC)


def result(frame: pl.DataFrame, *, truncated: bool = False) -> QueryResult:
    return QueryResult(frame, truncated)


@pytest.mark.parametrize("lead", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_gets_an_apostrophe_in_cells_and_in_names(lead: str) -> None:
    text = csv_text(result(pl.DataFrame({f"{lead}name": [f"{lead}cmd()", "plain"]})))
    assert text.count("'" + lead) == 2
    assert "\nplain\n" in text


def test_a_negative_number_is_no_formula() -> None:
    assert csv_text(result(pl.DataFrame({"change": [-1]}))) == "change\n-1\n"


def test_nested_values_become_text_in_csv() -> None:
    assert csv_text(result(pl.DataFrame({"ids": [[1, 2]]}))) == 'ids\n"[1, 2]"\n'


def test_json_keeps_every_digit_and_the_time_zone() -> None:
    price = Decimal("0.000000010")
    frame = pl.DataFrame(
        {"price": [price], "at": [AT], "raw": [b"\x01\xff"]}, schema_overrides={"price": pl.Decimal(38, 9)}
    )
    document = json.loads(json_document(result(frame, truncated=True)))
    assert document["rows"] == [{"price": "0.000000010", "at": "2025-01-01T12:30:00+00:00", "raw": "01ff"}]
    assert (document["row_count"], document["truncated"]) == (1, True)
    assert [column["name"] for column in document["columns"]] == ["price", "at", "raw"]


def test_parquet_gives_the_frame_back(tmp_path: Path) -> None:
    frame = pl.DataFrame({"at": [AT], "price": [Decimal("1.50")]})
    write_parquet(result(frame), tmp_path / "result.parquet")
    assert pl.read_parquet(tmp_path / "result.parquet").equals(frame)
