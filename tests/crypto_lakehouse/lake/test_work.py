"""Work orders and results are files that are read back exactly or refused."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.lake.local_storage import LocalStorage, validated_key
from crypto_lakehouse.lake.work import (
    DeltaOrder,
    ObjectToPull,
    PlanRequest,
    PullOrder,
    RequestSpan,
    StepResult,
    TransformOrder,
    order_bytes,
    read_plan_request,
    read_pull_order,
    read_result,
    read_transform_order,
    result_key,
    run_folder,
    write_order,
    write_result,
)
from crypto_lakehouse.vocabulary import Step

run_ids = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
KEY = "runs/binance_um_klines/run-1/plan.json"


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """An empty lake."""
    return LocalStorage(tmp_path)


def test_orders_come_back_as_they_were_written(storage: LocalStorage) -> None:
    request = PlanRequest(
        "binance_um_klines", "r", "2024-12-01", "2025-01-31", ("BTCUSDT", "币*"), ("1m",), "default", pull=False
    )
    write_order(storage, KEY, request)
    assert read_plan_request(storage, KEY) == request
    pull = PullOrder("binance_um_klines", "r", "", (ObjectToPull("k", 1, "e", "2024-01-01T00:00:00", True, "new"),))
    write_order(storage, KEY, pull)
    assert read_pull_order(storage, KEY) == pull
    transform = TransformOrder("binance_um_klines", "r", "", ("kline_interval=1m/symbol_key=BTCUSDT/month=2024-12",))
    write_order(storage, KEY, transform)
    assert read_transform_order(storage, KEY) == transform


def test_an_order_is_as_large_as_what_it_is_about(storage: LocalStorage) -> None:
    objects = tuple(
        ObjectToPull(f"k{n}", size, "e", "2024-01-01T00:00:00", True, "new") for n, size in enumerate((5, 7))
    )
    window = RequestSpan("BTCUSDT", "1m", "2025-01-01", "2025-01-02")
    orders = {
        PullOrder("binance_um_klines", "r", "", objects): 12,
        TransformOrder("binance_um_klines", "r", "", ("p",), 40): 40,
        TransformOrder("binance_um_klines", "r", "", ("p",)): 0,
        DeltaOrder("binance_um_klines", "r", "", (window,)): 0,
        PlanRequest("binance_um_klines", "r", "2024-12-01", "2025-01-31"): 0,
    }
    for order, size in orders.items():
        write_order(storage, KEY, order)
        assert order_bytes(storage, KEY) == size, order


def test_a_result_lies_beside_its_order_under_the_name_of_its_step(storage: LocalStorage) -> None:
    result = StepResult("gate", "binance_um_klines", "r", "succeeded", {"rows": 3}, payload={"a": [1]}, seconds=0.5)
    write_result(storage, "runs/d/r/transform-000.json", result)
    assert storage.exists("runs/d/r/transform-000.gate.result.json")
    assert read_result(storage, "runs/d/r/transform-000.json", Step.GATE) == result


def test_a_step_without_a_result_has_not_finished(storage: LocalStorage) -> None:
    with pytest.raises(ArchiveFileMissing):
        read_result(storage, KEY, Step.PLAN)


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
        b"\xff\xfe",
    ],
)
def test_what_is_no_order_is_refused_by_every_reader(storage: LocalStorage, text: bytes) -> None:
    storage.write(KEY, text)
    for read in (read_plan_request, read_pull_order, read_transform_order):
        with pytest.raises(InvalidRequest):
            read(storage, KEY)


@given(run_ids)
def test_a_run_folder_is_a_key_of_the_lake_whatever_the_run_is_called(run_id: str) -> None:
    folder = run_folder("binance_um_klines", run_id)
    assert validated_key(f"{folder}/plan.json")
    assert re.fullmatch(r"runs/binance_um_klines/[A-Za-z0-9_-]+", folder)


@given(run_ids, run_ids)
def test_two_runs_never_share_a_folder(one: str, other: str) -> None:
    assert (run_folder("d", one) == run_folder("d", other)) is (one == other)


def test_results_of_different_steps_never_share_a_file() -> None:
    assert len({result_key(KEY, step) for step in Step}) == len(Step)
