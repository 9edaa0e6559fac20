"""The arguments of the SDK as people write them: times, names, markets and kinds of instruments.

An argument may be a value of NumPy, pandas, PyArrow or Polars. What cannot be meant is refused, and never guessed.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query.limits import QueryLimits
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import InstrumentKind, Market

Instant = date | datetime | str
"""A time: ISO text, a date (its midnight) or a datetime. Without a time zone it is UTC."""
Names = Iterable[str] | str | None
"""One name or several; None means all."""


def checked_instant(instant: Instant | None) -> datetime | None:
    """Returns a time in UTC, None for None.

    Times of NumPy, pandas and PyArrow are accepted too, cut off to microseconds.

    Raises:
        InvalidRequest: It is not a time.
    """
    if instant is None:
        return None
    try:
        moment = _python_time(instant)
        if isinstance(moment, datetime):
            # A NaT of pandas is a datetime that is not equal to itself.
            if moment != moment:  # noqa: PLR0124
                raise ValueError("NaT")
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        if isinstance(moment, date):
            return datetime.combine(moment, time(), UTC)
    except (ValueError, OverflowError, TypeError) as error:
        raise _no_time(instant) from error
    raise _no_time(instant)


def _python_time(instant: Any) -> Any:
    """Returns a time of another library as one of Python; what is no time as it is."""
    if isinstance(instant, str):
        return datetime.fromisoformat(instant)
    if hasattr(instant, "to_pydatetime"):
        # pandas warns of nanoseconds that are cut off.
        return instant.floor("us").to_pydatetime()
    if hasattr(instant, "as_py"):
        return instant.as_py()
    return instant.astype("datetime64[us]").item() if hasattr(instant, "astype") else instant


def _no_time(instant: object) -> InvalidRequest:
    what = f"{str(instant)[:40]!r} of type {type(instant).__name__} is not a time"
    return InvalidRequest(what, "Write it as 2024-12-31 or 2024-12-31T08:00, or give a datetime")


def checked_span(start: Instant | None, end: Instant | None) -> tuple[datetime | None, datetime | None]:
    """Returns the start and the end of a request in UTC.

    Raises:
        InvalidRequest: One is not a time, or the end is before the start.
    """
    first, last = checked_instant(start), checked_instant(end)
    if first is not None and last is not None and last < first:
        raise InvalidRequest(f"the end {end} is before the start {start}", "Exchange the two")
    return first, last


def checked_days(days: Any) -> tuple[date | None, date | None]:
    """Returns the first and the last day of a request; None for one that is not named.

    Raises:
        InvalidRequest: It is not a pair of days, or the last is before the first.
    """
    given = tuple(days) if isinstance(days, Iterable) and not isinstance(days, str) else ()
    if len(given) != 2:
        raise InvalidRequest(
            f"days is {str(days)[:40]!r}", 'Write a first and a last day: ("2024-12-01", "2024-12-31")'
        )
    first, last = checked_span(*given)
    return first and first.date(), last and last.date()


def checked_names(names: Names, what: str) -> list[str]:
    """Returns one or several names as a list. A list, a set, a column of a frame: all that can be iterated.

    Args:
        names: The names.
        what: What they are, for the error: `symbols`.

    Raises:
        InvalidRequest: They are no texts.
    """
    if names is None:
        return []
    listed = [names] if isinstance(names, str) else list(names) if isinstance(names, Iterable) else [names]
    texts = [name.as_py() if hasattr(name, "as_py") else name for name in listed]
    for text in texts:
        if not isinstance(text, str):
            shown = f"{str(text)[:40]!r} of type {type(text).__name__}"
            raise InvalidRequest(f"{what} has {shown}", "Give a text, or a list of texts")
    return [str(text) for text in texts]


def checked_limits(limits: QueryLimits | None) -> QueryLimits | None:
    """Returns the limits of a query.

    Raises:
        InvalidRequest: They are something else.
    """
    if limits is not None and not isinstance(limits, QueryLimits):
        raise InvalidRequest(f"limits is a {type(limits).__name__}", "Give a QueryLimits(max_rows=...)")
    return limits


def checked_market(market: Market | str) -> Market:
    """Returns a market.

    Raises:
        InvalidRequest: There is no such market.
    """
    try:
        return Market(market)
    except ValueError as error:
        raise InvalidRequest(f"{str(market)[:20]!r} is not a market", f"Known: {', '.join(Market)}") from error


def checked_kind(kind: InstrumentKind | str) -> InstrumentKind:
    """Returns a kind of instrument.

    Raises:
        InvalidRequest: There is no such kind.
    """
    try:
        return InstrumentKind(kind)
    except ValueError as error:
        known = ", ".join(InstrumentKind)
        raise InvalidRequest(f"{str(kind)[:20]!r} is not a kind of instrument", f"Known: {known}") from error


def checked_patterns(symbols: Names) -> list[str]:
    """Returns symbols and globs as a list.

    Raises:
        InvalidRequest: One cannot be a symbol or a glob.
    """
    return [validated_pattern(symbol) for symbol in checked_names(symbols, "symbols")]
