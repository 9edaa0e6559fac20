"""A run in this process goes the way a DAG goes, and says what came of each step."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse import running
from crypto_lakehouse.errors import (
    MissingExtra,
    PermanentError,
    PlaceUnusable,
    ResourcesExhausted,
    SourceUnavailable,
)
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.progress import Progress
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.figures import (
    ConformFigures,
    GateFigures,
    PlanFigures,
    PublishFigures,
    PullFigures,
    RunFigures,
)
from crypto_lakehouse.runs.orders import PlanRequest, read_order
from crypto_lakehouse.runs.outcomes import (
    ConformOutcome,
    GateOutcome,
    Outcome,
    PartitionWithoutRows,
    PlanOutcome,
    PublishOutcome,
    PullOutcome,
    ReportOutcome,
)
from crypto_lakehouse.runs.results import Status, StepResult
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.vocabulary import Step

REQUEST = PlanRequest("binance_um_klines", "test", "2024-12-01", "2025-01-31", ("BTCUSDT",), ("1h",))
TWO_BATCHES = {"pull": ("pull-000", "pull-001"), "transform": ("transform-000", "transform-001")}


class FakeSteps:
    """Carries out nothing; remembers what it was asked and fails where it is told to."""

    def __init__(
        self,
        orders: dict[str, tuple[str, ...]] | None = None,
        failures: dict[tuple[Step, str], Exception] | None = None,
        quarantined: int = 0,
    ) -> None:
        self.calls: list[str] = []
        self._orders = TWO_BATCHES if orders is None else orders
        self._failures = failures or {}
        self._quarantined = quarantined

    def __call__(self, step: Step, key: str, settings: Settings, progress: Progress) -> StepResult[Any]:
        name = key.rpartition("/")[2].removesuffix(".json")
        self.calls.append(f"{step} {name}")
        if (step, name) in self._failures:
            raise self._failures[step, name]
        outcome = self._outcome(step)
        status = Status.NOTHING_TO_DO if outcome.is_idle else Status.SUCCEEDED
        return StepResult(step, "binance_um_klines", "test", status, datetime.now(UTC), 0.1, outcome)

    def _outcome(self, step: Step) -> Outcome:
        outcomes: dict[Step, Outcome] = {
            Step.PLAN: PlanOutcome(PlanFigures(), self._orders),
            Step.PULL: PullOutcome(PullFigures(objects=10)),
            Step.CONFORM: ConformOutcome(ConformFigures(rows=10), without_rows=(PartitionWithoutRows("p", "d"),)),
            Step.GATE: GateOutcome(GateFigures(partitions_quarantined=self._quarantined)),
            Step.PUBLISH: PublishOutcome(PublishFigures()),
            Step.REPORT: ReportOutcome(RunFigures(), "report.html"),
        }
        return outcomes[step]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment whose lake is a fresh folder."""
    return Settings(lake=str(tmp_path))


def test_a_run_writes_its_order_and_goes_from_plan_to_report_batch_by_batch(settings: Settings) -> None:
    steps = FakeSteps()
    summary = run_pipeline(REQUEST, settings, step=steps)
    assert read_order(LocalStorage(Path(settings.lake)), summary.order_key, PlanRequest) == REQUEST
    assert steps.calls == [
        "plan plan",
        "pull pull-000",
        "pull pull-001",
        "conform transform-000",
        "gate transform-000",
        "publish transform-000",
        "conform transform-001",
        "gate transform-001",
        "publish transform-001",
        "report plan",
    ]
    assert (summary.status, summary.failures, summary.report) == ("succeeded", [], "report.html")
    assert summary.figures.conform.rows == 20
    assert summary.counts()["pull"]["objects"] == 20
    assert "report" not in summary.counts()


def test_where_nothing_is_to_be_done_only_plan_and_report_run(settings: Settings) -> None:
    steps = FakeSteps(orders={})
    assert run_pipeline(REQUEST, settings, step=steps).status == "nothing_to_do"
    assert steps.calls == ["plan plan", "report plan"]


def test_after_a_failed_plan_nothing_else_runs(settings: Settings) -> None:
    fault = SourceUnavailable("the bucket did not answer")
    steps = FakeSteps(failures={(Step.PLAN, "plan"): fault})
    summary = run_pipeline(REQUEST, settings, step=steps)
    assert steps.calls == ["plan plan"]
    assert (summary.status, summary.failures[0].error) == ("failed", fault)


