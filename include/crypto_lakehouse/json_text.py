"""Documents as JSON that every parser reads: no NaN, no infinity, no digit lost."""

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


def json_text(document: Any) -> str:
    """Returns a document on one line.

    Decimals are text, so that no digit is lost. Times are ISO text, bytes are hexadecimal, durations are seconds. A
    number that is infinite or not a number is null, because JSON has no such numbers.

    >>> json_text({"a": float("inf"), "b": Decimal("1.10"), "c": timedelta(minutes=1)})
    '{"a": null, "b": "1.10", "c": 60.0}'
    """
    try:
        return json.dumps(document, ensure_ascii=False, default=_value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value if value is None or isinstance(value, str | int) else _finite(_value(value))


def _value(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    return value.hex() if isinstance(value, bytes) else str(value)
