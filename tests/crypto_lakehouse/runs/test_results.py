"""Results are files that are read back exactly or refused, each of the type that its verb names."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.errors import ArchiveFileMissing, InvalidRequest
from crypto_lakehouse.lake.faults import Fault, FileKind
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import Candidate, RefusedInput, Verdict
from crypto_lakehouse.runs.codec import from_json, sealed, to_json, unsealed
from crypto_lakehouse.runs.figures import (
    BuildFigures,
    CollectFigures,
    ConformFigures,
    DeltaFigures,
    GapsFigures,
    GateFigures,
    InstrumentsFigures,
    PlanFigures,
    PublishFigures,
    PullFigures,
    RepairFigures,
    RunFigures,
    ScrubFigures,
)
from crypto_lakehouse.runs.outcomes import (
    OUTCOME_TYPES,
    BuildOutcome,
    CollectOutcome,
    ConformOutcome,
    DeltaOutcome,
    GapsOutcome,
    GateOutcome,
    InstrumentsOutcome,
    Outcome,
    PartitionWithoutRows,
    PlanOutcome,
    PublishOutcome,
    PullOutcome,
    Reach,
    RepairOutcome,
    ReportOutcome,
    ScrubOutcome,
)
from crypto_lakehouse.runs.results import (
    Status,
    StepError,
    StepResult,
    read_outcome,
    read_result,
    result_key,
    write_result,
)
from crypto_lakehouse.verbs import VERBS
from crypto_lakehouse.vocabulary import Condition, Step

KEY = "runs/binance_um_klines/run-1/transform-000.json"
AT = datetime(2025, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)
FAULT = Fault(FileKind.PUBLISHED, "d", "p", "silver/d/p/version=0/data.parquet", "is missing", "Run it again")
CANDIDATE = Candidate("d", "p", "l", "f", "0" * 64, 10, 3, "digest", AT, None)
OUTCOMES: dict[Step, Outcome] = {
    Step.PLAN: PlanOutcome(PlanFigures(partitions=2), {"pull": ("a", "b"), "transform": ()}),
    Step.PULL: PullOutcome(PullFigures(objects=1)),
    Step.DELTA: DeltaOutcome(DeltaFigures(spans=1)),
    Step.CONFORM: ConformOutcome(
        ConformFigures(candidates=1),
        (CANDIDATE,),
        (RefusedInput("k", "s", "SchemaDrift", "币"),),
        (PartitionWithoutRows("q", "digest", ("why",)),),
    ),
    Step.BUILD: BuildOutcome(BuildFigures(candidates_built=1), (CANDIDATE,), (PartitionWithoutRows("q", "digest"),)),
    Step.GATE: GateOutcome(GateFigures(1), (Verdict(CANDIDATE, Condition.DEGRADED, ("a hole",)),), "docs", "folder"),
    Step.PUBLISH: PublishOutcome(PublishFigures(1, 3)),
    Step.REPORT: ReportOutcome(RunFigures(pull=PullFigures(objects=1)), "file:///report.html"),
    Step.GAPS: GapsOutcome(
        GapsFigures(datasets=1, symbols=1), (Fill("d", ("BTCUSDT",), (), date(2025, 1, 1), date(2025, 1, 2)),)
    ),
    Step.INSTRUMENTS: InstrumentsOutcome(InstrumentsFigures(added=1), is_new_version=True),
    Step.SCRUB: ScrubOutcome(ScrubFigures(files_read=1), (FAULT,)),
    Step.REPAIR: RepairOutcome(
        RepairFigures(faults=1), (FAULT,), (Fill("d", ("BTCUSDT",), (), date(2025, 1, 1), date(2025, 1, 2)),)
    ),
    Step.COLLECT: CollectOutcome(CollectFigures(versions=1), (Reach("d", datetime(2025, 1, 1, tzinfo=UTC)),)),
}
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
BOUNDS = datetime(2017, 1, 1), datetime(2035, 1, 1)  # noqa: DTZ001  Hypothesis takes no other
times = st.none() | st.datetimes(*BOUNDS, timezones=st.just(UTC))
candidates = st.builds(
    Candidate, partition=texts, first_time=times, last_time=times, bytes=st.integers(0), rows=st.integers(0)
)
verdicts = st.builds(Verdict, candidate=candidates, reasons=st.lists(texts).map(tuple))
every_step = pytest.mark.parametrize("step", Step)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    """An empty lake."""
    return LocalStorage(tmp_path)


def result_of(step: Step, **facts: Any) -> StepResult[Any]:
    outcome = OUTCOMES[step]
    return StepResult(step, "d", "r", **{"status": Status.SUCCEEDED, "started_at": AT, "outcome": outcome, **facts})


def test_every_verb_names_a_type_of_outcome_of_its_own() -> None:
    assert [OUTCOME_TYPES[verb.result] for verb in VERBS] == [type(OUTCOMES[verb.step]) for verb in VERBS]
    assert len({verb.result for verb in VERBS}) == len(VERBS) == len(OUTCOME_TYPES)


@every_step
def test_a_result_lies_beside_its_order_and_comes_back_as_it_was_written(storage: LocalStorage, step: Step) -> None:
    result = result_of(step, seconds=0.5)
    write_result(storage, KEY, result)
    assert storage.exists(f"runs/binance_um_klines/run-1/transform-000.{step}.result.json")
    assert read_result(storage, KEY, step) == result
    assert read_outcome(storage, KEY, type(OUTCOMES[step])) == OUTCOMES[step]


@given(verdicts)
def test_verdicts_survive_json_whatever_their_texts_and_times(verdict: Verdict) -> None:
    outcome = GateOutcome(GateFigures(), (verdict,))
    assert from_json(GateOutcome, to_json(GateOutcome, outcome), "key") == outcome


@given(candidates)
def test_candidates_survive_json_whatever_their_texts_and_times(candidate: Candidate) -> None:
    outcome = ConformOutcome(ConformFigures(), (candidate,))
    assert from_json(ConformOutcome, to_json(ConformOutcome, outcome), "key") == outcome


@every_step
def test_a_failed_step_has_no_outcome_to_go_on_with(storage: LocalStorage, step: Step) -> None:
    failed = result_of(step, status=Status.FAILED, outcome=None, error=StepError("X", "why"))
    write_result(storage, KEY, failed)
    assert read_result(storage, KEY, step) == failed
    assert failed.counts() == {}
    with pytest.raises(InvalidRequest, match=f"{step} of run r failed"):
        read_outcome(storage, KEY, type(OUTCOMES[step]))


def test_a_step_without_a_result_has_not_finished(storage: LocalStorage) -> None:
    with pytest.raises(ArchiveFileMissing):
        read_result(storage, KEY, Step.PLAN)


def test_the_result_of_another_verb_is_refused(storage: LocalStorage) -> None:
    write_result(storage, KEY, result_of(Step.PULL))
    storage.write(result_key(KEY, Step.GATE), storage.read(result_key(KEY, Step.PULL)))
    with pytest.raises(InvalidRequest, match="is not a"):
        read_result(storage, KEY, Step.GATE)


@pytest.mark.parametrize(
    "change",
    [{"surprise": 1}, {"status": "well"}, {"seconds": "1"}, {"step": "dance"}, {"outcome": {"figures": {"rows": 1}}}],
)
def test_a_result_with_a_value_that_no_step_writes_is_refused(storage: LocalStorage, change: dict[str, Any]) -> None:
    write_result(storage, KEY, result_of(Step.PULL))
    raw = json.loads(unsealed(storage.read(result_key(KEY, Step.PULL)), KEY))
    storage.write(result_key(KEY, Step.PULL), sealed(json.dumps({**raw, **change}).encode()))
    with pytest.raises(InvalidRequest, match="is not a"):
        read_result(storage, KEY, Step.PULL)


@every_step
def test_the_summary_is_json_and_has_the_figures_alone(step: Step) -> None:
    summary = json.loads(json.dumps(result_of(step).summary()))
    assert (summary["step"], summary["subject"], summary["status"]) == (step, "d", "succeeded")
    assert all(type(count) is int for count in summary["counts"].values())
    assert ("orders" in summary) == (step is Step.PLAN)
    # An alarm tells a run without a failed step by it.
    assert summary.get("steps_failed") == (0 if step is Step.REPORT else None)


def test_a_step_is_idle_where_it_had_nothing_to_do() -> None:
    assert PlanOutcome(PlanFigures(), {"pull": (), "transform": ()}).is_idle
    assert ConformOutcome(ConformFigures(unchanged=3)).is_idle
    assert BuildOutcome(BuildFigures(partitions_current=3)).is_idle
    assert GateOutcome(GateFigures()).is_idle
    assert GapsOutcome(GapsFigures()).is_idle
    assert InstrumentsOutcome(InstrumentsFigures(), is_new_version=False).is_idle
    assert not any(outcome.is_idle for outcome in OUTCOMES.values())


def test_results_of_different_steps_never_share_a_file() -> None:
    assert len({result_key(KEY, step) for step in Step}) == len(Step)
