"""An exchange on loopback: the public REST endpoints that the lake asks, over real HTTP, with faults on command.

It serves the rows of the archive as JSON: the strings are those of the CSV files, only the shape differs.
"""

from tests.fakes.exchange.faults import Fault
from tests.fakes.exchange.rows import FolderRows, RowSource, SyntheticRows
from tests.fakes.exchange.server import LocalExchange, SeenRequest, running_clock
from tests.fakes.exchange.symbols import Symbols

__all__ = [
    "Fault",
    "FolderRows",
    "LocalExchange",
    "RowSource",
    "SeenRequest",
    "Symbols",
    "SyntheticRows",
    "running_clock",
]