def test_a_failed_pull_lets_the_other_pulls_finish_and_builds_nothing(settings: Settings) -> None:
    steps = FakeSteps(failures={(Step.PULL, "pull-000"): SourceUnavailable("reset")})
    summary = run_pipeline(REQUEST, settings, step=steps)
    assert steps.calls == ["plan plan", "pull pull-000", "pull pull-001", "report plan"]
    assert summary.status == "failed"


@pytest.mark.parametrize(("step", "last"), [(Step.CONFORM, "conform"), (Step.GATE, "gate"), (Step.PUBLISH, "publish")])
def test_a_failed_batch_ends_there_and_the_next_goes_on(settings: Settings, step: Step, last: str) -> None:
    steps = FakeSteps(failures={(step, "transform-000"): PermanentError("broken")})
    summary = run_pipeline(REQUEST, settings, step=steps)
    first = [call for call in steps.calls if call.endswith("transform-000")]
    assert first[-1] == f"{last} transform-000"
    assert "publish transform-001" in steps.calls
    assert [(one.step, one.order_key) for one in summary.failures] == [(step, "transform-000")]


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ((SourceUnavailable("reset"),), 75),
        ((ResourcesExhausted("no space is left"), SourceUnavailable("reset")), 75),
        ((SourceUnavailable("reset"), PlaceUnusable("read-only")), 65),
        ((PermanentError("broken"), ZeroDivisionError()), 70),
    ],
    ids=["transient", "two transient", "a permanent one among them", "a bug among them"],
)
def test_any_error_of_a_batch_ends_that_batch_alone_and_the_worst_decides_on_the_code(
    settings: Settings, errors: tuple[Exception, ...], code: int
) -> None:
    stems = [f"transform-{number:03}" for number in range(len(errors) + 1)]
    failures = {(Step.CONFORM, stem): error for stem, error in zip(stems, errors, strict=False)}
    steps = FakeSteps({"transform": tuple(stems)}, failures)
    summary = run_pipeline(REQUEST, settings, step=steps)
    assert f"publish {stems[-1]}" in steps.calls
    assert steps.calls[-1] == "report plan"
    assert [failure.error for failure in summary.failures] == list(errors)
    assert summary.exit_code == code


def test_a_report_that_fails_alone_decides_on_the_code(settings: Settings) -> None:
    steps = FakeSteps(failures={(Step.REPORT, "plan"): ResourcesExhausted("no space is left")})
    assert run_pipeline(REQUEST, settings, step=steps).exit_code == 75


def test_a_run_that_the_gate_refused_something_of_says_so(settings: Settings) -> None:
    assert run_pipeline(REQUEST, settings, step=FakeSteps(quarantined=1)).status == "quarantined"


def test_progress_counts_the_orders_of_each_stage(settings: Settings) -> None:
    heard: list[tuple[str, int, int]] = []
    listener: Callable[[str, int, int], None] = lambda *said: heard.append(said)  # noqa: E731
    run_pipeline(REQUEST, settings, listener, step=FakeSteps())
    assert ("pull orders", 2, 2) in heard
    assert ("transform orders", 0, 2) in heard


def test_no_two_runs_have_one_id() -> None:
    assert len({new_run_id("cli") for _ in range(100)}) == 100


@pytest.mark.parametrize(
    ("changes", "unused"),
    [({}, set()), ({"pull": False}, set()), ({"delta": False}, {"exchange"})],
    ids=["everything", "without a pull", "without a delta"],
)
def test_a_run_checks_the_extras_of_its_verbs_before_it_writes_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, bool], unused: set[str]
) -> None:
    checked: set[str] = set()

    def refuse(*extras: str) -> None:
        checked.update(extras)
        raise MissingExtra("not installed: one")

    monkeypatch.setattr(running, "require", refuse)
    settings = Settings(lake=str(tmp_path / "lake"), exchange=ExchangeSettings(enabled=True))
    steps = FakeSteps()
    with pytest.raises(MissingExtra):
        run_pipeline(replace(REQUEST, **changes), settings, step=steps)
    # The plan lists the archive, so that its extra is needed without a pull too.
    assert checked == {"pull", "exchange", "conform", "gate", "reports"} - unused
    assert steps.calls == []
    assert not (tmp_path / "lake").exists()
