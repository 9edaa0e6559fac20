"""Every flipped bit, cut and loss in a lake is noticed, and a repair ends as docs/maintenance.md states."""

import random
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.healing import Healed, heal
from crypto_lakehouse.instruments.days import ArchiveDays, DaySpan
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.instruments.master import build_instruments
from crypto_lakehouse.lake import versions
from crypto_lakehouse.lake.faults import Fault, FileKind
from crypto_lakehouse.maintenance import objects, published
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Market
from tests.hourly_mart import HOURLY_MART, KLINES, METRICS, registered
from tests.small_lake import SmallLake, dropped, small_lake

DAYS = ("2024-01-30", "2024-01-31", "2024-02-01")
KINDS: dict[str, str] = {
    "bronze object": "bronze/*/objects/**/*.zip",
    "bronze log": "bronze/*/log/*",
    "silver version": "silver/**/*.parquet",
    "gold version": "gold/**/*.parquet",
    "verdict log": "*/*/verdicts/*",
    "coverage log": "coverage/*/*",
    "instrument log": "instruments/*/*/*",
    "log of runs": "runs/*/log/*",
    "catalog": "catalog/catalog.sqlite",
    "order or result": "runs/*/*/*.json",
    "evidence": "quality/**/*.*",
}
"""The kinds of files of the table, each with the place of its files."""


@dataclass(frozen=True)
class Damage:
    """What happens to a file."""

    name: str
    do: Callable[[Path, random.Random], None]


def flip(path: Path, dice: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    path.write_bytes(bytes(data))


def cut(path: Path, dice: random.Random) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: dice.randrange(len(data))])


def lose(path: Path, _: random.Random) -> None:
    path.unlink()


DAMAGES = (Damage("flip", flip), Damage("cut", cut), Damage("lose", lose))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    """A lake with two datasets, a mart of both, a replaced object, and an instrument master."""
    with small_lake(tmp_path_factory.mktemp("filled")) as lake, registered():
        for day in DAYS:
            lake.publish(KLINES, day)
            lake.publish(METRICS, day)
        lake.run(KLINES, DAYS[0], DAYS[-1])
        lake.publish(KLINES, DAYS[0], dropped(5, 6))
        lake.run(KLINES, DAYS[0], DAYS[-1])
        lake.run(METRICS, DAYS[0], DAYS[-1])
        run_pipeline(PlanRequest(HOURLY_MART.name, new_run_id("test"), DAYS[0], DAYS[-1]), lake.settings)
        days = [ArchiveDays("BTCUSDT", (DaySpan(date(2020, 1, 1), date(2024, 2, 1)),))]
        at = datetime(2024, 2, 2, tzinfo=UTC)
        InstrumentLog(lake.storage).append(Market.UM, build_instruments(Market.UM, days, []), at)
        yield lake


@pytest.fixture
def copies(filled: SmallLake, tmp_path: Path) -> Iterator[Callable[[], SmallLake]]:
    """Makes copies of that lake."""
    numbers = iter(range(10_000))

    def copy() -> SmallLake:
        folder = tmp_path / f"{next(numbers)}"
        shutil.copytree(filled.settings.lake, folder / "lake")
        changes = {"lake": str(folder / "lake"), "work_folder": folder / "work"}
        (folder / "work").mkdir()
        return replace(filled, settings=filled.settings.model_copy(update=changes))

    with registered():
        yield copy


def tables() -> tuple[Table, ...]:
    return dataset(KLINES), dataset(METRICS), HOURLY_MART


def files_of(small: SmallLake, kind: str) -> list[Path]:
    return sorted(path for path in Path(small.settings.lake).glob(KINDS[kind]) if path.is_file())


def answers(small: SmallLake) -> dict[str, pl.DataFrame]:
    """Returns what readers get of each table."""
    keys = {KLINES: "open_time", METRICS: "period_start", HOURLY_MART.name: "open_time"}
    return {name: small.lake.scan(name).collect().sort(key) for name, key in keys.items()}


def catalog_rows(small: SmallLake) -> list[object]:
    """Returns what the catalog lets readers see; the count of publications is its own business."""
    catalog = open_catalog(small.settings)
    return [replace(entry, generation=0) for table in tables() for entry in catalog.partitions(table)]


def faults_of(small: SmallLake, *, deep: bool = True) -> list[Fault]:
    return verify(open_catalog(small.settings), small.storage, tables(), deep=deep)


def is_noticed(small: SmallLake, *, deep: bool = True) -> bool:
    return bool(faults_of(small, deep=deep))


def harmless(small: SmallLake, kind: str, sound: list[object]) -> bool:
    """Returns whether damage changes nothing: SQLite has bytes that nothing uses."""
    try:
        return kind == "catalog" and catalog_rows(small) == sound
    except Exception:
        return False


def flips(copies: Callable[[], SmallLake], count: int, seed: int) -> dict[str, int]:
    """Flips bits over all kinds, one in each copy. Returns how many were not noticed, by kind."""
    dice, unnoticed = random.Random(seed), defaultdict(int)
    small = copies()
    sound = catalog_rows(small)
    assert not is_noticed(small), "the control: the lake is sound before"
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        path = dice.choice(files_of(small, kind))
        before = path.read_bytes()
        flip(path, dice)
        assert path.read_bytes() != before, "the injector fired"
        if not is_noticed(small) and not harmless(small, kind, sound):
            unnoticed[f"{kind}: {path.relative_to(small.settings.lake)}"] += 1
        path.write_bytes(before)
    return dict(unnoticed)


