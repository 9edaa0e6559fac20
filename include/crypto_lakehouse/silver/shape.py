"""Makes Silver columns of typed source values: units, derivations, and what each row must fulfil to be true.

A row must agree with the name of its file, its time stamps with the unit of the other rows, and its columns with each
other. Rows that fail are described and left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.expectations import Expectation
from crypto_lakehouse.instants import HOUR_US
from crypto_lakehouse.lake.table_schema import polars_type
from crypto_lakehouse.silver.inputs import Segment, allowed_times
from crypto_lakehouse.silver.parse import ADVICE, SYMBOL_SOURCES, SourceShape
from crypto_lakehouse.silver.row_rules import RowRule, row_rules
from crypto_lakehouse.spec import DECIMALS, Column, Dataset, Derivation, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType, TimeUnit

_MS = (10**12, 10**13)
_US = (10**15, 10**16)
_END_OF_CALENDAR = 253_402_300_800_000_000
_FIVE_MINUTES = 300_000_000
_UNIT_BOUNDS = {TimeUnit.MILLISECONDS.value: _MS, TimeUnit.MICROSECONDS.value: _US}
_STRIKE = r"^(\d{6})-(\d{1,10}(?:\.\d{1,8})?)$"
_TEXT_TIME = r"^\d{4}-\d\d-\d\d ([01]\d|2[0-3]):[0-5]\d:[0-5]\d$"

MAX_FAULTS = 2000
"""Rows of a block that are described one by one. No object may have as many bad rows."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that cannot be true: its place among the rows that were read, its own time if it has one, and why."""

    place: int
    time: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class ShapedRows:
    """Silver rows of a block.

    Args:
        frame: The rows that can be true, without the symbol.
        times: The event time of every row that was read, in microseconds; 0 where a row has none.
        is_sound: Which rows that were read are in the frame; None where all are.
        units: The epoch unit of each segment; empty where a segment has no row.
        faults: The other rows, at most `MAX_FAULTS` of them.
    """

    frame: pl.DataFrame
    times: "np.ndarray[Any, Any]"
    is_sound: "np.ndarray[Any, Any] | None"
    units: tuple[str, ...]
    faults: tuple[RowFault, ...]


def shape_rows(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment], unit: str = "") -> ShapedRows:
    """Returns the Silver rows of parsed source rows, and the rows that cannot be true.

    Args:
        frame: The source rows.
        shape: How they were read.
        segments: Which inputs they come from, in order.
        unit: The epoch unit of the rows, where earlier rows of the same input have shown it.

    Raises:
        ContentRefused: A value has no form in Silver.
    """
    filled = [segment for segment in segments if segment.rows]
    faults = _Faults(frame.height)
    _note_symbols(frame, shape, filled, faults)
    units = _units(frame, shape, filled, unit)
    _note_units(frame, shape, filled, units, faults)
    shaped = _shaped(frame, shape, filled)
    dataset = shape.dataset
    _note_underivable(shaped, dataset, faults)
    _note_days(shaped[dataset.event_time], dataset, filled, faults)
    for expectation, rule in row_rules(dataset):
        _note_rule(shaped, expectation, rule, faults)
    filled_units = iter(units)
    times = shaped[dataset.event_time].to_physical().fill_null(0).to_numpy()
    return ShapedRows(
        shaped if faults.is_sound is None else shaped.filter(pl.Series(faults.is_sound)),
        times,
        faults.is_sound,
        tuple(next(filled_units) if segment.rows else "" for segment in segments),
        faults.listed(times),
    )


@dataclass(slots=True)
class _Faults:
    """Collects the rows that cannot be true; the first fault of a row counts."""

    rows: int
    is_sound: "np.ndarray[Any, Any] | None" = None
    _reasons: dict[int, str] = field(default_factory=dict)

    def note(self, is_wrong: "np.ndarray[Any, Any]", reason: Callable[[int], str]) -> None:
        """Adds rows; the reason is made for the place of each."""
        if not is_wrong.any():
            return
        if self.is_sound is None:
            self.is_sound = np.ones(self.rows, np.bool_)
        for place in np.flatnonzero(is_wrong & self.is_sound)[: MAX_FAULTS - len(self._reasons)].tolist():
            self._reasons[place] = reason(place)
        self.is_sound &= ~is_wrong

    def listed(self, times: "np.ndarray[Any, Any]") -> tuple[RowFault, ...]:
        """Returns the rows in order."""
        return tuple(
            RowFault(place, int(times[place]) or None, reason) for place, reason in sorted(self._reasons.items())
        )


