"""THE TABLE: every dataset of the lake, declared once. All else is derived from these rows.

What the archive has was established from its listings and from real files; see docs/datasets.md, which is generated
from here. Standard library only: DAG files import this at parse time.
"""

from types import MappingProxyType

from crypto_lakehouse.datasets.binance import BINANCE
from crypto_lakehouse.datasets.coinbase import COINBASE
from crypto_lakehouse.datasets.kraken import KRAKEN
from crypto_lakehouse.errors import InvalidRequest, SpecificationError
from crypto_lakehouse.spec import Dataset

DATASETS: tuple[Dataset, ...] = (*BINANCE, *COINBASE, *KRAKEN)
"""Every dataset, in the order of the documentation."""

_BY_NAME = MappingProxyType({row.name: row for row in DATASETS})
if len(_BY_NAME) != len(DATASETS):
    raise SpecificationError("two rows of the table have one name")


def dataset(name: str) -> Dataset:
    """Returns the dataset called `name`.

    Raises:
        InvalidRequest: There is no such dataset.
    """
    if not isinstance(name, str) or name not in _BY_NAME:
        raise InvalidRequest(f"no dataset is called {name!r}", f"Known: {', '.join(_BY_NAME)}")
    return _BY_NAME[name]
