"""What one writes oneself in ten lines of Polars: no checks, no order, floats for prices. Not peers, but yardsticks."""

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from contender import Convert, Job, Outcome, main

TRADES = ["agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "time", "buyer_maker", "best_match"]
KLINES = ["time", "open", "high", "low", "close", "volume", "close_time", "quote", "trades", "base", "taker", "ignore"]


def _columns(path: Path) -> list[str]:
    return TRADES if "aggTrades" in path.name else KLINES


def _typed(frame: Any) -> Any:
    import polars as pl

    return frame.with_columns(pl.col("time").cast(pl.Datetime("ms", "UTC")).dt.cast_time_unit("us"))


def polars_streaming() -> Convert:
    """Unzips to disk, then scans and sinks with the streaming engine."""
    import polars as pl

    def one(path: Path, out: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            unzipped = Path(archive.extract(archive.namelist()[0], out.parent))
        names = _columns(path)
        lazy = pl.scan_csv(unzipped, has_header=False, with_column_names=lambda _: names)
        _typed(lazy).sink_parquet(out, compression="zstd")
        unzipped.unlink()

    return _each(one)


def polars_eager() -> Convert:
    """Inflates into memory with ISA-L, then reads and writes a whole frame."""
    import polars as pl
    from isal import isal_zlib

    def one(path: Path, out: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            member = archive.infolist()[0]
        data = path.read_bytes()
        # The local header repeats the name; its two lengths stand at its end.
        header = member.header_offset
        name, extra = (int.from_bytes(data[header + at : header + at + 2], "little") for at in (26, 28))
        start = header + 30 + name + extra
        plain = isal_zlib.decompress(data[start : start + member.compress_size], -15, member.file_size)
        names = _columns(path)
        frame = pl.read_csv(plain, has_header=False, new_columns=names)
        _typed(frame).write_parquet(out, compression="zstd")

    return _each(one)


def _each(one: Callable[[Path, Path], None]) -> Convert:
    def convert(job: Job) -> Outcome:
        files = [job.out / f"{path.stem}.parquet" for path in job.paths]
        for path, file in zip(job.paths, files, strict=True):
            one(path, file)
        return Outcome(list(map(str, files)))

    return convert


BASELINES = {"polars-streaming": polars_streaming, "polars-eager-isal": polars_eager}

if __name__ == "__main__":
    main(BASELINES)
