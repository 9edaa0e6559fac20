"""Measures conform: five million trades, a month of klines, thousands of small files. Run by hand:

    python tests/bench/conform.py trades 5000000
    python tests/bench/conform.py month
    python tests/bench/conform.py small 2000

Each prints one JSON line. Sizes are arguments, so that a test can run the same code on little data.
"""

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition, partitions_between
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import InputObject, conform
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import ArchiveFile, archive_file, input_at, kline_rows, write_chunks, write_zip
from tests.archive_builder import csv as csv_bytes

KLINES, TRADES = "binance_spot_klines", "binance_spot_agg_trades"
Result = dict[str, Any]
_LINES_PER_CHUNK = 50_000


def run_trades(rows: int, folder: Path) -> Result:
    """Conforms one day of `rows` spot aggregated trades in a process of its own, once cold and once warm."""
    file = archive_file(TRADES, "2024-01-01")
    path = folder / f"{rows}" / file.key.key
    if not path.exists():
        write_chunks(file, trade_chunks(rows), folder / f"{rows}")
    command = [sys.executable, __file__, "_trades", str(path)]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    return {"bench": "conform_trades", "rows": rows, **json.loads(ran.stdout)}


def run_month(folder: Path, repeats: int = 7) -> Result:
    """Conforms one month of one-minute klines (44,640 rows in one zip) in this process, warm: the median of repeats."""
    file = archive_file(KLINES, "2024-03-01", interval=Interval.M1, frequency=Frequency.MONTHLY)
    path = write_zip(file, noisy_klines(date(2024, 3, 1), 31 * 1440), folder, level=6)
    inputs, partitions = (
        [input_at(file.key, path)],
        [Partition(dataset(KLINES), "BTCUSDT", date(2024, 3, 1), Interval.M1)],
    )
    seconds = sorted(_timed(partitions, inputs)[0] for _ in range(repeats + 1))
    return {"bench": "conform_month", "rows": 44_640, "seconds": round(seconds[len(seconds) // 2], 4)}


def run_small(files: int, folder: Path, repeats: int = 3) -> Result:
    """Conforms `files` daily one-minute kline zips of a year each per symbol to monthly partitions, warm: the best."""
    inputs = list(small_inputs(files, folder))
    partitions = _partitions(inputs)
    measured = [_timed(partitions, inputs) for _ in range(repeats)]
    seconds = min(one for one, _ in measured)
    return {
        "bench": "conform_small",
        "files": files,
        "partitions": len(partitions),
        "rows": measured[0][1],
        "seconds": round(seconds, 3),
        "files_per_second": round(files / seconds),
        "first_seconds": round(measured[0][0], 3),
        "peak_mb": _peak_mb(),
    }


def trade_chunks(rows: int) -> Iterator[bytes]:
    """Yields plausible trades of 2024-01-01 as CSV, evenly over the day, the same for the same number of rows."""
    dice = random.Random(rows)
    start = round(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
    price, trade = 42_000.0, 3_000_000_000
    for first in range(0, rows, _LINES_PER_CHUNK):
        lines = []
        for number in range(first, min(first + _LINES_PER_CHUNK, rows)):
            price += dice.randint(-3, 3) / 100
            last = trade + dice.randint(0, 3)
            lines.append(
                f"{2_800_000_000 + number},{price:.8f},{dice.randint(1, 99999) / 1e5:.8f},{trade},{last},"
                f"{start + number * 86_400_000 // rows},{'True' if dice.random() < 0.5 else 'False'},True\n"
            )
            trade = last + 1
        yield "".join(lines).encode()


def noisy_klines(day: date, count: int = 1440, seed: int = 0) -> bytes:
    """Returns plausible klines whose digits do not compress better than real ones."""
    dice = random.Random(f"{day} {seed}")
    rows = kline_rows(day, count)
    for row in rows:
        low, first, second, high = sorted(42_000 + dice.random() * 100 for _ in range(4))
        row[1:5] = [f"{price:.2f}000000" for price in (first, high, low, second)]
        volume = 1 + dice.random() * 100
        taker = volume * dice.random()
        # The middle of the two inner prices lies within the candle, rounding included.
        middle = (first + second) / 2
        row[5], row[9] = f"{volume:.6f}00", f"{taker:.6f}00"
        row[7], row[10] = f"{volume * middle:.8f}", f"{taker * middle:.8f}"
    return csv_bytes(rows)


def small_inputs(files: int, folder: Path) -> Iterator[InputObject]:
    """Yields daily zips, a year for each symbol, writing those that are not there yet."""
    for number in range(files):
        day, symbol = date(2023, 1, 1) + timedelta(number % 365), f"BENCH{number // 365}USDT"
        file = ArchiveFile(dataset(KLINES), day, symbol, Interval.M1)
        path = folder / file.key.key
        if not path.exists():
            write_zip(file, noisy_klines(day, seed=number // 365), folder, level=6)
        yield input_at(file.key, path)


def _partitions(inputs: Sequence[InputObject]) -> list[Partition]:
    days: dict[str, list[date]] = {}
    for one in inputs:
        days.setdefault(one.object.symbol, []).append(one.object.first_day)
    row = dataset(KLINES)
    return [
        partition
        for symbol, held in days.items()
        for partition in partitions_between(row, symbol, min(held), max(held), Interval.M1)
    ]


def _timed(partitions: Sequence[Partition], inputs: Sequence[InputObject]) -> tuple[float, int]:
    with tempfile.TemporaryDirectory() as work:
        started = time.perf_counter()
        outcome = conform(partitions[0].dataset, partitions, inputs, Path(work), ConformSettings())
        seconds = time.perf_counter() - started
    if outcome.refused:
        raise SystemExit(f"refused: {outcome.refused[0]}")
    return seconds, sum(one.rows for one in outcome.partitions)


def _peak_mb() -> int:
    # Not ru_maxrss: that outlives exec, so a process started by a large one would report its parent.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:"))


def measured_trades(path: Path) -> Result:
    """Returns the figures of this process for one zip of trades."""
    file = archive_file(TRADES, "2024-01-01")
    inputs, partitions = [input_at(file.key, path)], [Partition(file.dataset, "BTCUSDT", file.first_day)]
    before = _peak_mb()
    cold, rows = _timed(partitions, inputs)
    cold_peak = _peak_mb()
    warm, _ = _timed(partitions, inputs)
    return {
        "cold_seconds": round(cold, 3),
        "warm_seconds": round(warm, 3),
        "rows_per_second": round(rows / warm),
        "zip_mb": path.stat().st_size >> 20,
        "before_mb": before,
        "cold_peak_mb": cold_peak,
        "peak_mb": _peak_mb(),
    }


def main(arguments: Sequence[str]) -> None:
    """Runs one bench and prints its JSON."""
    what, *sizes = arguments
    folder = Path(tempfile.gettempdir()) / "crypto-lakehouse-bench"
    runs = {
        "trades": lambda: run_trades(int(sizes[0]), folder),
        "month": lambda: run_month(folder),
        "small": lambda: run_small(int(sizes[0]), folder),
        "_trades": lambda: measured_trades(Path(sizes[0])),
    }
    print(json.dumps(runs[what]()))


if __name__ == "__main__":
    main(sys.argv[1:])
