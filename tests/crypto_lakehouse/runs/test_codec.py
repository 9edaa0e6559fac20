"""Orders and results as JSON: read back as they were, and refused with the place of the first fault."""

import json

import pytest

from crypto_lakehouse.errors import CorruptObject, InvalidRequest
from crypto_lakehouse.runs.codec import from_json, sealed, to_json, unsealed
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
    fields = {**json.loads(unsealed(to_json(PlanRequest, REQUEST), KEY)), **change}
    with pytest.raises(InvalidRequest, match=rf"{KEY} is not a PlanRequest: 1 faults, the first is {place}: "):
        from_json(PlanRequest, sealed(json.dumps(fields).encode()), KEY)


@pytest.mark.parametrize("text", [b"{}", b"{", b'{"dataset": "d"}', b"{\xff"])
def test_what_is_no_record_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidRequest, match="is not a PlanRequest"):
        from_json(PlanRequest, sealed(text), KEY)


def test_every_flipped_bit_and_every_cut_is_found() -> None:
    text = to_json(PlanRequest, REQUEST)
    assert json.loads(text)["dataset"] == REQUEST.dataset, "people and tools read it as JSON"
    damaged = [text[:place] + bytes([text[place] ^ 1 << place % 8]) + text[place + 1 :] for place in range(len(text))]
    for broken in (*damaged, *(text[:length] for length in range(len(text))), text + b" "):
        with pytest.raises(CorruptObject, match=f"binance_um_klines: {KEY} is damaged"):
            from_json(PlanRequest, broken, KEY)
