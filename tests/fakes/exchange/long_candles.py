"""Candles longer than a day: when they open, and how they are merged from candles of a day."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from crypto_lakehouse.vocabulary import Interval

_EPOCH = date(1970, 1, 1)
_LONG = (Interval.D3, Interval.W1, Interval.MO1)
_SUMMED = (5, 7, 8, 9, 10)


def is_long(interval: Interval | None) -> bool:
    """Returns whether a candle spans more than a day."""
    return interval in _LONG


def opens_on(interval: Interval | None, day: date) -> bool:
    """Returns whether a long candle opens on this day.

    >>> opens_on(Interval.W1, date(2025, 1, 6)), opens_on(Interval.MO1, date(2025, 1, 6))
    (True, False)
    """
    if interval is Interval.MO1:
        return day.day == 1
    return day.weekday() == 0 if interval is Interval.W1 else (day - _EPOCH).days % 3 == 0


def next_open(interval: Interval | None, day: date) -> date:
    """Returns the day on which the candle after the one of `day` opens.

    >>> next_open(Interval.MO1, date(2024, 12, 1))
    datetime.date(2025, 1, 1)
    """
    if interval is Interval.MO1:
        return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return day + timedelta(days=7 if interval is Interval.W1 else 3)


def merged(lines: Sequence[str]) -> str:
    """Returns the candle that spans the given candles, which follow each other.

    >>> merged(["0,5,9,4,6,1.5,86399999,7,3,1,2,0", "86400000,6,8,3,7,2.5,172799999,7,4,1,2,0"])
    '0,5,9,3,7,4.0,172799999,14,7,2,4,0'
    """
    rows = [line.split(",") for line in lines]
    whole = list(rows[0])
    whole[2] = max((row[2] for row in rows), key=Decimal)
    whole[3] = min((row[3] for row in rows), key=Decimal)
    whole[4], whole[6] = rows[-1][4], rows[-1][6]
    for field in _SUMMED:
        whole[field] = str(sum((Decimal(row[field]) for row in rows[1:]), Decimal(rows[0][field])))
    return ",".join(whole)
