"""Rows on their way between processes: every column has a name of its own, and a type that Polars has."""

import pyarrow as pa
import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.transfer import decoded, encoded, transferable


def test_batches_come_back_as_they_were_and_a_result_without_rows_has_columns() -> None:
    table = pa.table({"a": [1, 2, None], "b": ["x", None, "z"]})
    batches = list(transferable(table.to_reader(max_chunksize=2)))
    assert [batch.num_rows for batch in batches] == [0, 2, 1]
    assert decoded(map(encoded, batches)).to_pydict() == table.to_pydict()
    (empty,) = transferable(table.slice(0, 0).to_reader())
    assert decoded([encoded(empty)]).schema.names == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT * FROM range(2) a(x) JOIN range(2) b(x) ON a.x = b.x", ["x", "x_1"]),
        ("SELECT count(*), count(*) FROM range(2)", ["count_star()", "count_star()_1"]),
        ("SELECT 1 AS a, 2 AS a_1, 3 AS a", ["a", "a_1", "a_2"]),
    ],
)
def test_columns_of_one_name_get_numbers(lake: Lake, text: str, names: list[str]) -> None:
    assert lake.sql(text).columns == names


def test_an_interval_becomes_a_duration(lake: Lake) -> None:
    row = lake.sql(
        "SELECT INTERVAL 1 DAY AS d, INTERVAL 1 MONTH AS m, INTERVAL 5 MICROSECOND AS u, NULL::INTERVAL AS n"
    )
    assert [str(value) for value in row.row(0)] == ["1 day, 0:00:00", "30 days, 0:00:00", "0:00:00.000005", "None"]
    assert lake.sql("SELECT * FROM gaps").columns == lake.gaps().columns


def test_an_interval_that_is_too_long_is_refused_at_once(lake: Lake) -> None:
    with pytest.raises(InvalidRequest, match="column late has an interval that is too long"):
        lake.sql("SELECT INTERVAL '99999999' YEAR AS late")