def _shaped(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment]) -> pl.DataFrame:
    dataset = shape.dataset
    shifts = _metrics_shift(segments) if _has(dataset, Derivation.PERIOD_START) else pl.lit(0)
    columns = [
        _expression(column, shape, shifts).alias(column.name)
        for column in dataset.columns
        if column.derivation is not Derivation.OBJECT_SYMBOL
    ]
    try:
        return frame.select(columns)
    except pl.exceptions.PolarsError as error:
        raise ContentRefused(str(error).partition("\n")[0], ADVICE) from error


def _has(dataset: Dataset, derivation: Derivation) -> bool:
    return any(column.derivation is derivation for column in dataset.columns)


def _note_symbols(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment], faults: _Faults) -> None:
    names = [name for name in SYMBOL_SOURCES if name in shape.layout.columns]
    if not names or not segments:
        return
    expected = [segment.input.object.symbol for segment in segments]
    rows = np.repeat(np.arange(len(segments)), [segment.rows for segment in segments])
    symbols = frame[names[0]]
    faults.note(
        (symbols != pl.Series(expected)[rows]).to_numpy(),
        lambda place: f"the symbol is {symbols[place][:40]!r}, the file name has {expected[rows[place]]!r}",
    )


def _time_columns(shape: SourceShape) -> list[str]:
    if shape.dataset.time_encoding is not TimeEncoding.EPOCH:
        return []
    return [name for name, column in shape.columns.items() if column.type is LogicalType.TIMESTAMP]


def _units(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment], known: str) -> list[str]:
    """Returns the unit of each segment: one for all of its time columns, the unit of most rows."""
    names = _time_columns(shape)
    if not names or not segments:
        return ["text"] * len(segments)
    if known:
        return [known] * len(segments)
    microseconds = np.sum([frame[name].to_numpy() >= _US[0] for name in names], axis=0) * 2 > len(names)
    counts = np.add.reduceat(microseconds.astype(np.int64), _starts(segments))
    return [
        (TimeUnit.MICROSECONDS if 2 * count > segment.rows else TimeUnit.MILLISECONDS).value
        for count, segment in zip(counts, segments, strict=True)
    ]


def _note_units(
    frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment], units: Sequence[str], faults: _Faults
) -> None:
    """Notes rows with a time stamp in another unit than their file, or in none."""
    names = _time_columns(shape)
    if not names or not segments:
        return
    bounds = np.array([_UNIT_BOUNDS[unit] for unit in units], np.int64)
    stamps = {name: frame[name].to_numpy() for name in names}
    starts = _starts(segments)
    if all(
        (np.minimum.reduceat(values, starts) >= bounds[:, 0]).all()
        and (np.maximum.reduceat(values, starts) < bounds[:, 1]).all()
        for values in stamps.values()
    ):
        return
    lows, highs = np.repeat(bounds, [segment.rows for segment in segments], axis=0).T
    for name, values in stamps.items():
        faults.note((values < lows) | (values >= highs), _unit_reason(name, values, lows))


def _unit_reason(name: str, stamps: "np.ndarray[Any, Any]", lows: "np.ndarray[Any, Any]") -> Callable[[int], str]:
    def reason(place: int) -> str:
        stamp, low = int(stamps[place]), int(lows[place])
        others = [unit for unit, (first, end) in _UNIT_BOUNDS.items() if first <= stamp < end and first != low]
        own = next(unit for unit, (first, _) in _UNIT_BOUNDS.items() if first == low)
        return f"{name} {stamp} is in {others[0]}, its file is in {own}" if others else f"{name} {stamp} is in no unit"

    return reason


def _starts(segments: Sequence[Segment]) -> "np.ndarray[Any, Any]":
    return np.concatenate(([0], np.cumsum([segment.rows for segment in segments])[:-1])).astype(np.int64)


def _metrics_shift(segments: Sequence[Segment]) -> pl.Expr:
    """Returns the time from the start of each row's period to its stamp, in microseconds."""
    shifts = [metrics_stamp_lag(segment.input.object.first_day) for segment in segments]
    return pl.lit(pl.Series(np.repeat(np.array(shifts, np.int64), [segment.rows for segment in segments])))


def _expression(column: Column, shape: SourceShape, shifts: pl.Expr) -> pl.Expr:
    if column.derivation is not None:
        return _DERIVED[column.derivation](shifts)
    source = pl.col(column.source)
    if column.type is not LogicalType.TIMESTAMP:
        return source.cast(polars_type(column))
    if shape.dataset.time_encoding is TimeEncoding.EPOCH:
        return _from_epoch(source)
    return _text_time(source).cast(pl.Datetime("us", "UTC"))


