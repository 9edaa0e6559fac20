"""Builds a small synthetic archive in the format of the real archive: zips, checksums, headers, timestamp units.

The same requests give the same bytes on every machine. SYNTHETIC.txt at the root explains that nothing is real.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.demo.records import LINES, DayContent
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.spec import Dataset, HeaderRule
from crypto_lakehouse.vocabulary import Frequency, Interval

LABEL = """SYNTHETIC DATA

A program computed everything in this folder. It has the format of the exchange's public archive, but not its content.
No price, volume or trade in it is real. Do not publish it, and do not draw conclusions from it.
A file may be broken on purpose: README.md names the one of the demonstration.
"""
_HEADER_SINCE = date(2022, 6, 1)
"""Futures files have a header from about this day on, in datasets where only some files have one."""
_BROKEN_LINE, _CLOSE = 14, 4
"""Line (from 1) and column (from 0) of the price that `with_broken_row` changes."""


@dataclass(frozen=True, slots=True)
class SyntheticRequest:
    """What to generate for a dataset.

    Args:
        dataset: The dataset.
        symbols: Its symbols.
        days: Days of daily files.
        months: First days of the months of monthly files.
        intervals: Kline intervals of up to a day, where the dataset has intervals.
        checksums: Whether each zip has a CHECKSUM file.
        broken: Key of an object that gets a row which cannot be true. Empty for none.
    """

    dataset: Dataset
    symbols: tuple[str, ...]
    days: tuple[date, ...] = ()
    months: tuple[date, ...] = ()
    intervals: tuple[Interval, ...] = ()
    checksums: bool = True
    broken: str = ""

    def objects(self) -> Iterator[ArchiveKey]:
        """Yields the keys of the objects."""
        periods = [(Frequency.DAILY, day) for day in self.days] + [(Frequency.MONTHLY, day) for day in self.months]
        for symbol in self.symbols:
            for interval in self.intervals or (None,):
                for frequency, day in periods:
                    if frequency in self.dataset.frequencies:
                        yield ArchiveKey(self.dataset, frequency, symbol, interval, day)


def build_archive(folder: Path, requests: Sequence[SyntheticRequest], progress: Progress = no_progress) -> int:
    """Writes the archive to `folder` with the layout of the bucket, and returns the number of zips."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SYNTHETIC.txt").write_text(LABEL, encoding="utf-8")
    wanted = [(key, request) for request in requests for key in request.objects()]
    for number, (key, request) in enumerate(wanted):
        csv = synthetic_csv(key)
        content = with_broken_row(csv) if key.key == request.broken else csv
        write_object(folder, key, content, with_checksum=request.checksums)
        progress("synthetic objects", number + 1, len(wanted))
    return len(wanted)


def synthetic_csv(key: ArchiveKey) -> bytes:
    """Returns the CSV content of the object with this key."""
    layout = key.dataset.layouts[0]
    has_header = layout.header is HeaderRule.ALWAYS or (
        layout.header is HeaderRule.SOMETIMES and key.first_day >= _HEADER_SINCE
    )
    lines = [",".join(layout.columns)] if has_header else []
    day = key.first_day
    while day <= key.last_day:
        lines += LINES[key.dataset.data_type](DayContent(key.dataset, key.symbol, day, key.interval))
        day += timedelta(days=1)
    return ("\n".join(lines) + "\n").encode()


def with_broken_row(csv: bytes) -> bytes:
    """Returns a file of klines in which the close of one candle has its decimal point two places too far left."""
    lines = csv.decode().splitlines()
    cells = lines[_BROKEN_LINE - 1].split(",")
    close = Decimal(cells[_CLOSE])
    cells[_CLOSE] = str((close / 100).quantize(close))
    lines[_BROKEN_LINE - 1] = ",".join(cells)
    return ("\n".join(lines) + "\n").encode()


def write_object(folder: Path, key: ArchiveKey, csv: bytes, *, with_checksum: bool = True) -> Path:
    """Writes the zip of an object and its CHECKSUM file to `folder`, and returns the path of the zip."""
    path = folder / key.key
    path.parent.mkdir(parents=True, exist_ok=True)
    content = zipped(f"{key.stem}.csv", csv)
    path.write_bytes(content)
    if with_checksum:
        # The published files have two spaces and no newline at the end.
        line = f"{hashlib.sha256(content).hexdigest()}  {path.name}"
        (folder / key.checksum_key).write_text(line, encoding="utf-8")
    return path


def zipped(name: str, content: bytes) -> bytes:
    """Returns a zip with one member and a fixed timestamp, so that equal content gives equal bytes."""
    buffer = io.BytesIO()
    member = zipfile.ZipInfo(name, date_time=(2025, 1, 3, 0, 0, 0))
    member.compress_type = zipfile.ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, content, compresslevel=1)
    return buffer.getvalue()
