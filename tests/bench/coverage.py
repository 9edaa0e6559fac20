"""Measures coverage: a scan for gaps over many series, and two sources of the same klines held against each other."""

import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from crypto_lakehouse.coverage.day_table import coverage
from crypto_lakehouse.coverage.gap_table import find_gaps
from crypto_lakehouse.coverage.log import DAYS_SCHEMA, HOLES_SCHEMA, CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.queries import CoverageQuery
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import InputObject, conform
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import ArchiveFile, csv, input_at, kline_rows, write_zip
from tests.bench.conform import KLINES
from tests.bench.contender import peak_mb

FIRST = date(2024, 1, 1)
MONTH = date(2024, 3, 1)
MONTH_DAYS = 31
ONE_IN = 1000


def run_gaps(symbols: int, days: int) -> dict[str, Any]:
    """Returns seconds of reading a log of `symbols` series of `days` days, and of finding what they lack."""
    log_rows = _days(symbols, days)
    empty = CoverageFrames.of()
    frames = CoverageFrames(log_rows, _holes(log_rows), empty.reconciliations, empty.refused_rows)
    asked = CoverageQuery(datetime(2030, 1, 1, tzinfo=UTC), last_day=FIRST + timedelta(days=days - 1))
    with tempfile.TemporaryDirectory(prefix="bench-gaps-") as folder:
        log = CoverageLog(LocalStorage(Path(folder)))
        log.append(KLINES, frames, datetime(2025, 1, 1, tzinfo=UTC))
        log_seconds, _ = _timed(lambda: log.days(KLINES))
        seconds, found = _timed(lambda: coverage(log, dataset(KLINES), asked))
        gap_seconds, gaps = _timed(lambda: find_gaps(log, dataset(KLINES), asked))
    return {
        "series": symbols,
        "days": found.height,
        "gaps": gaps.height,
        "log_seconds": log_seconds,
        "coverage_seconds": seconds,
        "gaps_seconds": gap_seconds,
        "peak_mb": round(peak_mb()),
    }


def run_reconcile(symbols: int) -> dict[str, Any]:
    """Returns seconds and memory of conforming a month of one-minute klines of both sources, which differ a little."""
    row = dataset(KLINES)
    with tempfile.TemporaryDirectory(prefix="bench-reconcile-") as name:
        folder = Path(name)
        inputs = list(_both_sources(symbols, folder))
        partitions = [Partition(row, f"BENCH{number}USDT", MONTH, Interval.M1) for number in range(symbols)]
        (folder / "work").mkdir()
        seconds, made = _timed(lambda: conform(row, partitions, inputs, folder / "work", ConformSettings()))
    said = [one for partition in made.partitions for one in partition.manifest.reconciliations]
    return {
        "symbols": symbols,
        "objects": len(inputs),
        "rows_in": sum(one.manifest.rows_in for one in made.partitions),
        "pairs_equal": sum(one.equal for one in said),
        "pairs_different": sum(one.different for one in said),
        "days_reconciled": len(said),
        "seconds": seconds,
        "peak_mb": round(peak_mb()),
    }


def _timed(work: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return round(time.perf_counter() - started, 3), result


def _days(symbols: int, days: int) -> pl.DataFrame:
    """Returns rows of days, one in fifty left out."""
    names = pl.DataFrame({"symbol": [f"BENCH{number}USDT" for number in range(symbols)]}).with_row_index("series")
    calendar = pl.DataFrame({"day": pl.date_range(FIRST, FIRST + timedelta(days=days - 1), eager=True)})
    rows = names.join(calendar.with_row_index("number"), how="cross").filter(
        (pl.col("series") * 7 + pl.col("number") * 13) % 50 != 49
    )
    whole = {"expected": 1440, "rows": 1440, "missing": 0, "sources": "archive_daily", "version": "0" * 16}
    texts = {"dataset": KLINES, "kline_interval": "1m", "condition": "available", "reason": ""}
    month = pl.col("day").dt.strftime("%Y-%m")
    return rows.with_columns(
        *(pl.lit(value).alias(name) for name, value in (whole | texts).items()),
        pl.format("kline_interval=1m/symbol_key={}/period={}", "symbol", month).alias("partition"),
        *(pl.lit(None).alias(name) for name in ("first_id", "first_at", "last_id", "last_at", "at")),
    ).select([pl.col(name).cast(kind) for name, kind in DAYS_SCHEMA.items()])


def _holes(days: pl.DataFrame) -> pl.DataFrame:
    """Returns an hour's hole in every twentieth day."""
    start = pl.col("day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    found = days.gather_every(20).with_columns(
        start.alias("start"),
        (start + timedelta(hours=1)).alias("end"),
        pl.lit(60).alias("missing"),
        pl.lit("grid").alias("kind"),
        pl.lit("").alias("known"),
        pl.lit(None, HOLES_SCHEMA["first_seen"]).alias("first_seen"),
    )
    return found.select([pl.col(name).cast(kind) for name, kind in HOLES_SCHEMA.items()])


def _both_sources(symbols: int, folder: Path) -> Iterable[InputObject]:
    row = dataset(KLINES)
    days = [MONTH + timedelta(day) for day in range(MONTH_DAYS)]
    daily = [kline_rows(day) for day in days]
    monthly = [list(line) for lines in daily for line in lines]
    for line in monthly[::ONE_IN]:
        line[4] = line[2]
    contents = {Frequency.DAILY: [csv(one) for one in daily], Frequency.MONTHLY: [csv(monthly)]}
    for number in range(symbols):
        for frequency, texts in contents.items():
            for day, text in zip(days, texts, strict=False):
                file = ArchiveFile(row, day, f"BENCH{number}USDT", Interval.M1, frequency)
                yield input_at(file.key, write_zip(file, text, folder))
