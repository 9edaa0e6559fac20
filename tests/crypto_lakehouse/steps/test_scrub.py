"""A scrub reads each stored file once in its period, goes on where the last one ended, and names what is damaged."""

from pathlib import Path

import pytest

from crypto_lakehouse.errors import ObjectArchived
from crypto_lakehouse.lake.faults import FileKind
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.maintenance import scrubbing
from crypto_lakehouse.running import run_alone
from crypto_lakehouse.runs.orders import ScrubOrder
from crypto_lakehouse.runs.outcomes import ScrubOutcome
from crypto_lakehouse.settings import MaintenanceSettings
from crypto_lakehouse.vocabulary import Step
from tests.small_lake import SmallLake, dropped

UM = "binance_um_klines"


def filled(small: SmallLake) -> None:
    """Publishes four days, one of them twice."""
    for day in range(8, 12):
        small.publish(UM, f"2024-01-{day:02}")
    small.run(UM, "2024-01-08", "2024-01-11")
    small.publish(UM, "2024-01-08", dropped(3, 4))
    small.run(UM, "2024-01-08", "2024-01-11")


def scrub(small: SmallLake, number: int) -> ScrubOutcome:
    outcome: ScrubOutcome = run_alone(Step.SCRUB, ScrubOrder(f"r{number}"), small.settings).completed()
    return outcome


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_each_file_is_read_once_in_a_round(small: SmallLake, monkeypatch: object) -> None:
    filled(small)
    read: list[str] = []
    original = scrubbing.stored_sha256

    def noted(storage: Storage, key: str, folder: Path) -> str:
        read.append(key)
        return original(storage, key, folder)

    monkeypatch.setattr(scrubbing, "stored_sha256", noted)  # type: ignore[attr-defined]
    outcomes = []
    while not outcomes or not outcomes[-1].figures.rounds_ended:
        outcomes.append(scrub(small, len(outcomes)))
    files = outcomes[0].figures.files_stored
    assert files == 7, "five objects and two versions"
    assert sorted(read) == sorted(set(read))
    assert len(read) == files
    assert len(outcomes) > 2, "one run reads a part"
    assert all(outcome.faults == () for outcome in outcomes)
    first = read[0]
    scrub(small, 100)
    assert read[files] == first, "the next round starts with the first file"


def test_damage_of_every_stored_kind_is_named(small: SmallLake) -> None:
    filled(small)
    root = Path(small.settings.lake)
    for path in (*root.glob("bronze/**/*.zip"), *root.glob("silver/**/*.parquet")):
        flip(path)
    kinds: list[str] = []
    number = 0
    while True:
        outcome = scrub(small, number)
        kinds += [fault.kind for fault in outcome.faults]
        number += 1
        if outcome.figures.rounds_ended:
            break
    assert sorted(kinds) == sorted([*[FileKind.BRONZE_OBJECT] * 4, *[FileKind.FORMER] * 2, FileKind.PUBLISHED]), (
        "the replaced object and the former version are of no newest one"
    )


def test_objects_in_an_archive_tier_do_not_end_the_scrub(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(small)
    original, refused = scrubbing.stored_sha256, []

    def archived(storage: Storage, key: str, folder: Path) -> str:
        if key.startswith("bronze/"):
            refused.append(key)
            raise ObjectArchived("lies in an archive tier", "Restore it")
        return original(storage, key, folder)

    monkeypatch.setattr(scrubbing, "stored_sha256", archived)
    everything = small.settings.model_copy(update={"maintenance": MaintenanceSettings(scrub_days=7)})
    outcome = run_alone(Step.SCRUB, ScrubOrder("r"), everything).completed()
    assert len(refused) == 5
    assert (outcome.figures.rounds_ended, outcome.faults) == (1, ())


def test_a_scrub_of_an_empty_lake_has_nothing_to_do(small: SmallLake) -> None:
    outcome = scrub(small, 0)
    assert outcome.is_idle
    assert outcome.figures.rounds_ended == 0


def test_a_place_that_cannot_be_read_costs_nothing(small: SmallLake) -> None:
    filled(small)
    small.storage.write(scrubbing.PLACE, b"\x00")
    assert scrub(small, 0).figures.files_read > 0
