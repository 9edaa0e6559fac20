"""Every type of DuckDB has an answer in every form of output, or a sentence that tells what to do."""

import json
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse import marts
from crypto_lakehouse.cli.output import print_table
from crypto_lakehouse.coverage.answers import TABLES
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.query import Lake, QueryLimits, QueryResult
from crypto_lakehouse.query.export import csv_text, json_document, write_parquet
from tests.published_lake import build_published_lake

PLAIN = (
    "true", "1::TINYINT", "1::UTINYINT", "1::SMALLINT", "1::USMALLINT", "1::INTEGER", "1::UINTEGER", "1::BIGINT",
    "1::UBIGINT", "170141183460469231731687303715884105727::HUGEINT", "1::UHUGEINT", "1::FLOAT", "'nan'::DOUBLE",
    "'-infinity'::DOUBLE", "1.5::DECIMAL(4, 2)", "1.5::DECIMAL(38, 10)", "'=1'::VARCHAR", "'\\xAA'::BLOB", "'101'::BIT",
    "123456789012345678901234567890::BIGNUM", "DATE '2024-01-01'", "TIME '12:00:00'", "'12:00:00+02'::TIMETZ",
    "'12:00:00.000000001'::TIME_NS", "TIMESTAMP '2024-01-01'", "TIMESTAMP_S '2024-01-01'", "TIMESTAMP_MS '2024-01-01'",
    "TIMESTAMP_NS '2024-01-01'", "TIMESTAMPTZ '2024-01-01 00:00:00+02'", "INTERVAL 1 MONTH", "uuid()",
    "'a'::ENUM('a', 'b')", "'{\"a\": 1}'::JSON", "'POINT(1 2)'::GEOMETRY", "union_value(num := 1)", "NULL",
)  # fmt: skip
NESTED = ("[{0}]", "[[{0}], NULL]", "{{'a': {0}}}", "MAP {{1: {0}}}", "array_value({0}, {0})", "[{{'a': [{0}]}}]")
ALONE = "SELECT {0} AS a, {0} AS a, 1 AS a_1"
ALL_FORMS = (f"SELECT {', '.join(NESTED)}", "SELECT {0} AS a WHERE false", "SELECT unnest([NULL, {0}]) AS a")
ODD = ("infinity", "-infinity", "290000-01-01", "0044-03-15 (BC)")


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return build_published_lake(tmp_path_factory.mktemp("types") / "lake")


def in_every_form(result: QueryResult, folder: Path) -> None:
    """Writes a result in every form, and checks that the names and the JSON are what others can read."""

    def refused(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    document = json.loads(json_document(result), parse_constant=refused)
    assert document["row_count"] == result.frame.height
    assert len(set(result.frame.columns)) == result.frame.width
    assert csv_text(result).count("\n") >= 1 + result.frame.height
    file = folder / "result.parquet"
    write_parquet(result, file)
    assert pl.read_parquet(file).shape == result.frame.shape
    assert result.frame.to_arrow().num_rows == result.frame.height
    print_table(result.frame.columns, result.frame.iter_rows())
    assert "<table" in result._repr_html_()


@pytest.mark.parametrize("value", PLAIN)
def test_a_value_of_any_type_has_an_answer_in_every_form(value: str, lake: Lake, tmp_path: Path) -> None:
    for form in (ALONE, *ALL_FORMS):
        in_every_form(lake.query(form.format(value)), tmp_path)


@pytest.mark.parametrize("time", ODD)
@pytest.mark.parametrize("kind", ["DATE", "TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_S"])
@pytest.mark.parametrize("form", ["{}", *NESTED[:4]])
def test_a_time_that_python_does_not_have_is_refused_with_what_to_do(
    time: str, kind: str, form: str, lake: Lake
) -> None:
    with pytest.raises(InvalidRequest, match="years 1 to 9999") as refused:
        lake.query("SELECT " + form.format(f"'{time}'::{kind}") + " AS a")
    assert refused.value.advice == 'Cast it: "a"::VARCHAR'


def test_an_interval_of_too_many_years_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidRequest, match="too long"):
        lake.query("SELECT INTERVAL '99999999' YEAR AS a")


def test_values_of_types_that_only_duckdb_has_are_in_words(lake: Lake) -> None:
    row = lake.sql("SELECT '101'::BIT, 1::BIGNUM, union_value(n := 1), [INTERVAL 1 DAY], 'POINT(1 2)'::GEOMETRY").row(0)
    assert row == ("101", "1", "1", "[1 day]", "POINT (1 2)")


def test_the_order_of_rows_with_such_values_stays(lake: Lake) -> None:
    rows = lake.sql("SELECT i, i::BIGNUM AS big FROM range(1000) AS t(i) ORDER BY i DESC -- the last first")
    assert rows["i"].to_list() == list(range(999, -1, -1))


def test_infinite_numbers_are_null_in_json_and_kept_elsewhere(lake: Lake) -> None:
    result = lake.query("SELECT 'inf'::DOUBLE AS a, ['nan'::DOUBLE, 1] AS b")
    assert json.loads(json_document(result))["rows"] == [{"a": None, "b": [None, 1.0]}]
    assert result.frame["a"].to_list() == [float("inf")]


@pytest.mark.parametrize("name", [*(table.name for table in marts.tables()), "instruments", *TABLES])
def test_all_columns_of_every_table(name: str, lake: Lake, tmp_path: Path) -> None:
    if name not in {*lake.tables(), *TABLES}:
        with pytest.raises(ArchiveFileMissing):
            lake.query(f"SELECT * FROM {name}")
        return
    in_every_form(lake.query(f"SELECT * FROM {name} LIMIT 5"), tmp_path)
    in_every_form(lake.query(f"SELECT * FROM {name} AS a CROSS JOIN {name} AS b LIMIT 5"), tmp_path)


@pytest.mark.parametrize("text", ["-- a comment\nSELECT 1 AS a", "SELECT 1 AS a; -- the end", "/* a */ SELECT 1 AS a"])
def test_a_statement_may_have_comments(text: str, lake: Lake) -> None:
    assert lake.sql(text).to_dicts() == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SELECT opentime FROM binance_um_klines", 'Candidate bindings: "open_time"'),
        ("SELECT 1 FROM gap", "Did you mean"),
        ("PIVOT binance_um_klines ON symbol USING max(close)", "PIVOT"),
    ],
)
def test_an_error_keeps_what_duckdb_advises(text: str, words: str, lake: Lake) -> None:
    with pytest.raises(InvalidRequest) as refused:
        lake.query(text)
    assert words in refused.value.what


@pytest.mark.parametrize("limit", [0, -1, True, "1", None])
def test_a_limit_is_a_number_above_zero(limit: object) -> None:
    with pytest.raises(InvalidRequest, match="max_rows"):
        QueryLimits(max_rows=limit)  # type: ignore[arg-type]
