"""The arguments of the SDK as people write them: times, markets and kinds of instruments."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import InstrumentKind, Market

Instant = date | datetime | str
"""A time: ISO text, a date (its midnight) or a datetime. Without a time zone it is UTC."""


def checked_instant(instant: Instant | None) -> datetime | None:
    """Returns a time in UTC, None for None.

    Raises:
        InvalidRequest: The text is not a time.
    """
    if instant is None:
        return None
    try:
        moment = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    except ValueError as error:
        advice = "Write it as 2024-12-31 or 2024-12-31T08:00"
        raise InvalidRequest(f"{str(instant)[:40]!r} is not a time", advice) from error
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


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


def checked_patterns(symbols: Sequence[str] | str) -> list[str]:
    """Returns symbols and globs as a list.

    Raises:
        InvalidRequest: One cannot be a symbol or a glob.
    """
    return [validated_pattern(symbol) for symbol in ([symbols] if isinstance(symbols, str) else symbols)]
