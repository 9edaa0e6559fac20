"""What each contender lets through: every hostile file is given to the peers and to our own pipeline, as it stands.

Ours is the real chain: plan and pull over HTTP from a bucket on loopback, conform, gate. Nothing here knows what the
answer should be.
"""

import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from crypto_lakehouse.archive.planning import batches, plan_pull
from crypto_lakehouse.archive.pulling import Transfer, pull
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Verdict
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.lake.versions import store_candidate, verify_candidate
from crypto_lakehouse.quality.gate import gate
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.silver.conform import ConformedPartition, InputObject, conform
from crypto_lakehouse.vocabulary import Condition, Interval
from tests.bench.conform import KLINES
from tests.bench.contest import NOT_INSTALLED, Contest, ask, command_of
from tests.bench.hostile_files import DAY, ROWS, HostileFile, write_hostile_archive
from tests.bench.ours import NAME
from tests.bench.peers import PEERS
from tests.fakes.bucket import FakeBucket, serving

Answer = dict[str, str]
PASSES, FLAGS, REFUSES = "passes in silence", "flags", "refuses"
_COUNTED = ("duplicates", "conflicts", "inversions")


def judge_all(peers: Sequence[str] = tuple(PEERS)) -> dict[str, Any]:
    """Returns fault to contender to answer: what it did (passes, flags, refuses), and its words or what came out."""
    with tempfile.TemporaryDirectory(prefix="bench-hostile-") as folder:
        archive = Path(folder) / "archive"
        files = write_hostile_archive(archive)
        answers = {NAME: dict(_ours(files, archive, Path(folder)))}
        for peer in peers:
            answers[peer] = dict(_peer(peer, files, archive))
    return {one.fault: {name: said[one.key] for name, said in answers.items()} for one in files}


def _peer(name: str, files: Sequence[HostileFile], archive: Path) -> Iterator[tuple[str, Answer]]:
    command = command_of(name)
    if command is None:
        yield from ((one.key, {"did": NOT_INSTALLED, "said": ""}) for one in files)
        return
    with tempfile.TemporaryDirectory(prefix="bench-kept-") as kept:
        said = ask(command, "judge", Contest(archive, tuple(one.key for one in files)), Path(kept))
        for key, outcome in said.items():
            yield key, _peer_answer(outcome)


def _peer_answer(outcome: dict[str, Any]) -> Answer:
    words = "; ".join(outcome["complaints"]).replace("\n", " ")
    if not outcome["files"]:
        return {"did": REFUSES, "said": words}
    came_out = _describe([Path(one) for one in outcome["files"]])
    return {"did": FLAGS, "said": f"{words}; {came_out}"} if words else {"did": PASSES, "said": came_out}


def _describe(files: Sequence[Path]) -> str:
    """Returns what is in the files: rows, empty values, and times that are not the named day's."""
    frame = pl.concat([pl.read_parquet(one) for one in files])
    said = [f"{frame.height} rows"]
    empty = sum(frame.null_count().row(0)) + sum(
        frame[name].is_nan().sum() for name in frame.columns if _float(frame, name)
    )
    if empty:
        said.append(f"{empty} values empty or NaN")
    if isinstance(frame.schema["open_time"], pl.Datetime):
        start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).replace(tzinfo=None)
        times = frame["open_time"].dt.replace_time_zone(None).drop_nulls()
        outside = ((times < start) | (times >= start + timedelta(days=1))).sum()
        said += [f"{outside} times of other days"] if outside else []
        said += [f"{times.len() - times.n_unique()} times twice"] if times.len() != times.n_unique() else []
    else:
        said.append(f"open_time is {frame.schema['open_time']}")
    return ", ".join(said)


def _float(frame: pl.DataFrame, name: str) -> bool:
    return frame.schema[name].is_float()


def _ours(files: Sequence[HostileFile], archive: Path, folder: Path) -> Iterator[tuple[str, Answer]]:
    bucket = FakeBucket()
    bucket.objects = {
        str(path.relative_to(archive)): path.read_bytes() for path in archive.rglob("*") if path.is_file()
    }
    with serving(bucket):
        settings = Settings(lake=str(folder / "lake"), archive=bucket.archive, work_folder=folder / "work")
        refused, inputs = _pulled(settings)
    yield from ((key, {"did": REFUSES, "said": f"at the pull: {why}"}) for key, why in refused.items())
    yield from _conformed(files, inputs, LocalStorage(folder / "lake"), folder)


def _pulled(settings: Settings) -> tuple[dict[str, str], list[InputObject]]:
    storage = LocalStorage(Path(settings.lake))
    bronze, refused, inputs = BronzeLog(storage), {}, []
    day = DAY.isoformat()
    selection = Selection.parse(KLINES, (day, day), symbols=["HOSTILE*"], intervals=["1m"])
    profile = settings.transfer_profile()
    plan = plan_pull(selection, settings, bronze, profile)
    for objects in batches(plan.objects, profile.batch_objects):
        outcome = pull(objects, Transfer(KLINES, settings, profile, storage))
        refused |= {one.key: one.reason for one in outcome.quarantined}
        inputs += [InputObject(one, Path(settings.lake) / one.path) for one in outcome.pulled]
    return refused, inputs


def _conformed(
    files: Sequence[HostileFile], inputs: Sequence[InputObject], storage: LocalStorage, folder: Path
) -> Iterator[tuple[str, Answer]]:
    row, work = dataset(KLINES), folder / "conform"
    work.mkdir()
    pulled = {one.object.key for one in inputs}
    key_of = {_partition(one).name: one.key for one in files if one.key in pulled}
    partitions = [_partition(one) for one in files if one.key in pulled]
    outcome = conform(row, partitions, inputs, work, Settings().conform)
    yield from ((one.key, {"did": REFUSES, "said": f"{one.error}: {one.reason}"}) for one in outcome.refused)
    made = [one for one in outcome.partitions if one.file is not None]
    for one, verdict in zip(made, _verdicts(made, storage, folder), strict=True):
        yield key_of[one.partition.name], _our_answer(one, verdict)


def _partition(one: HostileFile) -> Partition:
    return Partition(one.file.dataset, one.file.symbol, DAY.replace(day=1), Interval.M1)


def _verdicts(made: Sequence[ConformedPartition], storage: LocalStorage, folder: Path) -> list[Verdict]:
    candidates = []
    for one in made:
        candidate = store_candidate(
            storage, one.partition, Path(str(one.file)), one.manifest, (one.first_time, one.last_time)
        )
        candidates.append((candidate, verify_candidate(storage, candidate, folder)))
    results = folder / "results"
    results.mkdir()
    return gate(made[0].partition.dataset, candidates, results).verdicts


def _our_answer(one: ConformedPartition, verdict: Verdict) -> Answer:
    counted = [f"{getattr(one.manifest, name)} {name}" for name in _COUNTED if getattr(one.manifest, name)]
    notes = [f"manifest: {', '.join(counted)}"] if counted else []
    words = "; ".join([*verdict.reasons, *notes])
    if verdict.condition is Condition.QUARANTINED:
        return {"did": REFUSES, "said": f"quarantined by the gate: {words}"}
    if verdict.condition is Condition.DEGRADED or counted:
        return {"did": FLAGS, "said": f"{verdict.condition}: {words}"}
    return {"did": PASSES, "said": f"{one.rows} rows"}


def sound(answer: Answer) -> bool:
    """Returns whether a contender passed a file on, whole and without a word."""
    return answer["did"] == PASSES and answer["said"].startswith(f"{ROWS} rows") and "," not in answer["said"]
