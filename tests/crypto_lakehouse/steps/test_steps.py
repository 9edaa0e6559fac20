"""One work order: whatever happens, a result lies beside it, and the log says when it started and how it ended."""

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, PlaceUnusable, ResourcesExhausted
from crypto_lakehouse.exit_codes import EXIT_TRANSIENT
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.running import run_pipeline
from crypto_lakehouse.runs.listing import list_runs
from crypto_lakehouse.runs.orders import PlanRequest, PullOrder, first_order_key, write_order
from crypto_lakehouse.runs.results import Status, read_result
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.telemetry import switched_on
from crypto_lakehouse.vocabulary import Step
from tests.small_lake import SmallLake, put_in_all

UM, DAY = "binance_um_klines", "2024-01-08"
Events = list[dict[str, object]]


def events(capsys: pytest.CaptureFixture[str]) -> Events:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_whole_run_logs_each_step_and_each_partition(small: SmallLake, capsys: pytest.CaptureFixture[str]) -> None:
    small.publish(UM, DAY)
    with switched_on():
        small.run(UM, DAY, DAY)
    found = events(capsys)
    steps = ["plan", "pull", "conform", "gate", "publish", "report"]
    assert [facts["step"] for facts in found if facts["event"] == "step_started"] == steps
    assert [facts["step"] for facts in found if facts["event"] == "step_ended"] == steps
    assert {facts["dataset"] for facts in found} == {UM}
    assert len({facts["run"] for facts in found}) == 1
    assert all(isinstance(facts["seconds"], float) for facts in found if facts["event"] == "step_ended")
    (published,) = [facts for facts in found if facts["event"] == "partition_published"]
    assert (published["rows"], published["condition"]) == (24, "available")
    assert "symbol_key=BTCUSDT" in str(published["partition"])


def test_a_quarantined_partition_is_a_warning(small: SmallLake, capsys: pytest.CaptureFixture[str]) -> None:
    small.publish(UM, DAY, put_in_all(2, "0.01"))
    with switched_on():
        small.run(UM, DAY, DAY)
    (quarantined,) = [facts for facts in events(capsys) if facts["event"] == "partition_quarantined"]
    assert quarantined["level"] == "warning"


def test_no_event_looks_like_a_result_to_the_alarms(small: SmallLake, capsys: pytest.CaptureFixture[str]) -> None:
    small.publish(UM, DAY, put_in_all(2, "0.01"))
    with switched_on():
        small.run(UM, DAY, DAY)
        with pytest.raises(LakehouseError):
            run_step(Step.PULL, f"runs/{UM}/gone/pull-000.json", small.settings)
    found = events(capsys)
    assert found
    assert [facts for facts in found if {"status", "subject", "counts"} & set(facts)] == []


def test_a_step_that_fails_leaves_a_result_and_an_error_in_the_log(
    small: SmallLake, capsys: pytest.CaptureFixture[str]
) -> None:
    key = first_order_key(Step.PLAN, UM, "r")
    write_order(small.storage, key, PlanRequest(UM, "r", "2024-02-30", "2024-03-01"))
    with switched_on(), pytest.raises(InvalidRequest):
        run_step(Step.PLAN, key, small.settings)
    result = read_result(small.storage, key, Step.PLAN)
    assert (result.status, result.outcome) == (Status.FAILED, None)
    assert result.error is not None
    assert (result.error.name, result.error.is_transient, result.error.is_known) == ("InvalidRequest", False, True)
    (failed,) = [facts for facts in events(capsys) if facts["event"] == "step_failed"]
    assert (failed["level"], failed["error"], failed["step"]) == ("error", "InvalidRequest", "plan")


