"""Measures the delta: klines asked of the local exchange at its real limits, and how near to the best that comes."""

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from crypto_lakehouse.endpoints.binance import SPOT_WEIGHT
from crypto_lakehouse.exchange.bodies import decode
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.runs.orders import MAX_BATCH, DeltaOrder, write_order
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.spans import Span
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.vocabulary import Step
from tests.bench.contender import peak_mb

ROOT = Path(__file__).parents[2]
DATASET = "binance_spot_klines"
FIRST = datetime(2025, 2, 1, tzinfo=UTC)
ROWS_PER_PAGE, WEIGHT_PER_PAGE = 1000, 2


def run_delta(symbols: int, days: int) -> dict[str, Any]:
    """Returns figures of asking for `days` of one-minute klines of so many symbols, within half of spot's limit.

    The limit's best: pages of 1,000 rows, and all of the allowed weight used in every minute that another one follows.
    """
    names = [f"BENCH{number}USDT" for number in range(symbols)]
    with tempfile.TemporaryDirectory(prefix="bench-delta-") as folder, _exchange(names) as url:
        settings = Settings(
            lake=folder,
            exchange=ExchangeSettings(spot_url=f"{url}/spot", limits_file=Path(folder) / "limits.sqlite"),
        )
        orders = _write_orders(LocalStorage(Path(folder)), names, days)
        # From the start of a minute, so that every minute that another one follows is a whole one.
        time.sleep(60.5 - time.time() % 60 if symbols > 1 else 0)
        started, cpu = time.time(), time.process_time()
        counts = [run_step(Step.DELTA, one, settings).counts() for one in orders]
        seconds, cpu_seconds = time.time() - started, time.process_time() - cpu
        used = _used_by_minute(Path(folder))
    rows = symbols * days * 1440
    fewest = math.ceil(rows / ROWS_PER_PAGE)
    requests = sum(one["requests"] for one in counts)
    budget = SPOT_WEIGHT.amount * settings.exchange.budget_share
    return {
        "symbols": symbols,
        "days": days,
        "rows": rows,
        "requests": requests,
        "fewest_requests": fewest,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "rows_per_second_at_the_limit": round(budget / WEIGHT_PER_PAGE * ROWS_PER_PAGE / 60),
        "share_of_fewest_requests": round(fewest / requests, 3),
        "share_of_weight_used": round(sum(used[:-1]) / (budget * (len(used) - 1)), 3) if len(used) > 1 else None,
        "cpu_seconds": round(cpu_seconds, 1),
        "bronze_bytes": sum(one["bytes_requested"] for one in counts),
        "peak_mb": round(peak_mb()),
    }


def _used_by_minute(folder: Path) -> list[int]:
    """Returns the weight the exchange counted in each minute, from its own answers."""
    used: dict[int, int] = {}
    for path in folder.glob(f"bronze/{DATASET}/rest/**/*.jsonl.gz"):
        for one in decode(path.read_bytes(), 1 << 30):
            minute = int(one.at.timestamp() // 60)
            used[minute] = max(used.get(minute, 0), one.weight_used or 0)
    return [used[minute] for minute in sorted(used)]


def _write_orders(storage: LocalStorage, names: list[str], days: int) -> list[str]:
    end = FIRST + timedelta(days=days)
    windows = [RequestSpan(name, "1m", Span(FIRST, end)) for name in names]
    keys = []
    for number, start in enumerate(range(0, len(windows), MAX_BATCH)):
        keys.append(f"runs/{DATASET}/bench/delta-{number:03}.json")
        write_order(storage, keys[-1], DeltaOrder(DATASET, "bench", "", tuple(windows[start : start + MAX_BATCH])))
    return keys


@contextmanager
def _exchange(names: list[str]) -> Iterator[str]:
    """Serves the exchange from a process of its own: its work must not count as ours."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.exchange", "--symbols", *names],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip() if process.stdout else ""
    finally:
        process.terminate()
        process.wait()
