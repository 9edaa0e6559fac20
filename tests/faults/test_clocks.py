"""A clock that was once wrong silences nothing: logs have an order of their own, which no clock decides."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse import instants
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.runs.history import RunStatus
from tests.small_lake import SmallLake, dropped, put_in_all, small_lake

Clock = Callable[[], datetime]
UM = "binance_um_klines"
DAY = "2024-01-08"


def right() -> datetime:
    return datetime.now(UTC)


def shifted(**by: float) -> Clock:
    return lambda: right() + timedelta(**by)


def stepping(before: int, **by: float) -> Clock:
    """A clock that steps during the run: it is right for the first looks, and wrong from then on."""
    looks = count()
    return lambda: right() + (timedelta(**by) if next(looks) >= before else timedelta())


def at(text: str) -> Clock:
    """A clock that goes on from an instant."""
    start = right()
    return lambda: datetime.fromisoformat(text) + (right() - start)


CLOCKS: dict[str, Clock] = {
    "an hour ahead": shifted(hours=1),
    "a day ahead": shifted(days=1),
    "ten years ahead": shifted(days=3652),
    "an hour behind": shifted(hours=-1),
    "a day behind": shifted(days=-1),
    "two years behind": shifted(days=-730),
    "steps ahead in the run": stepping(3, days=1),
    "steps back in the run": stepping(3, days=-1),
    "the end of a year": at("2027-12-31T23:59:59+00:00"),
    "stands still": lambda: datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC),
}

IN_CI = ("ten years ahead", "steps back in the run")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty lake, and an archive."""
    with small_lake(tmp_path) as lake:
        yield lake


def published_rows(small: SmallLake) -> int:
    (record,) = open_catalog(small.settings).partitions(dataset(UM))
    assert small.lake.scan(UM).collect().height == record.rows
    return record.rows


def check_that_corrections_arrive(small: SmallLake, wrong: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces an object after a run with the wrong clock: the next run publishes it, once."""
    small.publish(UM, DAY)
    looks: list[datetime] = []
    monkeypatch.setattr(instants, "_clock", lambda: looks.append(wrong()) or looks[-1])
    small.run(UM, DAY, DAY)
    assert looks, "the wrong clock was looked at"
    assert published_rows(small) == 24
    monkeypatch.setattr(instants, "_clock", right)
    small.publish(UM, DAY, dropped(20, 24))
    second = small.run(UM, DAY, DAY)
    assert (second.figures.plan.objects_republished, second.figures.publish.partitions_published) == (1, 1)
    assert published_rows(small) == 20
    third = small.run(UM, DAY, DAY)
    assert (third.status, third.figures.plan.objects_to_pull) == (RunStatus.NOTHING_TO_DO, 0)
    assert CoverageLog(small.storage).days(UM)["rows"].to_list() == [20]
    rebuilt = EmbeddedCatalog(Path(small.settings.lake).parent / "rebuilt.sqlite")
    assert len(rebuild(rebuilt, small.storage, [dataset(UM)]).tables[UM].published) == 1
    assert [record.rows for record in rebuilt.partitions(dataset(UM))] == [20]


@pytest.mark.parametrize(
    "clock", [pytest.param(name, marks=() if name in IN_CI else pytest.mark.slow) for name in CLOCKS]
)
def test_a_replaced_file_arrives_after_a_run_with_a_wrong_clock(
    clock: str, small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_that_corrections_arrive(small, CLOCKS[clock], monkeypatch)


def test_control_with_times_as_the_order_the_correction_is_silenced(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def latest(self: BronzeLog, name: str) -> pl.DataFrame:
        rows = self._log(name).read().drop("sequence").sort("key", "seen_at")
        return rows.unique("key", keep="last", maintain_order=True)

    monkeypatch.setattr(BronzeLog, "latest", latest)
    with pytest.raises(AssertionError):
        check_that_corrections_arrive(small, CLOCKS["an hour ahead"], monkeypatch)


@pytest.mark.parametrize("clock", ["ten years ahead", "a day behind"])
def test_a_refusal_with_a_wrong_clock_is_lifted_by_the_next_object(
    clock: str, small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gate's verdicts, and the quarantine of Bronze: both logs."""
    key = small.publish(UM, DAY, put_in_all(2, "0.01"))
    other = small.publish(UM, "2024-02-08")
    small.bucket.objects[other.checksum_key] = f"{'0' * 64}  {other.stem}.zip".encode()
    monkeypatch.setattr(instants, "_clock", CLOCKS[clock])
    first = small.run(UM, DAY, "2024-02-08")
    assert (first.figures.gate.partitions_quarantined, first.figures.pull.objects_quarantined) == (1, 1)
    monkeypatch.setattr(instants, "_clock", right)
    assert small.publish(UM, DAY) == key
    small.publish(UM, "2024-02-08")
    assert small.run(UM, DAY, "2024-02-08").figures.publish.partitions_published == 2
    assert small.run(UM, DAY, "2024-02-08").status is RunStatus.NOTHING_TO_DO
    assert small.lake.scan(UM).collect().height == 48


def test_every_look_at_the_clock_is_the_one_that_tests_replace() -> None:
    package = Path(instants.__file__).parent
    looking = [
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if any(word in path.read_text() for word in ("datetime.now(", "date.today(", ".utcnow(", "st_mtime >"))
    ]
    assert looking == ["instants.py"]
