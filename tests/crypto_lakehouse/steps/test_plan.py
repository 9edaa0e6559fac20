"""How large a plan makes its orders, as it tells whoever gives steps room, and how many there may be."""

import json
from pathlib import Path

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.steps import plan
from tests.small_lake import SmallLake, dropped, small_lake

NAME = "binance_um_klines"


def test_a_batch_is_as_large_as_the_objects_that_its_partitions_are_built_from(tmp_path: Path) -> None:
    with small_lake(tmp_path) as lake:
        keys = [lake.publish(NAME, day) for day in ("2025-01-01", "2025-01-02")]
        lake.run(NAME, "2025-01-01", "2025-01-02")
        both = sum(len(lake.bucket.objects[key.key]) for key in keys)
        assert sizes(lake) == [both]
        third = lake.publish(NAME, "2025-01-03")
        lake.run(NAME, "2025-01-01", "2025-01-03")
        assert sizes(lake) == [both, both + len(lake.bucket.objects[third.key])], "with what Bronze holds already"
        replaced = lake.publish(NAME, "2025-01-03", dropped(5, 8))
        lake.run(NAME, "2025-01-03", "2025-01-03")
        assert sizes(lake)[-1] > len(lake.bucket.objects[replaced.key])


def plan_two_partitions(lake: SmallLake) -> RunSummary:
    for day in ("2025-01-31", "2025-02-01"):
        lake.publish(NAME, day)
    alone = lake.settings.model_copy(update={"conform": ConformSettings(partitions_per_batch=1)})
    request = PlanRequest(NAME, new_run_id("test"), "2025-01-31", "2025-02-01", ("BTCUSDT",), ("1h",))
    return run_pipeline(request, alone)


def test_a_run_of_as_many_orders_as_airflow_maps_over_is_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "MAX_ORDERS", 2)
    with small_lake(tmp_path) as lake:
        assert plan_two_partitions(lake).failures == []
        assert len(list(Path(lake.settings.lake).glob("runs/*/*/transform-00[01].json"))) == 2


def test_one_order_more_is_refused_before_any_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MAX_ORDERS", 1)
    with small_lake(tmp_path) as lake:
        (failure,) = plan_two_partitions(lake).failures
        assert isinstance(failure.error, InvalidRequest)
        assert f"{NAME}: the run would have 2 transform orders, and may have 1" in str(failure.error)
        assert not list(Path(lake.settings.lake).glob("runs/*/*/*-[0-9]*.json"))


def sizes(lake: SmallLake) -> list[int]:
    orders = sorted(Path(lake.settings.lake).glob("runs/*/*/transform-000.json"), key=lambda path: path.stat().st_mtime)
    return [json.loads(path.read_text(encoding="utf-8"))["bytes"] for path in orders]
