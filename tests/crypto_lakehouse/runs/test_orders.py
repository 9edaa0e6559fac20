"""Work orders and results are files that are read back exactly or refused."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.errors import CorruptObject, InvalidRequest
from crypto_lakehouse.lake.local import LocalStorage, validated_key
from crypto_lakehouse.lake.records import ObjectToPull, RequestSpan
from crypto_lakehouse.runs.codec import sealed
from crypto_lakehouse.runs.orders import (
    ORDER_TYPES,
    CollectOrder,
    DeltaOrder,
    GapsOrder,
    InstrumentsOrder,
    Order,
    PlanRequest,
    PullOrder,
    RepairOrder,
    ScrubOrder,
    TransformOrder,
    first_order_key,
    order_of_step,
    read_order,
    run_folder,
    write_order,
)
from crypto_lakehouse.spans import Span
from crypto_lakehouse.verbs import VERBS
from crypto_lakehouse.vocabulary import Market, Step

run_ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
KEY = "runs/binance_um_klines/run-1/plan.json"


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """An empty lake."""
    return LocalStorage(tmp_path)


OBJECTS = tuple(ObjectToPull(f"k{n}", size, "e", "2024-01-01T00:00:00", "c", "new") for n, size in enumerate((5, 7)))
WINDOW = RequestSpan("BTCUSDT", "1m", Span.from_iso("2025-01-01", "2025-01-02"))
ORDERS: tuple[tuple[Step, Order, int], ...] = (
    (
        Step.PLAN,
        PlanRequest("d", "r", "2024-12-01", "2025-01-31", ("BTCUSDT", "币*"), ("1m",), "default", pull=False),
        0,
    ),
    (Step.PULL, PullOrder("d", "r", "", OBJECTS), 12),
    (Step.DELTA, DeltaOrder("d", "r", "", (WINDOW,)), 0),
    (Step.CONFORM, TransformOrder("d", "r", "", ("kline_interval=1m/symbol_key=BTCUSDT/period=2024-12",), 40), 40),
    (Step.GAPS, GapsOrder("r"), 0),
    (Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "r", ask=False, exchange_info=("k",)), 0),
    (Step.SCRUB, ScrubOrder("r"), 0),
    (Step.REPAIR, RepairOrder("r"), 0),
    (Step.COLLECT, CollectOrder("r", dry_run=True), 0),
)
SUBJECTS = {
    Step.INSTRUMENTS: "binance_um",
    **dict.fromkeys((Step.GAPS, Step.SCRUB, Step.REPAIR, Step.COLLECT), "lake"),
}


@pytest.mark.parametrize(("step", "order", "size"), ORDERS)
def test_an_order_comes_back_as_it_was_written_and_is_as_large_as_its_objects(
    storage: LocalStorage, step: Step, order: Order, size: int
) -> None:
    write_order(storage, KEY, order)
    assert read_order(storage, KEY, type(order)) == order_of_step(storage, KEY, step) == order
    assert (order.subject, order.run_id, order.work_bytes) == (SUBJECTS.get(step, "d"), "r", size)


def test_every_verb_names_a_type_of_order() -> None:
    assert {verb.order for verb in VERBS} == set(ORDER_TYPES)


def test_a_run_starts_with_an_order_of_a_fixed_name() -> None:
    key = first_order_key(Step.PLAN, "binance_um_klines", "r")
    assert (
        key
        == f"{run_folder('binance_um_klines', 'r')}/plan.json"
        == first_order_key(Step.REPORT, "binance_um_klines", "r")
    )


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"not json",
        b"[]",
        b"null",
        b"{}",
        b'{"dataset": "d"}',
        json.dumps({"dataset": "d", "run_id": "r", "first_day": "a", "last_day": "b", "surprise": 1}).encode(),
        json.dumps({"dataset": "d", "run_id": 7, "first_day": "a", "last_day": "b"}).encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_order_is_refused_for_every_verb(storage: LocalStorage, text: bytes) -> None:
    storage.write(KEY, text)
    for step in Step:
        with pytest.raises(CorruptObject, match="is damaged"):
            order_of_step(storage, KEY, step)
    storage.write(KEY, sealed(b"{" + text[1:]))
    for step in Step:
        with pytest.raises(InvalidRequest, match="is not a"):
            order_of_step(storage, KEY, step)


@given(run_ids)
def test_a_run_folder_is_a_key_of_the_lake_whatever_the_run_is_called(run_id: str) -> None:
    folder = run_folder("binance_um_klines", run_id)
    assert validated_key(f"{folder}/plan.json")
    assert re.fullmatch(r"runs/binance_um_klines/[A-Za-z0-9_-]+", folder)


@given(run_ids, run_ids)
def test_two_runs_never_share_a_folder(one: str, other: str) -> None:
    assert (run_folder("d", one) == run_folder("d", other)) is (one == other)
