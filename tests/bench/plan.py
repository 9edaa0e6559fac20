"""Measures planning: the bucket's whole listing compared with Bronze, zips and CHECKSUMs counted as keys."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from crypto_lakehouse.archive.planning import plan_pull
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import ArchiveSettings, Settings
from tests.bench.conform import KLINES
from tests.bench.contender import peak_mb
from tests.bench.listing_server import LAST_DAY

DAYS = 1000


def run_plan(keys: int) -> dict[str, Any]:
    """Returns seconds and peak of a plan over `keys` keys, of an empty Bronze; half of the keys are CHECKSUMs."""
    day_count = min(DAYS, max(1, keys // 2))
    symbols = keys // (2 * day_count)
    with _bucket(symbols, day_count) as archive, tempfile.TemporaryDirectory(prefix="bench-plan-") as folder:
        settings = Settings(lake=f"{folder}/lake", archive=archive)
        first = LAST_DAY - timedelta(day_count - 1)
        days = (first.isoformat(), LAST_DAY.isoformat())
        selection = Selection.parse(KLINES, days, symbols=["*"], intervals=["1m"])
        bronze = BronzeLog(LocalStorage(Path(settings.lake)))
        before, started = peak_mb(), time.perf_counter()
        plan = plan_pull(selection, settings, bronze, settings.transfer_profile())
        seconds = time.perf_counter() - started
    if len(plan.objects) != symbols * day_count:
        raise RuntimeError(f"{len(plan.objects)} of {symbols * day_count} objects were planned")
    return {
        "keys": 2 * symbols * day_count,
        "objects": len(plan.objects),
        "seconds": round(seconds, 2),
        "keys_per_second": round(2 * symbols * day_count / seconds),
        "imported_mb": round(before),
        "peak_mb": round(peak_mb()),
    }


@contextmanager
def _bucket(symbols: int, days: int) -> Iterator[ArchiveSettings]:
    program = Path(__file__).with_name("listing_server.py")
    with subprocess.Popen(
        [sys.executable, str(program), str(symbols), str(days)], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            port = int(server.stdout.readline())  # type: ignore[union-attr]
            yield ArchiveSettings(endpoint_url=f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
