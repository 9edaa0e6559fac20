"""The rows of a day as JSON, made once and kept."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime

from crypto_lakehouse.vocabulary import TimeUnit
from tests.fakes.exchange.series import DatasetSeries

Encode = Callable[[DatasetSeries, list[str], TimeUnit], str]
_MICROSECOND_DIGITS = 16


@dataclass(frozen=True, slots=True)
class RowShape:
    """How CSV rows become JSON.

    Args:
        encode: One row's fields as JSON text.
        time_field: The field that rows are found by.
        id_field: The field of identifiers, where rows have them.
        days_over: Days by which a file's rows reach past the day of its name.
    """

    encode: Encode
    time_field: int = 0
    id_field: int | None = None
    days_over: int = 0


@dataclass(frozen=True, slots=True)
class EncodedDay:
    """The rows of a day: instants in microseconds, identifiers (or instants again), JSON."""

    times: list[int]
    ids: list[int]
    rows: list[bytes]

    @property
    def size(self) -> int:
        """About how many bytes it takes in memory."""
        return sum(map(len, self.rows)) + 120 * len(self.rows)


class DayCache:
    """The days used last, as many as fit."""

    def __init__(self, most_bytes: int = 128 << 20) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._days: OrderedDict[Hashable, EncodedDay] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], EncodedDay]) -> EncodedDay:
        """Returns the day called `key`, made where it is not kept."""
        if key in self._days:
            self._days.move_to_end(key)
            return self._days[key]
        day = self._days[key] = make()
        self._bytes += day.size
        while self._bytes > self._most_bytes and len(self._days) > 1:
            self._bytes -= self._days.popitem(last=False)[1].size
        return day


def encoded_day(series: DatasetSeries, lines: list[str], shape: RowShape, unit: TimeUnit) -> EncodedDay:
    """Returns the rows of a day in the order of their identifiers, or of time where they have none."""
    rows = [line.split(",") for line in lines]
    times = [microseconds(row[shape.time_field]) for row in rows]
    ids = times if shape.id_field is None else [int(row[shape.id_field]) for row in rows]
    order = sorted(range(len(rows)), key=ids.__getitem__)
    return EncodedDay(
        [times[one] for one in order],
        [ids[one] for one in order],
        [shape.encode(series, rows[one], unit).encode() for one in order],
    )


def microseconds(stamp: str) -> int:
    """Returns an instant of a file: an epoch in milliseconds or microseconds, or a date and time in words.

    >>> microseconds("1735689600000"), microseconds("1735689600000001"), microseconds("2025-01-01 00:05:00")
    (1735689600000000, 1735689600000001, 1735689900000000)
    """
    if "-" in stamp:
        return int(datetime.fromisoformat(stamp).replace(tzinfo=UTC).timestamp()) * 1_000_000
    return int(in_unit(stamp, TimeUnit.MICROSECONDS))


def in_unit(stamp: str, unit: TimeUnit, filler: str = "000") -> str:
    """Returns an epoch in the unit asked for; `filler` is what milliseconds lack.

    >>> in_unit("1735689659999", TimeUnit.MICROSECONDS, "999"), in_unit("1735689659999999", TimeUnit.MILLISECONDS)
    ('1735689659999999', '1735689659999')
    """
    is_micro = len(stamp) >= _MICROSECOND_DIGITS
    if unit is TimeUnit.MICROSECONDS:
        return stamp if is_micro else stamp + filler
    return stamp[:-3] if is_micro else stamp


def _kline(_series: DatasetSeries, row: list[str], unit: TimeUnit) -> str:
    opened, closed = in_unit(row[0], unit), in_unit(row[6], unit, "999")
    return (
        f'[{opened},"{row[1]}","{row[2]}","{row[3]}","{row[4]}","{row[5]}",{closed},'
        f'"{row[7]}",{row[8]},"{row[9]}","{row[10]}","0"]'
    )


def _agg_trade(_series: DatasetSeries, row: list[str], unit: TimeUnit) -> str:
    best = f',"M":{row[7].lower()}' if len(row) > 7 else ""
    return (
        f'{{"a":{row[0]},"p":"{row[1]}","q":"{row[2]}","f":{row[3]},"l":{row[4]},'
        f'"T":{in_unit(row[5], unit)},"m":{row[6].lower()}{best}}}'
    )


def _trade(series: DatasetSeries, row: list[str], unit: TimeUnit) -> str:
    value = "baseQty" if "_cm_" in series.name else "quoteQty"
    best = f',"isBestMatch":{row[6].lower()}' if len(row) > 6 else ""
    return (
        f'{{"id":{row[0]},"price":"{row[1]}","qty":"{row[2]}","{value}":"{row[3]}",'
        f'"time":{in_unit(row[4], unit)},"isBuyerMaker":{row[5].lower()}{best}}}'
    )


KLINE = RowShape(_kline)
AGG_TRADE = RowShape(_agg_trade, time_field=5, id_field=0)
TRADE = RowShape(_trade, time_field=4, id_field=0)
