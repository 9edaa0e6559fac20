"""Reads the rows of an answer by the endpoint's row of the table; conform reads answers with it too."""

import json
from typing import Any

from crypto_lakehouse.endpoints.spec import RestEndpoint, RestShape, RestSource
from crypto_lakehouse.instants import epoch_microseconds, iso_microseconds, seconds_microseconds
from crypto_lakehouse.vocabulary import Stamp

_OPEN, _CLOSE_TIME = 0, 6
_TIME_OF_DOUBT = 7_258_118_400_000_000
"""2200-01-01 in microseconds: no exchange has a row from then."""
_READ = {Stamp.EPOCH: epoch_microseconds, Stamp.SECONDS: seconds_microseconds, Stamp.ISO: iso_microseconds}


def parsed(body: str) -> Any:
    """Returns a body's JSON with its digits as sent: a number may come without quotes, and a float would round it.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return json.loads(body, parse_float=str)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def rows_in(content: Any, endpoint: RestEndpoint) -> list[Any]:
    """Returns the rows of an answer, oldest first.

    >>> from crypto_lakehouse.endpoints.kraken import KLINES
    >>> rows_in({"error": [], "result": {"XXBTZUSD": [[1], [2]], "last": 1}}, KLINES.endpoints[0])
    [[1], [2]]

    Raises:
        LookupError: It has no such member.
        TypeError: It contains no list of rows.
    """
    rows = content[endpoint.rows_at] if endpoint.rows_at else content
    if endpoint.rows_at and isinstance(rows, dict):
        # Kraken names the list by its own name of the pair, which is not the name in the request.
        rows = next((member for member in rows.values() if isinstance(member, list)), None)
    if not isinstance(rows, list):
        raise TypeError(f"{endpoint.path} returned no list")
    return rows[::-1] if endpoint.newest_first else rows


def time_of(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the time of a row in microseconds since the epoch.

    Raises:
        LookupError: It has none.
        TypeError: It is of another type.
        ArithmeticError: It is no number.
        ValueError: It is not written as the table has it.
    """
    time = _READ[endpoint.stamp](row[endpoint.time])
    if not 0 <= time < _TIME_OF_DOUBT:
        raise ValueError("it is not a time of this century or the last")
    return time


def end_of(kline: Any, source: RestSource, step: int) -> int:
    """Returns the first instant past a kline, in microseconds since the epoch; `step` is its length.

    Raises:
        LookupError: It has no close time, or no time at all.
        ValueError: That is no number.
    """
    if source.shape is RestShape.CANDLES:
        return time_of(kline, source.endpoints[0]) + step
    # A close time is the last unit of its kline: the next full millisecond is the start of the next kline.
    end = (epoch_microseconds(kline[_CLOSE_TIME]) // 1000 + 1) * 1000
    if not 0 <= end < _TIME_OF_DOUBT:
        raise ValueError("it is not a time of this century or the last")
    return end
