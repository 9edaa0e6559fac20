"""The Parquet field ids of tables: the numbers by which engines such as Iceberg and Daft know a column.

A column's id is its number in its table: the kline interval first if the table has intervals, although files do not
contain it, then the columns in order. These are the ids that Iceberg gives when a table is created with these columns
and new ones are added at the end. So a column never moves or changes its name: `docs/field_ids.json` records the
ids, and `make docs` refuses to change them. A column that is gone leaves its id behind (`retired_ids`), and a column
with another meaning is a new column. Standard library only.
"""

import json
from collections.abc import Iterable, Mapping
from itertools import count
from operator import itemgetter

from crypto_lakehouse.errors import SpecificationError
from crypto_lakehouse.spec import Table

INTERVAL_COLUMN = "kline_interval"


def field_ids(table: Table) -> dict[str, int]:
    """Returns the field id of each column of a table.

    >>> from crypto_lakehouse.datasets import dataset
    >>> list(field_ids(dataset("binance_um_klines")).items())[:3]
    [('kline_interval', 1), ('symbol', 2), ('open_time', 3)]
    """
    names = [INTERVAL_COLUMN] * table.has_interval + [column.name for column in table.columns]
    numbers = (number for number in count(1) if number not in table.retired_ids)
    return dict(zip(names, numbers, strict=False))


def extended_record(record: Mapping[str, Mapping[str, int]], tables: Iterable[Table]) -> dict[str, dict[str, int]]:
    """Returns the record of field ids with the new tables and columns.

    Args:
        record: The ids in use, by table and column.
        tables: The tables as they are now.

    Raises:
        SpecificationError: A recorded column is gone, has moved or has another name.
    """
    extended = {name: dict(ids) for name, ids in record.items()}
    for table in tables:
        ids = field_ids(table)
        for column, field_id in record.get(table.name, {}).items():
            if column not in ids and field_id in table.retired_ids:
                continue
            if ids.get(column) != field_id:
                now = ids.get(column, "none")
                raise SpecificationError(
                    f"{table.name}: column {column} has field id {field_id} in files, and {now} now\n"
                    "Leave recorded columns where they are, and add new ones at the end of the table"
                )
        retired = {column: field_id for column, field_id in record.get(table.name, {}).items() if column not in ids}
        extended[table.name] = dict(sorted((retired | ids).items(), key=itemgetter(1)))
    return extended


def parse_record(text: str) -> dict[str, dict[str, int]]:
    """Returns the record that `render_record` wrote."""
    record: dict[str, dict[str, int]] = json.loads(text)
    return record


def render_record(record: Mapping[str, Mapping[str, int]]) -> str:
    """Returns a record as JSON, a line per column."""
    return json.dumps(record, indent=2) + "\n"
