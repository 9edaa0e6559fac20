"""Instants as numbers: microseconds since the epoch, UTC. Standard library only."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_IN_MICROSECONDS = 10**15


def microseconds(instant: datetime) -> int:
    """Returns the microseconds since the epoch of an instant, exactly.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (instant - _EPOCH) // timedelta(microseconds=1)


def instant(number: int) -> datetime:
    """Returns the instant that is so many microseconds past the epoch."""
    return _EPOCH + timedelta(microseconds=number)


def epoch_microseconds(value: int | str) -> int:
    """Returns an epoch of milliseconds or microseconds in microseconds: its magnitude tells which it is.

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
    """Returns an instant in words, UTC unless they name another zone, in microseconds.

    >>> iso_microseconds("2025-01-01T00:00:00.123456Z")
    1735689600123456
    """
    moment = datetime.fromisoformat(text)
    return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