def _from_epoch(source: pl.Expr) -> pl.Expr:
    # Here the magnitude decides for each row. That a file has only one unit was checked before.
    return pl.when(source < _MS[1]).then(source * 1000).otherwise(source).cast(pl.Datetime("us", "UTC"))


def _nearest(times: pl.Expr, step: int) -> pl.Expr:
    return (times.cast(pl.Int64) + step // 2) // step * step


def _timestamp(microseconds: pl.Expr) -> pl.Expr:
    return microseconds.cast(pl.Datetime("us", "UTC"))


def _text_time(source: pl.Expr) -> pl.Expr:
    """Returns a text as an instant; null where it is none."""
    # Polars takes the second 60 for the next minute.
    times = source.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
    return pl.when(source.str.contains(_TEXT_TIME)).then(times)


def _create_time() -> pl.Expr:
    return _nearest(_text_time(pl.col("create_time")), _FIVE_MINUTES)


def _hour_time(_shifts: pl.Expr) -> pl.Expr:
    date, hour = pl.col("date"), pl.col("hour")
    day = date.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us", "UTC"))
    is_plain = date.str.contains(r"^\d{4}-\d\d-\d\d$") & hour.str.contains(r"^([01]?\d|2[0-3])$")
    return pl.when(is_plain).then(day + pl.duration(hours=hour.cast(pl.Int64, strict=False)))


_DERIVED: dict[Derivation, Callable[[pl.Expr], pl.Expr]] = {
    Derivation.PERIOD_START: lambda shifts: _timestamp(_create_time() - shifts),
    Derivation.PERIOD_END: lambda shifts: _timestamp(_create_time() - shifts + _FIVE_MINUTES),
    Derivation.FUNDING_TIME: lambda _: _timestamp(_nearest(_from_epoch(pl.col("calc_time")), HOUR_US)),
    Derivation.DATE_AND_HOUR: _hour_time,
    Derivation.STRIKE_EXPIRY: lambda _: pl.col("strike").str.extract(_STRIKE, 1).str.to_date("%y%m%d", strict=False),
    Derivation.STRIKE_PRICE: lambda _: (
        pl.col("strike").str.extract(_STRIKE, 2).cast(pl.Decimal(*DECIMALS[LogicalType.PRICE]), strict=False)
    ),
}


def _note_underivable(frame: pl.DataFrame, dataset: Dataset, faults: _Faults) -> None:
    for column in dataset.columns:
        if column.name in frame.columns and not column.nullable and frame[column.name].null_count():
            faults.note(frame[column.name].is_null().to_numpy(), _underivable(column.name))


def _underivable(name: str) -> Callable[[int], str]:
    return lambda _: f"it gives no {name}: the source text has an unknown form"


def _note_days(times: pl.Series, dataset: Dataset, segments: Sequence[Segment], faults: _Faults) -> None:
    if not segments:
        return
    bounds = np.array([allowed_times(dataset, segment.input.object) for segment in segments], np.int64)
    stamps, starts = times.to_physical().fill_null(int(bounds[0, 0])).to_numpy(), _starts(segments)
    lows, highs = np.minimum.reduceat(stamps, starts), np.maximum.reduceat(stamps, starts)
    if (lows >= bounds[:, 0]).all() and (highs < bounds[:, 1]).all():
        return
    rows = np.repeat(np.arange(len(segments)), [segment.rows for segment in segments])

    def reason(place: int) -> str:
        bronze_object = segments[rows[place]].input.object
        span = f"{bronze_object.first_day} to {bronze_object.last_day}"
        return f"{times.name} {_time_text(int(stamps[place]))} lies outside {span}"

    faults.note((stamps < bounds[rows, 0]) | (stamps >= bounds[rows, 1]), reason)


def _note_rule(frame: pl.DataFrame, expectation: Expectation, rule: RowRule, faults: _Faults) -> None:
    is_wrong = frame.select(rule.is_wrong(expectation).fill_null(value=False)).to_series()
    if not is_wrong.any():
        return

    def reason(place: int) -> str:
        values = ", ".join(f"{name} {frame[name][place]}" for name in expectation.columns)
        return f"{rule.words}: {values}"

    faults.note(is_wrong.to_numpy(), reason)


def _time_text(microseconds: int) -> str:
    # Refused times include years that Python's calendar does not have.
    if 0 <= microseconds < _END_OF_CALENDAR:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()
    return f"{microseconds} microseconds from 1970"
