"""Random archive files of any dataset and layout, from a seed."""

import random
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from crypto_lakehouse.demo.synthetic import synthetic_csv
from crypto_lakehouse.spec import Column, Dataset, HeaderRule, SourceLayout, TimeEncoding
from crypto_lakehouse.vocabulary import Frequency, Interval, LogicalType, Market
from tests.archive_builder import ArchiveFile

DAYS = (date(2021, 5, 1), date(2023, 9, 29), date(2024, 12, 31), date(2025, 1, 1), date(2026, 6, 25))


def random_file(dataset: Dataset, seed: int) -> tuple[ArchiveFile, bytes]:
    """Returns a file's description and content: any layout, header or not, unit, number form, order, repeats.

    Each field has its form, but the fields of a row need not agree with each other.
    """
    dice = random.Random(seed)
    frequency = dice.choice(dataset.frequencies)
    day = dice.choice(DAYS)
    interval = dice.choice([one for one in dataset.intervals if one.microseconds]) if dataset.has_interval else None
    first = day.replace(day=1) if frequency is Frequency.MONTHLY else day
    file = ArchiveFile(dataset, first, dataset.sample_symbol, interval, frequency)
    layout = dice.choice(dataset.layouts)
    maker = _RowMaker(file, layout, dice)
    rows = [maker.row(number) for number in range(dice.randint(1, 40))]
    if dice.random() < 0.3:
        dice.shuffle(rows)
    if dice.random() < 0.3:
        rows += dice.sample(rows, dice.randint(1, len(rows)))
    lines = [",".join(row) for row in rows]
    if layout.header is HeaderRule.ALWAYS or (layout.header is HeaderRule.SOMETIMES and dice.random() < 0.5):
        lines.insert(0, ",".join(layout.columns))
    return file, ("\n".join(lines) + dice.choice(["\n", "\n", ""])).encode()


def sound_file(dataset: Dataset, seed: int) -> tuple[ArchiveFile, bytes]:
    """Returns a file's description and content: a few rows that can be true, one after the other."""
    dice = random.Random(seed)
    file = ArchiveFile(
        dataset,
        date(2023, 10, 1),
        dataset.sample_symbol,
        Interval.M1 if dataset.has_interval else None,
        dataset.frequencies[0],
    )
    header, rows = _sound_lines(file)
    first = dice.randrange(max(1, len(rows) - 40))
    return file, b"".join([*header, *rows[first : first + dice.randint(1, 40)]])


@lru_cache(maxsize=1)
def _sound_lines(file: ArchiveFile) -> tuple[list[bytes], list[bytes]]:
    lines = synthetic_csv(file.key).splitlines(keepends=True)
    return ([], lines) if lines[0][:1].isdigit() else (lines[:1], lines[1:])


class _RowMaker:
    def __init__(self, file: ArchiveFile, layout: SourceLayout, dice: random.Random) -> None:
        self._file, self._layout, self._dice = file, layout, dice
        self._columns = {one.source: one for one in file.dataset.columns if one.source}
        micro = file.dataset.market is Market.SPOT and file.first_day >= date(2025, 1, 1)
        self._scale = 1_000_000 if micro else 1000
        self._style = dice.choice([str, str.lower])

    def row(self, number: int) -> list[str]:
        start = datetime(self._file.first_day.year, self._file.first_day.month, self._file.first_day.day, tzinfo=UTC)
        spacing = {"fundingRate": 28_800, "metrics": 300, "EOHSummary": 1800}.get(self._file.dataset.data_type, 37)
        moment = start + timedelta(seconds=(number + 1) * spacing)
        return [self._field(name, number, moment) for name in self._layout.columns]

    def _field(self, name: str, number: int, moment: datetime) -> str:
        fixed = {
            "underlying": self._file.symbol,
            "strike": f"2310{self._dice.randint(10, 28)}-{self._dice.choice(['33000', '0.5', '1800.25'])}",
            "date": f"{moment:%Y-%m-%d}",
            "hour": f"{moment:%H}",
            "ignore": "0",
        }
        if name == "symbol" and "underlying" not in self._layout.columns:
            return self._file.symbol
        if name == "symbol":
            return f"BTC-231027-{number}-C"
        return fixed[name] if name in fixed else self._typed(self._columns.get(name), number, moment)

    def _typed(self, column: Column | None, number: int, moment: datetime) -> str:
        dice = self._dice
        if column is None:
            return "0"
        if column.type is LogicalType.TIMESTAMP:
            return self._time(column, moment)
        if column.type is LogicalType.INTEGER:
            # Identifiers ascend; the datasets' keys are among them.
            return str(10**9 + number * 3)
        if column.type is LogicalType.BOOLEAN:
            return self._style(str(dice.random() < 0.5))
        if column.type is LogicalType.STRING:
            return dice.choice(["LIMIT", "BUY", "SELL", "IOC", "FILLED"])
        return self._number(column, number)

    def _time(self, column: Column, moment: datetime) -> str:
        jitter = self._dice.randint(0, 13) if column.source == "calc_time" else 0
        if self._file.dataset.time_encoding is TimeEncoding.TEXT:
            drift = self._dice.randint(0, 5) if column.source == "create_time" else 0
            return f"{moment + timedelta(seconds=drift):%Y-%m-%d %H:%M:%S}"
        return str(round(moment.timestamp() * self._scale) + jitter)

    def _number(self, column: Column, number: int) -> str:
        dice = self._dice
        if column.nullable and dice.random() < 0.2:
            return dice.choice(["", '""'])
        if column.name == "percentage":
            return f"{number % 13 - 6}{dice.choice(['', '.00', '.20'])}"
        whole = dice.choice([0, 7, 40_000, 123_456_789])
        digits = "".join(dice.choices("0123456789", k=dice.choice([1, 3, 8])))
        forms = [str(whole), f"{whole}.{digits}", f"-{whole}.{digits}", "0E-8", "1.2E-7", f"{whole}.{digits}0000000000"]
        if column.type in {LogicalType.RATIO, LogicalType.VALUE}:
            forms += ["0E-16", "0.123456789012345678", "-1E-18"]
        return dice.choice(forms)