def test_a_foreign_error_leaves_no_text_that_may_quote_a_secret(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from crypto_lakehouse.steps import pull

    def broken(*_: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(pull, "pull_objects", broken)
    key = first_order_key(Step.PULL, UM, "r")
    write_order(small.storage, key, PullOrder(UM, "r", "", ()))
    with switched_on(), pytest.raises(RuntimeError):
        run_step(Step.PULL, key, small.settings)
    err = capsys.readouterr().err
    assert "RuntimeError" in err
    text = LocalStorage(Path(small.settings.lake)).read(key.replace(".json", ".pull.result.json")).decode()
    assert "canary" not in err + text


def test_a_full_disk_is_a_transient_error_in_the_result_with_its_path(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crypto_lakehouse.steps import pull

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/lake/bronze/a")

    monkeypatch.setattr(pull, "pull_objects", full)
    key = first_order_key(Step.PULL, UM, "r")
    write_order(small.storage, key, PullOrder(UM, "r", "", ()))
    with pytest.raises(ResourcesExhausted, match="no space is left for /lake/bronze/a"):
        run_step(Step.PULL, key, small.settings)
    error = read_result(small.storage, key, Step.PULL).error
    assert error is not None
    assert (error.name, error.is_transient, error.is_known) == ("ResourcesExhausted", True, True)
    assert "no space is left for /lake/bronze/a" in error.message


def test_a_full_disk_in_one_batch_leaves_the_other_published_and_is_in_the_report_and_the_history(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crypto_lakehouse.steps import conform

    store, calls = conform.store_candidate, list[object]()

    def full_at_first(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device", "/lake/silver/a")
        return store(*arguments)

    monkeypatch.setattr(conform, "store_candidate", full_at_first)
    days = ("2024-01-31", "2024-02-01")
    for day in days:
        small.publish(UM, day)
    settings = small.settings.model_copy(update={"conform": ConformSettings(partitions_per_batch=1)})
    request = PlanRequest(UM, "r", *days, ("BTCUSDT",), ("1h",))
    summary = run_pipeline(request, settings)
    assert [(failure.step, summary.exit_code) for failure in summary.failures] == [(Step.CONFORM, EXIT_TRANSIENT)]
    assert len(calls) == 2
    assert summary.figures.publish.partitions_published == 1
    (record,) = list_runs(small.storage, UM, 10)
    assert "no space is left for /lake/silver/a" in record.failures[0].reason
    assert b"no space is left for /lake/silver/a" in small.storage.read(record.report_key)
    monkeypatch.undo()
    assert run_pipeline(replace(request, run_id="again"), settings).figures.publish.partitions_published == 1


def test_a_lake_that_takes_no_result_leaves_the_reason_of_the_step(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = first_order_key(Step.PULL, UM, "r")
    write_order(small.storage, key, PullOrder(UM, "r", "", ()))

    def read_only(self: LocalStorage, key: str, *_: object, **__: object) -> bool:
        raise PlaceUnusable(f"{key} cannot be used: Read-only file system")

    monkeypatch.setattr(LocalStorage, "write", read_only)
    with switched_on(), pytest.raises(PlaceUnusable, match=r"pull\.result\.json cannot be used"):
        run_step(Step.PULL, key, small.settings)
    assert [facts["event"] for facts in events(capsys)] == ["step_started", "step_failed", "result_not_written"]


def test_a_step_removes_what_killed_steps_left_behind(small: SmallLake) -> None:
    work, lake = small.settings.work_folder, Path(small.settings.lake)
    assert work is not None
    (work / "lakehouse-pull-killed" / "deep").mkdir(parents=True)
    (lake / "bronze" / UM / ".unfinished").mkdir(parents=True)
    (lake / "bronze" / UM / ".unfinished" / "half").write_bytes(b"x")
    key = first_order_key(Step.PULL, UM, "r")
    write_order(small.storage, key, PullOrder(UM, "r", "", ()))
    run_step(Step.PULL, key, small.settings)
    assert list(work.iterdir()) == []
    assert list(lake.rglob(".unfinished/*")) == []


@pytest.mark.parametrize("key", ["elsewhere/plan.json", "runs/nonsense/r/plan.json", f"runs/{UM}/r/plan.txt", ""])
def test_what_is_no_order_is_refused_and_nothing_is_written(small: SmallLake, key: str) -> None:
    with pytest.raises(InvalidRequest, match="order"):
        run_step(Step.PLAN, key, small.settings)
    assert [stored.key for stored in small.storage.list("") if not stored.key.startswith("catalog")] == []
