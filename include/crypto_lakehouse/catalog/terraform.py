"""The Glue tables and the verbs as Terraform's variables: Terraform owns tables, images, task definitions and roles.

`python -m crypto_lakehouse.catalog.terraform` (or `make docs`) writes the file again from the tables of datasets, marts
and verbs. A test fails if the file differs from them.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from crypto_lakehouse import __version__
from crypto_lakehouse.catalog.glue_tables import table_input
from crypto_lakehouse.checkout import require_checkout, write_changed
from crypto_lakehouse.marts import tables
from crypto_lakehouse.spec import Table
from crypto_lakehouse.verbs import VERBS, Area, Verb

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
    keys = [key["Name"] for key in glue["PartitionKeys"]]
    return {
        "layer": table.layer.value,
        "description": glue["Description"],
        "fingerprint": glue["Parameters"]["schema_fingerprint"],
        "live": table.ended is None,
        "partition_keys": keys,
        "index_keys": sorted(keys, key=lambda key: key != "symbol_key"),
        "columns": [
            {name.lower(): column[name] for name in ("Name", "Type", "Comment")}
            for column in glue["StorageDescriptor"]["Columns"]
        ],
    }


class VerbVariables(TypedDict):
    """A verb as `variables.tf` declares it; areas of the lake are patterns of keys."""

    image: str
    reach: str
    order: str
    starts_run: bool
    read: list[str]
    write: list[str]
    delete: list[str]
    catalog: str


def verb_variables(verb: Verb) -> VerbVariables:
    """Returns the variables of a verb: its image, its network and what its role may do.

    >>> from crypto_lakehouse.verbs import verb_of
    >>> from crypto_lakehouse.vocabulary import Step
    >>> verb_variables(verb_of(Step.GATE))["write"]
    ['quality/*']
    """
    return {
        "image": verb.image.value,
        "reach": verb.reach.value,
        "order": verb.order_stem,
        "starts_run": not verb.is_mapped,
        "read": _patterns(verb.reads),
        "write": _patterns(verb.writes),
        "delete": _patterns((*verb.folds, *verb.deletes)),
        "catalog": verb.catalog.value,
    }


def _patterns(areas: Iterable[Area]) -> list[str]:
    return [pattern for area in areas for pattern in area.patterns]


def render_variables() -> str:
    """Returns the variables of all tables and verbs, and the tag of this version's images, as Terraform reads them."""
    verbs = {verb.step.value: verb_variables(verb) for verb in VERBS}
    of_tables = {table.name: table_variables(table) for table in tables()}
    variables = {"image_tag": __version__, "verbs": verbs, "tables": of_tables}
    return json.dumps(variables, indent=2, ensure_ascii=False) + "\n"


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
