"""What a query may use, what it returns, and the errors of a query that exceeds its limits."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crypto_lakehouse.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """The limits of one query.

    Args:
        max_rows: Maximum number of rows of the result.
        memory_mib: Memory of the query. Nothing is written to disk.
        threads: Threads of the engine.
        timeout_seconds: Wall time after which the query is ended.
        max_result_mib: Maximum size of the result in memory.
    """

    max_rows: int = 1_000_000
    memory_mib: int = 2048
    threads: int = 2
    timeout_seconds: float = 120.0
    max_result_mib: int = 1024

    def __post_init__(self) -> None:
        """Checks the limits.

        Raises:
            InvalidRequest: One is not a number above zero.
        """
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise InvalidRequest(f"the limit {name} is {str(value)[:20]}", "Give a number above zero")


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The rows of a query, and whether rows beyond the limit were cut off."""

    frame: "pl.DataFrame"
    truncated: bool

    def _repr_html_(self) -> str:
        """Returns what a notebook shows."""
        rest = "<p>More rows were cut off.</p>" if self.truncated else ""
        return self.frame._repr_html_() + rest


def too_late(limits: QueryLimits) -> InvalidRequest:
    """Returns the error of a query that exceeds its time."""
    what = f"the query took longer than {limits.timeout_seconds:g} s"
    return InvalidRequest(what, "Query fewer symbols or a shorter time, or raise the limit")


def too_much_memory(limits: QueryLimits) -> InvalidRequest:
    """Returns the error of a query that exceeds its memory."""
    what = f"the query needs more than {limits.memory_mib} MiB"
    return InvalidRequest(what, "Query less data at once, raise the limit, or use Lake.scan, which streams")


def too_large_result(limits: QueryLimits) -> InvalidRequest:
    """Returns the error of a query whose result exceeds its size."""
    what = f"the result of the query has more than {limits.max_result_mib} MiB"
    return InvalidRequest(what, "Select fewer columns or rows, aggregate, raise the limit, or use Lake.scan")
