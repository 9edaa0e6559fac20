"""Every document is JSON that a strict parser reads, and no digit of a decimal is lost."""

import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from crypto_lakehouse.json_text import json_text


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        ([1.5, float("inf"), {"a": float("nan")}], [1.5, None, {"a": None}]),
        ((float("inf"), Decimal("1.10"), b"\x01"), [None, "1.10", "01"]),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("NaN"), None),
        (datetime(2025, 1, 1, tzinfo=UTC), "2025-01-01T00:00:00+00:00"),
        (date(2025, 1, 1), "2025-01-01"),
        (time(12), "12:00:00"),
        (timedelta(minutes=1), 60.0),
        (b"\xaa", "aa"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (2**70, 2**70),
        (True, True),
        ("币", "币"),
    ],
    ids=repr,
)
def test_a_value_is_read_back(value: Any, read: Any) -> None:
    def refused(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    for document in (value, {"a": value, "b": float("inf")}):
        text = json_text(document)
        assert "\n" not in text
        assert json.loads(text, parse_constant=refused) in (read, {"a": read, "b": None})
