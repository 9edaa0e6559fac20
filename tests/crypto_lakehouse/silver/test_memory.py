"""Memory does not grow with a file: measured on a process of its own, beside one that reads the file whole."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests.archive_builder import archive_file, epoch_ms, write_chunks

ROWS = 3_000_000
ROWS_PER_CHUNK = 500_000
PROBE = """
import json, re, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.archive_builder import archive_file, input_at
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import reading
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.silver.conform import conform
if sys.argv[4] == "whole":
    reading.SMALL_OBJECT_BYTES = blocks.WHOLE_BYTES = 2**40
file = archive_file("binance_spot_agg_trades", "2024-01-01")
trades, day = input_at(file.key, Path(sys.argv[2])), Partition(file.dataset, file.symbol, file.first_day)
made = conform(file.dataset, [day], [trades], Path(sys.argv[3]), ConformSettings()).partitions[0]
# Not ru_maxrss: that outlives exec, so a process started by a large one would report its parent.
peak = re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())
print(json.dumps([made.rows, int(peak[1]) // 1024, made.sha256]))
"""


def chunks() -> Iterator[bytes]:
    start = epoch_ms(archive_file("binance_spot_agg_trades", "2024-01-01").first_day)
    for first in range(0, ROWS, ROWS_PER_CHUNK):
        number = pl.int_range(first, first + ROWS_PER_CHUNK, eager=True)
        frame = pl.DataFrame(
            {
                "id": number + 10**9,
                "price": (number % 9973 + 4_200_000).cast(pl.String) + ".50000000",
                "quantity": "0." + (number % 89_989 + 10_000_000).cast(pl.String),
                "first": number,
                "last": number,
                "time": number * 14 + start,
                "maker": (number % 2 == 0).cast(pl.String),
                "best": pl.Series(["True"]).new_from_index(0, ROWS_PER_CHUNK),
            }
        )
        yield frame.write_csv(include_header=False).encode()


@pytest.fixture(scope="module")
def big_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chunks(
        archive_file("binance_spot_agg_trades", "2024-01-01"), chunks(), tmp_path_factory.mktemp("big"), level=1
    )


def probe(path: Path, folder: Path, way: str) -> tuple[int, int, str]:
    command = [sys.executable, "-c", PROBE, str(Path(__file__).parents[3]), str(path), str(folder), way]
    rows, megabytes, digest = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    )
    return rows, megabytes, digest


def test_a_day_of_three_million_trades_takes_less_than_400_mb_and_reading_it_whole_takes_more(
    big_zip: Path, tmp_path: Path
) -> None:
    rows, streamed_mb, digest = probe(big_zip, tmp_path, "streamed")
    _, whole_mb, whole_digest = probe(big_zip, tmp_path, "whole")
    assert rows == ROWS
    assert streamed_mb < 400
    assert whole_mb > 2 * streamed_mb
    assert digest == whole_digest
