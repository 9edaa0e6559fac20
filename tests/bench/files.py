"""The files that contests are held on: made once per machine, the same everywhere, laid out as the bucket is."""

import hashlib
import tempfile
from datetime import date
from pathlib import Path

from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import archive_file, write_chunks, write_zip
from tests.bench.conform import KLINES, TRADES, noisy_klines, small_inputs, trade_chunks
from tests.bench.contest import Contest

FOLDER = Path(tempfile.gettempdir()) / "crypto-lakehouse-bench"


def trades_contest(rows: int, folder: Path = FOLDER, processes: int = 3) -> Contest:
    """Returns one day of `rows` spot aggregated trades."""
    file, archive = archive_file(TRADES, "2024-01-01"), folder / f"{rows}"
    if not (archive / file.key.key).exists():
        write_chunks(file, trade_chunks(rows), archive)
    return Contest(archive, _vouched(archive, [file.key.key]), processes)


def month_contest(folder: Path = FOLDER, processes: int = 3, repeats: int = 8) -> Contest:
    """Returns one month of one-minute klines, 44,640 rows in one zip, converted in a warm process."""
    file = archive_file(KLINES, "2024-03-01", interval=Interval.M1, frequency=Frequency.MONTHLY)
    if not (folder / file.key.key).exists():
        write_zip(file, noisy_klines(date(2024, 3, 1), 31 * 1440), folder, level=6)
    return Contest(folder, _vouched(folder, [file.key.key]), processes, repeats)


def small_contest(files: int, folder: Path = FOLDER, processes: int = 3) -> Contest:
    """Returns `files` daily zips of one-minute klines, up to a year per symbol."""
    keys = [one.object.key for one in small_inputs(files, folder)]
    return Contest(folder, _vouched(folder, keys), processes)


def _vouched(archive: Path, keys: list[str]) -> tuple[str, ...]:
    """Writes the CHECKSUM of each, as the exchange does: some peers verify it."""
    for key in keys:
        write_checksum(archive / key)
    return tuple(keys)


def write_checksum(path: Path) -> None:
    """Writes the CHECKSUM beside a zip, in the exchange's format."""
    checksum = path.with_name(f"{path.name}.CHECKSUM")
    if not checksum.exists():
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        checksum.write_text(f"{digest}  {path.name}\n")
