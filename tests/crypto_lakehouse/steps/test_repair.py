"""The repair step mends what a scrub of its run found, and names the runs that bring the rest again."""

from pathlib import Path

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.running import run_alone
from crypto_lakehouse.runs.orders import RepairOrder, ScrubOrder
from crypto_lakehouse.runs.outcomes import RepairOutcome
from crypto_lakehouse.runs.results import Status
from crypto_lakehouse.vocabulary import Step
from tests.crypto_lakehouse.steps.test_scrub import UM, filled, flip
from tests.small_lake import SmallLake


def repair(small: SmallLake, run_id: str) -> RepairOutcome:
    outcome: RepairOutcome = run_alone(Step.REPAIR, RepairOrder(run_id), small.settings).completed()
    return outcome


def test_a_damaged_partition_is_made_again_with_its_bytes(small: SmallLake) -> None:
    filled(small)
    rows = small.lake.scan(UM).collect()
    (record,) = open_catalog(small.settings).partitions(dataset(UM))
    path = Path(small.settings.lake, record.file)
    sound = path.read_bytes()
    flip(path)
    numbers = iter(range(100))
    while True:
        run_id = f"r{next(numbers)}"
        scrubbed = run_alone(Step.SCRUB, ScrubOrder(run_id), small.settings).completed()
        outcome = repair(small, run_id)
        if scrubbed.faults:
            break
    assert (outcome.figures.faults, outcome.figures.faults_mended, outcome.runs) == (1, 1, ())
    assert path.read_bytes() == sound
    assert small.lake.scan(UM).collect().equals(rows)


def test_a_damaged_object_is_noted_and_its_run_is_named(small: SmallLake) -> None:
    filled(small)
    (path,) = Path(small.settings.lake).glob("bronze/*/objects/**/2024-01-09/*.zip")
    path.unlink()
    outcome = repair(small, "r")
    (run,) = outcome.runs
    assert (run.dataset, run.symbols, run.intervals) == (UM, ("BTCUSDT",), ("1h",))
    assert (run.first_day.day, run.last_day.day) == (9, 9)
    assert "ingest" in outcome.left[0].action
    small.run(UM, "2024-01-09", "2024-01-09")
    assert verify(open_catalog(small.settings), small.storage, [dataset(UM)], deep=True) == []


def test_a_whole_lake_needs_no_repair(small: SmallLake) -> None:
    filled(small)
    assert run_alone(Step.REPAIR, RepairOrder("r"), small.settings).status is Status.NOTHING_TO_DO
