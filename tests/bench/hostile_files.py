"""Hostile inputs: for each fault one zip of one-minute spot klines, of a symbol of its own, laid out as the bucket."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.vocabulary import Interval
from tests.archive_builder import ArchiveFile, csv, kline_rows
from tests.bench.conform import KLINES

DAY = date(2024, 3, 2)
ROWS = 1440
OPEN_TIME, OPEN, HIGH, LOW, CLOSE, VOLUME, CLOSE_TIME = range(7)
TAKER_VOLUME = 9
CONTROL = "nothing: a sound file"
OTHER_UNIT = "nothing: microseconds throughout, before the exchange changed to them"
HEADER = (
    b"open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
Rows = list[list[object]]


@dataclass(frozen=True)
class HostileFile:
    """A fault, and the object that carries it."""

    fault: str
    file: ArchiveFile

    @property
    def key(self) -> str:
        return self.file.key.key


def write_hostile_archive(folder: Path) -> list[HostileFile]:
    """Writes all zips and their CHECKSUMs, and returns what they are."""
    made = [_hostile_file(fault, number) for number, fault in enumerate(_all_faults())]
    for one in made:
        stem = one.file.key.stem
        data, vouched = _published(one.fault, stem)
        path = folder / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        digest = hashlib.sha256(vouched).hexdigest()
        path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return made


def _hostile_file(fault: str, number: int) -> HostileFile:
    return HostileFile(fault, ArchiveFile(dataset(KLINES), DAY, f"HOSTILE{number:02}USDT", Interval.M1))


def _all_faults() -> list[str]:
    return [CONTROL, OTHER_UNIT, *ROW_FAULTS, *TEXT_FAULTS, *ZIP_FAULTS]


def _published(fault: str, stem: str) -> tuple[bytes, bytes]:
    """Returns what the bucket serves, and the bytes its CHECKSUM is of."""
    if fault in ZIP_FAULTS:
        return ZIP_FAULTS[fault](stem)
    data = _zip({f"{stem}.csv": _content(fault)})
    return data, data


def _content(fault: str) -> bytes:
    rows = kline_rows(DAY)
    if fault == OTHER_UNIT:
        rows = _in_microseconds(rows)
    if fault in ROW_FAULTS:
        rows = ROW_FAULTS[fault](rows)
    return TEXT_FAULTS.get(fault, lambda text: text)(csv(rows))


def _zip(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _set(column: int, value: object) -> Callable[[Rows], Rows]:
    def change(rows: Rows) -> Rows:
        rows[700][column] = value
        return rows

    return change


def _spike(rows: Rows) -> Rows:
    for column in (OPEN, HIGH, LOW, CLOSE):
        rows[700][column] = f"{float(str(rows[700][column])) * 100:.8f}"
    return rows


def _shift(rows: Rows) -> Rows:
    rows[700][OPEN_TIME] = int(str(rows[700][OPEN_TIME])) + 7_000
    return rows


def _repeat(rows: Rows) -> Rows:
    return rows[:701] + rows[696:]


def _conflict(rows: Rows) -> Rows:
    return [*rows[:701], [*rows[700][:CLOSE], "39999.00000000", *rows[700][CLOSE + 1 :]], *rows[701:]]


def _in_microseconds(rows: Rows) -> Rows:
    return [[int(str(v)) * 1000 if c in {OPEN_TIME, CLOSE_TIME} else v for c, v in enumerate(row)] for row in rows]


ROW_FAULTS: dict[str, Callable[[Rows], Rows]] = {
    "OHLC violation: one high below its low": _set(HIGH, "1.00000000"),
    "negative volume in one row": _set(VOLUME, "-5.00000000"),
    "100x spike: one row's four prices": _spike,
    "off-grid time: one row 7 s late": _shift,
    "another day's content under this day's name": lambda _: kline_rows(date(2024, 3, 3)),
    "a missing hour": lambda rows: rows[:600] + rows[660:],
    "conflicting duplicate: one minute twice, two closes": _conflict,
    "exact duplicates: five rows twice": _repeat,
    "mixed units: ms, then us from noon on": lambda rows: rows[:720] + _in_microseconds(rows[720:]),
    "rows in reverse order": lambda rows: rows[::-1],
    "taker volume above volume in one row": _set(TAKER_VOLUME, "9999.00000000"),
    "a price of zero": _set(LOW, "0.00000000"),
    "a price of NaN": _set(CLOSE, "NaN"),
    "an infinite price": _set(HIGH, "inf"),
    "an empty price": _set(CLOSE, ""),
    "more decimals than the exchange has": _set(CLOSE, "40000.123456789123"),
    "only the first half of the day": lambda rows: rows[:720],
}


def _after(line: int, addition: bytes) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        lines = text.split(b"\n")
        return b"\n".join([*lines[:line], addition, *lines[line:]])

    return change


TEXT_FAULTS: dict[str, Callable[[bytes], bytes]] = {
    "a blank line": _after(700, b""),
    "a header in the middle": _after(700, HEADER),
    "a truncated last row": lambda text: text[:-60],
    "a short row": _after(700, b"1709366400000,1.0,2.0"),
    "an empty file": lambda _: b"",
}


def _same(data: bytes) -> tuple[bytes, bytes]:
    return data, data


def _sound(stem: str) -> bytes:
    return _zip({f"{stem}.csv": csv(kline_rows(DAY))})


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x10]) + data[middle + 1 :]


ZIP_FAULTS: dict[str, Callable[[str], tuple[bytes, bytes]]] = {
    "another symbol's file inside the zip": lambda _: _same(_sound("ETHUSDT-1m-2024-03-02")),
    "two files inside the zip": lambda stem: _same(
        _zip({f"{stem}.csv": csv(kline_rows(DAY)), "more.csv": csv(kline_rows(DAY, 10))})
    ),
    "one bit flipped on the way (CHECKSUM of the sound file)": lambda stem: (_flipped(_sound(stem)), _sound(stem)),
    "one bit flipped at the source (CHECKSUM fits)": lambda stem: _same(_flipped(_sound(stem))),
    "half of the zip (CHECKSUM of the whole)": lambda stem: (_sound(stem)[: len(_sound(stem)) // 2], _sound(stem)),
    "a wrong CHECKSUM": lambda stem: (_sound(stem), b"other bytes"),
}