def test_every_flipped_bit_is_noticed(copies: Callable[[], SmallLake]) -> None:
    assert flips(copies, 4 * len(KINDS), seed=20_241) == {}


@pytest.mark.slow
def test_every_flipped_bit_of_a_thousand_is_noticed(copies: Callable[[], SmallLake]) -> None:
    assert flips(copies, 1_000, seed=20_242) == {}


def test_without_digests_flipped_bits_are_not_noticed(
    copies: Callable[[], SmallLake], monkeypatch: pytest.MonkeyPatch
) -> None:
    def believed(_storage: object, key: str, _folder: object) -> str:
        return key.rpartition("version=")[2].partition("/")[0]

    monkeypatch.setattr(published, "_fault", lambda *_, **__: "")
    monkeypatch.setattr(published, "stored_sha256", believed)
    monkeypatch.setattr(objects, "_fault", lambda *_, **__: "")
    monkeypatch.setattr(objects, "wrong_name", lambda *_: False)
    unnoticed = flips(copies, 2 * len(KINDS), seed=20_241)
    assert {kind.partition(":")[0] for kind in unnoticed} >= {"bronze object", "silver version", "gold version"}
    assert versions.stored_sha256 is not believed


@pytest.mark.parametrize(
    "damage", [Damage("flip", flip), Damage("cut", cut), Damage("lose", lose)], ids=lambda d: d.name
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_repair_ends_in_the_stated_state(copies: Callable[[], SmallLake], kind: str, damage: Damage) -> None:
    small, dice = copies(), random.Random(f"{kind} {damage.name}")
    sound, rows = answers(small), catalog_rows(small)
    path = dice.choice(files_of(small, kind))
    damage.do(path, dice)
    faults = faults_of(small)
    noticed = bool(faults)
    # These leave no trace: a newest commit with nothing that refers to it, and a file of a run of long ago.
    is_traceless = damage.name == "lose" and kind in {"instrument log", "log of runs", "order or result", "evidence"}
    assert noticed or harmless(small, kind, rows) or is_traceless
    # As the faults say: a repair without --deep finds nothing to mend where only bytes show the damage.
    deep = not noticed or any("--deep" in fault.action for fault in faults)
    healed: Healed = heal(small.settings, tables(), deep=deep, repair=True)
    assert healed.failures == ()
    assert not is_noticed(small)
    assert [str(fault) for fault in healed.left] == []
    assert bool(healed.healed) == noticed
    after = answers(small)
    for name, frame in sound.items():
        assert after[name].equals(frame), f"{name} is as it was before {damage.name} of {path}"


LOSSES = {
    "verdict logs": ("silver/*/verdicts", "gold/*/verdicts"),
    "catalog": ("catalog",),
    "catalog and verdict logs": ("catalog", "silver/*/verdicts", "gold/*/verdicts"),
    "catalog, verdict logs and runs": ("catalog", "silver/*/verdicts", "gold/*/verdicts", "runs"),
    "Bronze logs": ("bronze/*/log", "bronze/*/quarantine"),
    "coverage logs": ("coverage/*",),
    "Silver": ("silver/*/symbol_key=*", "silver/*/kline_interval=*"),
    "Gold": ("gold/*/symbol_key=*",),
    "objects": ("bronze/*/objects",),
}


@pytest.mark.parametrize("folders", LOSSES.values(), ids=LOSSES)
def test_a_lost_folder_is_noticed_and_made_again(copies: Callable[[], SmallLake], folders: tuple[str, ...]) -> None:
    small = copies()
    sound = answers(small)
    lost = [path for folder in folders for path in Path(small.settings.lake).glob(folder)]
    for path in lost:
        shutil.rmtree(path)
    assert lost
    assert is_noticed(small, deep=False), "a quick verification walks the lake, and not only the catalog"
    healed = heal(small.settings, tables(), deep=True, repair=True)
    assert [str(fault) for fault in healed.left] == []
    after = answers(small)
    for name, frame in sound.items():
        assert after[name].equals(frame), name


def test_a_damaged_catalog_is_set_aside_and_kept(copies: Callable[[], SmallLake]) -> None:
    small = copies()
    file = Path(small.settings.lake, "catalog", "catalog.sqlite")
    file.write_bytes(b"no database at all" * 100)
    before = file.read_bytes()
    with pytest.raises(CorruptObject, match="is damaged"):
        small.lake.tables()
    rebuilt = rebuild(open_catalog(small.settings), small.storage, [dataset(KLINES)])
    assert Path(rebuilt.set_aside).read_bytes() == before
    assert set(rebuilt.tables) > {KLINES, METRICS, HOURLY_MART.name}, "all tables are in the one file"
    assert not is_noticed(small)


def test_a_rebuild_forgets_nothing_unless_it_is_told_to(copies: Callable[[], SmallLake]) -> None:
    small = copies()
    rows = catalog_rows(small)
    for path in Path(small.settings.lake).glob("*/*/verdicts"):
        shutil.rmtree(path)
    kept = rebuild(open_catalog(small.settings), small.storage, tables())
    assert catalog_rows(small) == rows
    assert sum(len(table.without_verdict) for table in kept.tables.values()) == len(rows)
    forgotten = rebuild(open_catalog(small.settings), small.storage, tables(), forget=True)
    assert sum(len(table.forgotten) for table in forgotten.tables.values()) == len(rows)
    assert catalog_rows(small) == []


def test_all_kinds_are_there(filled: SmallLake) -> None:
    assert {kind: bool(files_of(filled, kind)) for kind in KINDS} == dict.fromkeys(KINDS, True)
    assert {kind.value for kind in FileKind} >= {"bronze object", "published version", "log", "catalog"}
