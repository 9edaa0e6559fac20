"""Measures the pull: many small objects, verified and in Bronze, beside bare s5cmd on the same server."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from crypto_lakehouse.archive.planning import batches, plan_pull
from crypto_lakehouse.archive.pulling import Transfer, pull
from crypto_lakehouse.archive.s5cmd import binary
from crypto_lakehouse.demo.serving import serve_bucket
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import ObjectToPull
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import ArchiveSettings, Settings, TransferProfile
from tests.bench.conform import KLINES
from tests.bench.files import small_contest

PARALLEL_BATCHES = 2
"""Batches at once, as Airflow maps them on two cores."""


def run_pull(objects: int, folder: Path, repeats: int = 3) -> dict[str, Any]:
    """Returns objects per second of ours (zip and CHECKSUM, sha256, Bronze) and of s5cmd alone, in turns.

    s5cmd alone has as many workers as ours together, and reads each object in one request as ours does.
    """
    contest = small_contest(objects, folder)
    with serve_bucket(folder) as endpoint:
        settings = ArchiveSettings(endpoint_url=endpoint)
        ours, bare, zips_only = [], [], []
        for _ in range(repeats):
            ours.append(_ours(settings, objects))
            bare.append(_bare(settings, [one for key in contest.keys for one in (key, f"{key}.CHECKSUM")]))
            zips_only.append(_bare(settings, list(contest.keys)))
    size = statistics.mean((folder / key).stat().st_size for key in contest.keys)
    medians = [statistics.median(one) for one in (ours, bare, zips_only)]
    return {
        "objects": objects,
        "object_kb": round(size / 1024),
        "seconds": round(medians[0], 3),
        "s5cmd_same_files_seconds": round(medians[1], 3),
        "s5cmd_zips_only_seconds": round(medians[2], 3),
        "objects_per_second": round(objects / medians[0]),
        "share_of_s5cmd": round(medians[1] / medians[0], 2),
        "share_of_s5cmd_zips_only": round(medians[2] / medians[0], 2),
    }


def _ours(archive: ArchiveSettings, expected: int) -> float:
    with tempfile.TemporaryDirectory(prefix="bench-pull-") as folder:
        settings = Settings(lake=f"{folder}/lake", archive=archive, work_folder=Path(folder) / "work")
        storage = LocalStorage(Path(settings.lake))
        batches_of_objects = _batches(settings, BronzeLog(storage))
        transfer = Transfer(KLINES, settings, settings.transfer_profile(), storage)

        def pull_batch(objects: tuple[ObjectToPull, ...]) -> int:
            return len(pull(objects, transfer).pulled)

        started = time.perf_counter()
        with ThreadPoolExecutor(PARALLEL_BATCHES) as pool:
            pulled = sum(pool.map(pull_batch, batches_of_objects))
        seconds = time.perf_counter() - started
    if pulled != expected:
        raise RuntimeError(f"{pulled} of {expected} objects were pulled")
    return seconds


def _batches(settings: Settings, bronze: BronzeLog) -> list[tuple[ObjectToPull, ...]]:
    last = date(2023, 1, 1) + timedelta(364)
    selection = Selection.parse(KLINES, ("2023-01-01", last.isoformat()), symbols=["BENCH*"], intervals=["1m"])
    profile = settings.transfer_profile()
    return batches(plan_pull(selection, settings, bronze, profile).objects, profile.batch_objects)


def _bare(archive: ArchiveSettings, keys: list[str]) -> float:
    with _commands(archive, keys) as (file, target):
        workers = PARALLEL_BATCHES * TransferProfile().workers
        command = [str(binary()), "--no-sign-request", "--endpoint-url", archive.endpoint_url]
        command += ["--numworkers", str(workers)]
        started = time.perf_counter()
        subprocess.run(
            [*command, "--log", "error", "run", str(file)], check=True, env={**os.environ, "AWS_REGION": archive.region}
        )
        seconds = time.perf_counter() - started
        arrived = sum(1 for _ in target.iterdir())
    if arrived != len(keys):
        raise RuntimeError(f"s5cmd brought {arrived} of {len(keys)} objects")
    return seconds


@contextmanager
def _commands(archive: ArchiveSettings, keys: list[str]) -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="bench-bare-") as folder:
        target = Path(folder) / "target"
        target.mkdir()
        file = Path(folder) / "commands"
        lines = [
            f'cp --concurrency 1 "s3://{archive.bucket}/{key}" "{target}/{key.rpartition("/")[2]}"\n' for key in keys
        ]
        file.write_text("".join(lines))
        yield file, target
