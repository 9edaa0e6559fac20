"""THE SECOND TABLE: every mart of the lake, declared once, as the datasets are. All else is derived from these rows.

A mart is a Gold table: a pure function of published partitions of datasets and other marts. Standard library only: DAG
files import this at parse time.
"""

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.spec import Mart, Table

MARTS: dict[str, Mart] = {}
"""The marts by name, inputs before what reads them."""


def tables() -> tuple[Table, ...]:
    """Returns every table of the lake: the datasets, then the marts."""
    return (*DATASETS, *MARTS.values())


def table(name: str) -> Table:
    """Returns the dataset or mart called `name`.

    >>> table("binance_um_klines").layer
    <Layer.SILVER: 'silver'>

    Raises:
        InvalidRequest: There is neither.
    """
    return MARTS[name] if isinstance(name, str) and name in MARTS else dataset(name)


def mart(name: str) -> Mart:
    """Returns the mart called `name`.

    Raises:
        InvalidRequest: There is none.
    """
    if name not in MARTS:
        raise InvalidRequest(f"no mart is called {name[:80]!r}", f"Known: {', '.join(MARTS) or 'none'}")
    return MARTS[name]
