"""The Glue tables as Terraform's variables: Terraform owns them; their rows are those of datasets and marts.

`python -m crypto_lakehouse.catalog.terraform` (or `make docs`) rewrites the file; a test fails while it differs from
the table.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

from crypto_lakehouse import __version__
from crypto_lakehouse.catalog.glue import table_input
from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.docs import write_changed
from crypto_lakehouse.marts import tables
from crypto_lakehouse.spec import Table

VARIABLES = Path("terraform", "tables.auto.tfvars.json")
"""The file's place in the project; Terraform reads it by its name."""


class TableVariables(TypedDict):
    """A table as `variables.tf` declares it."""

    layer: str
    description: str
    fingerprint: str
    live: bool
    partition_keys: list[str]
    index_keys: list[str]
    columns: list[dict[str, str]]


def table_variables(table: Table) -> TableVariables:
    """Returns the variables of a table.

    An index is used from its first key on, and what is always asked for is a symbol.

    >>> from crypto_lakehouse.datasets import dataset
    >>> table_variables(dataset("binance_um_klines"))["index_keys"]
    ['symbol_key', 'kline_interval', 'period']
    """
    glue = table_input(table, "")
    keys = [one["Name"] for one in glue["PartitionKeys"]]
    return {
        "layer": table.layer.value,
        "description": glue["Description"],
        "fingerprint": glue["Parameters"]["schema_fingerprint"],
        "live": table.ended is None,
        "partition_keys": keys,
        "index_keys": sorted(keys, key=lambda key: key != "symbol_key"),
        "columns": [
            {name.lower(): one[name] for name in ("Name", "Type", "Comment")}
            for one in glue["StorageDescriptor"]["Columns"]
        ],
    }


def render_variables() -> str:
    """Returns the variables of all tables, and the tag of this version's images, as Terraform reads them."""
    variables = {table.name: table_variables(table) for table in tables()}
    return json.dumps({"image_tag": __version__, "tables": variables}, indent=2, ensure_ascii=False) + "\n"


def main(project: Path | None = None, say: Callable[[str], None] = print) -> int:
    """Rewrites the file if it differs, reports it, and returns 0.

    Args:
        project: The folder of the project; the checkout by default.
        say: Takes a line if the file was rewritten.

    Raises:
        InvalidRequest: No folder is given and there is no checkout.
    """
    project = project or require_checkout()
    write_changed({project / VARIABLES: render_variables()}, project, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
