"""The gate step gives each partition of a batch a verdict, and keeps the evidence."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.records import Candidate
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.lake.versions import verify_candidate
from crypto_lakehouse.marts import table as table_of_name
from crypto_lakehouse.progress import Progress
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.runs.outcomes import GateOutcome
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Table
from crypto_lakehouse.steps import gate as gate_step
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.gate import evidence_folder
from crypto_lakehouse.vocabulary import Condition, Step
from tests.crypto_lakehouse.steps.batches import FIRST, UM, planned
from tests.hourly_mart import HOURLY_MART, KLINES, METRICS, registered
from tests.small_lake import Change, SmallLake, dropped, put_in_all


def test_a_sound_candidate_is_available_and_has_its_evidence(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    outcome: GateOutcome = batch.run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    assert [verdict.condition for verdict in outcome.verdicts] == [Condition.AVAILABLE]
    assert outcome.coverage == evidence_folder(batch.key(Step.GATE))
    assert outcome.coverage.startswith(f"quality/{UM}/")
    assert small.storage.exists(outcome.docs)


@pytest.mark.parametrize(
    ("change", "condition"),
    [(dropped(5, 8), Condition.DEGRADED), (put_in_all(2, "0.01"), Condition.QUARANTINED)],
)
def test_figures_and_verdicts_agree(small: SmallLake, change: Change, condition: Condition) -> None:
    small.publish(UM, FIRST, change)
    outcome: GateOutcome = planned(small).run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    (verdict,) = outcome.verdicts
    assert verdict.condition is condition
    assert verdict.reasons
    assert outcome.figures.counts()[f"partitions_{condition}"] == sum(outcome.figures.counts().values()) == 1


def test_a_partition_of_refused_objects_is_quarantined_without_a_file(small: SmallLake) -> None:
    small.publish(UM, FIRST, put_in_all(2, "what"))
    outcome: GateOutcome = planned(small).run(Step.PULL, Step.CONFORM, Step.GATE).completed()
    (verdict,) = outcome.verdicts
    assert (verdict.condition, verdict.candidate.file) == (Condition.QUARANTINED, "")
    assert (outcome.docs, outcome.coverage) == ("", "")


def test_there_is_no_gate_before_conform(small: SmallLake) -> None:
    small.publish(UM, FIRST)
    batch = planned(small)
    with pytest.raises(ArchiveFileMissing, match="conform"):
        batch.run(Step.GATE)


MONTHS = ("2024-01-31", "2024-02-01")


def spoiled(fault: str, path: Path) -> None:
    data = path.read_bytes()
    path.unlink()
    if fault != "gone":
        path.write_bytes(data[:-1] if fault == "cut" else data[:100] + bytes([data[100] ^ 1]) + data[101:])


def run_with_damage(
    small: SmallLake, table: Table, fault: str, pattern: str = "**/*2024-01/**/data.parquet"
) -> RunSummary:
    """Runs both months of a table, and damages candidates between the step that makes them and the gate."""
    folder = Path(small.settings.lake) / table.layer / table.name
    fired: list[Path] = []

    def step(verb: Step, key: str, settings: Settings, progress: Progress) -> StepResult[Any]:
        if verb is Step.GATE:
            fired.extend(folder.glob(pattern))
            for path in fired:
                spoiled(fault, path)
        return run_step(verb, key, settings, progress)

    intervals = ("1h",) if table.name == UM else ()
    request = PlanRequest(table.name, new_run_id("test"), *MONTHS, ("BTCUSDT",), intervals, delta=False)
    summary = run_pipeline(request, small.settings, step=step)
    assert fired, "the injector fired"
    return summary


def published(small: SmallLake, table: Table) -> list[str]:
    return [record.partition for record in open_catalog(small.settings).partitions(table)]


@pytest.fixture(params=[UM, HOURLY_MART.name])
def table(request: pytest.FixtureRequest, small: SmallLake) -> Iterator[Table]:
    """A dataset, or a mart with its inputs published, of which two months are to be made."""
    with registered():
        for name in (KLINES, METRICS):
            for day in MONTHS:
                small.publish(name, day)
            if request.param != UM:
                small.run(name, *MONTHS)
        yield table_of_name(request.param)


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        *((UM, fault) for fault in ("gone", "flipped", "cut")),
        (HOURLY_MART.name, "gone"),
        # The gate reads candidates of a mart back by the same lines.
        *(pytest.param(HOURLY_MART.name, fault, marks=pytest.mark.slow) for fault in ("flipped", "cut")),
    ],
    indirect=["table"],
)
def test_a_candidate_damaged_before_the_gate_costs_its_partition_only(
    fault: str, table: Table, small: SmallLake
) -> None:
    summary = run_with_damage(small, table, fault)
    assert summary.exit_code == 65
    (failure,) = [failure for failure in summary.failures if failure.step is not Step.REPORT]
    assert failure.step is Step.PUBLISH
    assert re.search(rf"{table.name} .*2024-01: .* (is gone|has sha256|has \d+ bytes)", str(failure.error))
    (gated,) = [result.outcome for result in summary.results if result.step is Step.GATE]
    assert [each.partition[-7:] for each in gated.damaged] == ["2024-01"]
    (left,) = published(small, table)
    assert left.endswith("2024-02")
    assert set(VerdictLog(small.storage).latest(table)) == {left}
    run = PlanRequest(table.name, new_run_id("test"), *MONTHS, delta=False)
    assert run_pipeline(run, small.settings).exit_code == 0
    assert len(published(small, table)) == 2


def test_a_batch_of_damaged_candidates_alone_fails_too(table: Table, small: SmallLake) -> None:
    summary = run_with_damage(small, table, "gone", "**/data.parquet")
    assert summary.exit_code == 65
    assert Step.PUBLISH in [failure.step for failure in summary.failures]
    assert published(small, table) == []


def test_control_a_gate_that_stops_at_the_first_damage_publishes_nothing(
    table: Table, small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopping(context: StepContext, candidates: Sequence[Candidate]) -> Any:
        return [(each, verify_candidate(context.storage, each, context.work_folder)) for each in candidates], []

    monkeypatch.setattr(gate_step, "_read_back", stopping)
    assert run_with_damage(small, table, "flipped").exit_code == 65
    assert published(small, table) == []
