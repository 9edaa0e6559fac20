"""The rows of an answer and what they say, as the table has it of their endpoint; conform reads answers with it too."""

import json
from typing import Any

from crypto_lakehouse.instants import epoch_microseconds, iso_microseconds, seconds_microseconds
from crypto_lakehouse.spec import RestEndpoint, RestShape, RestSource
from crypto_lakehouse.vocabulary import Stamp

_OPEN, _CLOSE_TIME = 0, 6
_READ = {Stamp.EPOCH: epoch_microseconds, Stamp.SECONDS: seconds_microseconds, Stamp.ISO: iso_microseconds}


def parsed(body: str) -> Any:
    """Returns a body's JSON with its digits as they were sent: a number may come unquoted, and a float would round it.

    Raises:
        ValueError: It is no JSON.
    """
    try:
        return json.loads(body, parse_float=str)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def rows_in(content: Any, endpoint: RestEndpoint) -> list[Any]:
    """Returns the rows of an answer, oldest first.

    >>> from crypto_lakehouse.endpoints import KRAKEN_KLINES
    >>> rows_in({"error": [], "result": {"XXBTZUSD": [[1], [2]], "last": 1}}, KRAKEN_KLINES.endpoints[0])
    [[1], [2]]

    Raises:
        LookupError: It has no such member.
        TypeError: It holds no list of rows.
    """
    found = content[endpoint.rows_at] if endpoint.rows_at else content
    if endpoint.rows_at and isinstance(found, dict):
        # Kraken names the list by its own name of the pair, which is not the one that was asked for.
        found = next((one for one in found.values() if isinstance(one, list)), None)
    if not isinstance(found, list):
        raise TypeError(f"{endpoint.path} answered no list")
    return found[::-1] if endpoint.newest_first else found


def time_of(row: Any, endpoint: RestEndpoint) -> int:
    """Returns the time of a row in microseconds since the epoch.

    Raises:
        LookupError: It has none.
        TypeError: It is of another type.
        ArithmeticError: It is no number.
        ValueError: It is not written as the table says.
    """
    return _READ[endpoint.stamp](row[endpoint.time])


def end_of(kline: Any, source: RestSource, step: int) -> int:
    """Returns the first instant past a kline, in microseconds since the epoch; `step` is its length.

    Raises:
        LookupError: It has no close time, or no time at all.
        ValueError: That is no number.
    """
    if source.shape is RestShape.CANDLES:
        return time_of(kline, source.endpoints[0]) + step
    # A close time is the last unit of its kline: the next full millisecond is the next one's start.
    return (epoch_microseconds(kline[_CLOSE_TIME]) // 1000 + 1) * 1000
