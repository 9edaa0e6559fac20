"""Instants as numbers: microseconds since the epoch, UTC. Standard library only."""

from datetime import UTC, datetime, timedelta

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
