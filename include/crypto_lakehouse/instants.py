"""Instants as datetimes, as microseconds since the epoch and as text, all UTC. Standard library only."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_IN_MICROSECONDS = 10**15


def utc_now() -> datetime:
    """Returns what the clock of this machine shows. Every look at it is a call of this function.

    A clock may be wrong, or step. So it never decides what is newest: a log has an order of its own. It decides what is
    about time by its nature, such as whether a file is overdue or which days can have data, and it is shown to people.
    """
    return _clock()


def _clock() -> datetime:
    # A name of its own, which tests replace.
    return datetime.now(UTC)


def microseconds(instant: datetime) -> int:
    """Returns the microseconds since the epoch of an instant, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(number: int) -> datetime:
    """Returns the instant that is so many microseconds past the epoch."""
    return _EPOCH + timedelta(microseconds=number)


def instant_from_iso(text: str) -> datetime:
    """Returns the instant that a text in ISO form names; UTC unless it names another zone.

    >>> instant_from_iso("2025-01-01T01:00:00+01:00") == instant_from_iso("2025-01-01") == midnight(date(2025, 1, 1))
    True

    Raises:
        ValueError: It names none.
    """
    parsed = datetime.fromisoformat(text)
    return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def midnight(day: date) -> datetime:
    """Returns the first instant of a UTC day."""
    return datetime.combine(day, time(tzinfo=UTC))


def epoch_microseconds(value: int | str) -> int:
    """Returns an epoch in microseconds. The magnitude of the input decides whether it is in milli- or microseconds.

    >>> epoch_microseconds("1735689600000"), epoch_microseconds(1735689600000000)
    (1735689600000000, 1735689600000000)
    """
    number = int(value)
    return number if number >= _FIRST_IN_MICROSECONDS else number * 1000


def seconds_microseconds(value: int | str) -> int:
    """Returns an epoch of seconds, with decimals or without, in microseconds; what is finer is cut off.

    >>> seconds_microseconds("1735689600.1234567"), seconds_microseconds(1735689600)
    (1735689600123456, 1735689600000000)
    """
    return int(Decimal(value) * 1_000_000)


def iso_microseconds(text: str) -> int:
    """Returns the instant that a text in ISO form names in microseconds; UTC unless it names another zone.

    >>> iso_microseconds("2025-01-01T00:00:00.123456Z")
    1735689600123456
    """
    return microseconds(instant_from_iso(text))
