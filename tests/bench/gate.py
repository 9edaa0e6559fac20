"""Measures the gate: a hundred candidates judged at once, profiles, Great Expectations and its Data Docs included."""

import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.versions import store_candidate
from crypto_lakehouse.quality.gate import gate
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import conform
from crypto_lakehouse.vocabulary import Interval
from tests.archive_builder import ArchiveFile, build_input, csv, kline_rows
from tests.bench.conform import KLINES
from tests.bench.contender import peak_mb

DAY = date(2024, 3, 1)


def run_gate(partitions: int, days: int) -> dict[str, Any]:
    """Returns seconds of judging `partitions` symbols' months of one-minute klines, `days` of each: cold, then warm."""
    with tempfile.TemporaryDirectory(prefix="bench-gate-") as folder:
        candidates = _candidates(partitions, days, Path(folder))
        seconds = []
        for name in ("cold", "warm"):
            results = Path(folder) / name
            results.mkdir()
            started = time.perf_counter()
            outcome = gate(dataset(KLINES), candidates, results)
            seconds.append(time.perf_counter() - started)
    rows = sum(candidate.rows for candidate, _ in candidates)
    conditions = sorted({str(one.condition) for one in outcome.verdicts})
    return {
        "partitions": len(outcome.verdicts),
        "rows": rows,
        "conditions": conditions,
        "seconds": round(seconds[0], 2),
        "warm_seconds": round(seconds[1], 2),
        "peak_mb": round(peak_mb()),
    }


def _candidates(partitions: int, days: int, folder: Path) -> list[Any]:
    row, work = dataset(KLINES), folder / "work"
    work.mkdir()
    contents = [csv(kline_rows(DAY + timedelta(day))) for day in range(days)]
    inputs = [
        build_input(ArchiveFile(row, DAY + timedelta(day), f"BENCH{number}USDT", Interval.M1), content, folder)
        for number in range(partitions)
        for day, content in enumerate(contents)
    ]
    wanted = [Partition(row, f"BENCH{number}USDT", DAY, Interval.M1) for number in range(partitions)]
    made, storage = conform(row, wanted, inputs, work, ConformSettings()).partitions, LocalStorage(folder / "lake")
    stored = [
        store_candidate(storage, one.partition, Path(str(one.file)), one.manifest, (one.first_time, one.last_time))
        for one in made
    ]
    return [(one, folder / "lake" / one.file) for one in stored]
