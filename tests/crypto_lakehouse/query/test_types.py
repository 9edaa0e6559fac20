"""Every type of the engine has an answer in every format, or an error that names the column and what to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from crypto_lakehouse.cli.output import print_table
from crypto_lakehouse.coverage.answers import TABLES
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake, QueryResult
from crypto_lakehouse.query.export import csv_text, json_document, write_parquet
from tests.published_lake import PARTITIONS, build_published_lake

# Values that a plain cast does not reach: nested, empty, null, infinite, and names that repeat.
VALUES = (
    "NULL", "'nan'::DOUBLE", "'-inf'::FLOAT", "{'a': 'nan'::DOUBLE}", "['inf'::DOUBLE]", "[]", "[NULL]", "[[1], [2]]",
    "[1, 2]::INTEGER[2]", "MAP {'a': 1}", "[MAP {'a': 1}]", "union_value(k := 1)", "[union_value(k := 1)]",
    "[INTERVAL 1 DAY]", "{'a': INTERVAL 1 DAY}", "['101'::BIT]", "['1'::BIGNUM]", "[uuid()]", "row(1, 2)",
    "'a'::ENUM('a', 'BIT')", "'{}'::JSON", "1::DECIMAL(38, 10)", "1 AS a, 2 AS a, '1'::BIT AS A", "count(*), count(*)",
    "max(now()) - min(now())", "INTERVAL '1 month 2 days'", "age(now()::TIMESTAMP)",
)  # fmt: skip
INFINITE = (
    "'infinity'::DATE", "'infinity'::TIMESTAMP", "'-infinity'::TIMESTAMPTZ", "'infinity'::TIMESTAMP_S",
    "['infinity'::TIMESTAMP]", "{'a': 'infinity'::DATE}", "MAP {'a': 'infinity'::DATE}", "'290000-01-01'::TIMESTAMP",
    "'0044-03-15 (BC)'::DATE",
)  # fmt: skip
JOINS = (
    "SELECT * FROM binance_um_klines a JOIN binance_um_klines b USING (symbol)",
    "SELECT * FROM binance_um_klines a ASOF JOIN binance_um_klines b"
    " ON a.symbol = b.symbol AND a.open_time >= b.open_time",
)
_TEXTS = {"BOOLEAN": "true", "UUID": "00000000-0000-0000-0000-000000000001", "GEOMETRY": "POINT (1 2)", "BLOB": "=a"}
_COMPOSED = {"ARRAY", "ENUM", "LIST", "MAP", "STRUCT", "UNION"}


def _casts() -> list[str]:
    """Returns a value of each type that the engine lists."""
    names = duckdb.sql("SELECT DISTINCT logical_type FROM duckdb_types() ORDER BY ALL").fetchall()
    chosen, connection = list[str](), duckdb.connect()
    for (name,) in names:
        for text in (_TEXTS.get(name, "1"), "2024-02-29", "10:00:00", "10:00:00+02:00"):
            if name in _COMPOSED:
                break
            try:
                connection.execute(f"SELECT '{text}'::{name}").fetchall()
            except Exception:
                continue
            chosen.append(f"'{text}'::{name}")
            break
    return chosen


CASTS = _casts()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One lake and one process for all queries."""
    yield build_published_lake(tmp_path_factory.mktemp("types") / "lake")


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def _write_all(result: QueryResult, folder: Path) -> None:
    json.loads(json_document(result), parse_constant=_refuse)
    assert csv_text(result).count("\n") > result.frame.height
    write_parquet(result, folder / "a.parquet")
    assert pl.read_parquet(folder / "a.parquet").equals(result.frame)
    assert result.frame.to_arrow().num_rows == result.frame.height
    print_table(result.frame.columns, result.frame.iter_rows())


def test_the_list_of_types_is_the_engines() -> None:
    assert len(CASTS) > 25
    for name in ("BIT", "BIGNUM", "INTERVAL", "UUID", "HUGEINT", "TIMESTAMP_NS"):
        assert any(cast.endswith(f"::{name}") for cast in CASTS), name


def test_every_type_is_written_in_every_format(lake: Lake, tmp_path: Path) -> None:
    for text in (*CASTS, *VALUES):
        _write_all(lake.query(f"SELECT {text}"), tmp_path)
        _write_all(lake.query(f"SELECT * FROM (SELECT {text}) LIMIT 0"), tmp_path)


def test_every_table_and_join_is_written_in_every_format(lake: Lake, tmp_path: Path) -> None:
    names = sorted({name for name, _ in PARTITIONS} | set(TABLES))
    for text in (*(f"SELECT * FROM {name}" for name in names), *JOINS, "SHOW TABLES", "DESCRIBE binance_um_klines"):
        _write_all(lake.query(text), tmp_path)


@pytest.mark.parametrize("value", INFINITE)
def test_a_time_that_no_other_program_holds_is_refused_by_its_column(lake: Lake, value: str) -> None:
    with pytest.raises(InvalidRequest, match=r"column late .* outside the years 1 to 9999"):
        lake.query(f"SELECT 1 AS a, {value} AS late")
    assert lake.sql(f"SELECT ({value})::VARCHAR AS late").height == 1


def test_a_value_without_a_type_of_arrow_is_the_engines_text(lake: Lake) -> None:
    frame = lake.sql("SELECT '101'::BIT AS a, union_value(k := 1) AS b, 7 AS c, [INTERVAL 1 DAY] AS d")
    assert frame.rows() == [("101", "1", 7, "[1 day]")]
    assert frame.columns == ["a", "b", "c", "d"]


def test_json_has_null_where_a_value_is_no_number(lake: Lake) -> None:
    document = json.loads(json_document(lake.query("SELECT 1::DOUBLE / 0 AS a, ['nan'::DOUBLE, 1.5] AS b")))
    assert document["rows"] == [{"a": None, "b": [None, 1.5]}]


def test_errors_keep_the_hints_of_the_engine_and_a_pivot_says_what_it_needs(lake: Lake) -> None:
    for text, hint in (
        ("SELECT clos FROM binance_um_klines", 'Candidate bindings: "close"'),
        ("SELECT * FROM binance_um_kline", 'Did you mean "binance_um_klines"'),
        ("SELECT * FROM klines", "does not exist!\n`SHOW TABLES` lists the tables"),
        ("PIVOT (SELECT 1 AS a, 2 AS b) ON a USING sum(b)", "PIVOT over values"),
    ):
        with pytest.raises(InvalidRequest, match=hint):
            lake.query(text)
    assert lake.sql("PIVOT (SELECT 1 AS a, 2 AS b) ON a IN (1, 2) USING sum(b)").height == 1
    assert lake.sql("-- a comment first\nSELECT 1 AS a").item() == 1
