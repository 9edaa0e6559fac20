"""Orders and results as JSON: read back as they were, and refused with the place of the first fault."""

import json

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.runs.codec import from_json, to_json
from crypto_lakehouse.runs.orders import PlanRequest

REQUEST = PlanRequest("binance_um_klines", "r", "2025-01-01", "2025-01-02", ("BTCUSDT",), ("1m",))
KEY = "runs/binance_um_klines/r/plan.json"


def test_a_record_is_read_back_as_it_was() -> None:
    assert from_json(PlanRequest, to_json(PlanRequest, REQUEST), KEY) == REQUEST


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"run_id": 7}, "run_id"),
        ({"symbols": "BTCUSDT"}, "symbols"),
        ({"symbls": ["BTCUSDT"]}, "symbls"),
        ({"delta": "yes"}, "delta"),
    ],
)
def test_a_field_of_another_name_or_type_is_refused_and_named(change: dict[str, object], place: str) -> None:
    fields = {**json.loads(to_json(PlanRequest, REQUEST)), **change}
    with pytest.raises(InvalidRequest, match=rf"{KEY} is not a PlanRequest: 1 faults, the first is {place}: "):
        from_json(PlanRequest, json.dumps(fields).encode(), KEY)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff"])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="is not a PlanRequest"):
        from_json(PlanRequest, text, KEY)
