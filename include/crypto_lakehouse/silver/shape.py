"""Makes Silver columns of typed source values: units, derivations, and checks of each file against its own name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from crypto_lakehouse.columns import metrics_stamp_lag
from crypto_lakehouse.errors import ContentRefused
from crypto_lakehouse.lake.table_schema import DECIMALS, polars_type
from crypto_lakehouse.silver.inputs import Segment, allowed_times
from crypto_lakehouse.silver.parse import SYMBOL_SOURCES, SourceShape
from crypto_lakehouse.spec import Column, Dataset, Derivation, TimeEncoding
from crypto_lakehouse.vocabulary import LogicalType, TimeUnit

_MS = (10**12, 10**13)
_US = (10**15, 10**16)
_END_OF_CALENDAR = 253_402_300_800_000_000
_FIVE_MINUTES, _HOUR = 300_000_000, 3_600_000_000
_ADVICE = "Compare the object with the bucket; pull it again if it was replaced"
_STRIKE = r"^(\d{6})-(\d+(?:\.\d+)?)$"


@dataclass(frozen=True, slots=True)
class ShapedRows:
    """Silver rows of a block without the symbol, and the epoch unit of each segment."""

    frame: pl.DataFrame
    units: tuple[str, ...]


def shape_rows(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment]) -> ShapedRows:
    """Returns the Silver rows of parsed source rows.

    Args:
        frame: The source rows.
        shape: How they were read.
        segments: Which inputs they come from, in order.

    Raises:
        ContentRefused: A file mixes units, or has another symbol or rows outside the days of its name.
    """
    dataset = shape.dataset
    filled = [segment for segment in segments if segment.rows]
    _check_symbols(frame, shape, filled)
    units = _units(frame, shape, filled)
    shifts = _metrics_shift(filled) if _has(dataset, Derivation.PERIOD_START) else pl.lit(0)
    columns = [
        _expression(column, shape, shifts).alias(column.name)
        for column in dataset.columns
        if column.derivation is not Derivation.OBJECT_SYMBOL
    ]
    try:
        shaped = frame.select(columns)
    except pl.exceptions.PolarsError as error:
        raise ContentRefused(str(error).partition("\n")[0], _ADVICE) from error
    _check_derived(shaped, dataset)
    _check_days(shaped[dataset.event_time], dataset, filled)
    filled_units = iter(units)
    return ShapedRows(shaped, tuple(next(filled_units) if segment.rows else "" for segment in segments))


def _has(dataset: Dataset, derivation: Derivation) -> bool:
    return any(column.derivation is derivation for column in dataset.columns)


def _check_symbols(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment]) -> None:
    names = [name for name in SYMBOL_SOURCES if name in shape.layout.columns]
    if not names or not segments:
        return
    expected = [segment.input.object.symbol for segment in segments]
    rows = np.repeat(np.arange(len(segments)), [segment.rows for segment in segments])
    wrong = frame[names[0]] != pl.Series(expected)[rows]
    if wrong.any():
        at = wrong.arg_max() or 0
        raise ContentRefused(
            f"{wrong.sum()} rows have the symbol {frame[names[0]][at][:40]!r}, "
            f"the file name has {expected[rows[at]]!r}",
            _ADVICE,
        )


def _time_columns(shape: SourceShape) -> list[str]:
    if shape.dataset.time_encoding is not TimeEncoding.EPOCH:
        return []
    return [name for name, column in shape.columns.items() if column.type is LogicalType.TIMESTAMP]


def _units(frame: pl.DataFrame, shape: SourceShape, segments: Sequence[Segment]) -> list[str]:
    """Returns the unit of each segment, one for all of its time columns."""
    names = _time_columns(shape)
    if not names or not segments:
        return ["text"] * len(segments)
    starts = _starts(segments)
    lows = np.min([np.minimum.reduceat(frame[name].to_numpy(), starts) for name in names], axis=0)
    highs = np.max([np.maximum.reduceat(frame[name].to_numpy(), starts) for name in names], axis=0)
    return [_unit(int(low), int(high)) for low, high in zip(lows, highs, strict=True)]


def _starts(segments: Sequence[Segment]) -> "np.ndarray[Any, Any]":
    return np.concatenate(([0], np.cumsum([segment.rows for segment in segments])[:-1])).astype(np.int64)


def _unit(low: int, high: int) -> str:
    for unit, (first, end) in ((TimeUnit.MILLISECONDS, _MS), (TimeUnit.MICROSECONDS, _US)):
        if first <= low and high < end:
            return unit.value
    both = _MS[0] <= low < _MS[1] and _US[0] <= high < _US[1]
    reason = "milliseconds and microseconds in one file" if both else "no unit has such epochs"
    raise ContentRefused(f"time stamps from {low} to {high}: {reason}", _ADVICE)


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
    return source.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", time_zone="UTC", strict=True)


def _from_epoch(source: pl.Expr) -> pl.Expr:
    # Here the magnitude decides for each row. That a file has only one unit was checked before.
    return pl.when(source < _MS[1]).then(source * 1000).otherwise(source).cast(pl.Datetime("us", "UTC"))


def _nearest(times: pl.Expr, step: int) -> pl.Expr:
    return (times.cast(pl.Int64) + step // 2) // step * step


def _timestamp(microseconds: pl.Expr) -> pl.Expr:
    return microseconds.cast(pl.Datetime("us", "UTC"))


def _create_time() -> pl.Expr:
    text = pl.col("create_time").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=True)
    return _nearest(text, _FIVE_MINUTES)


def _hour_time(_shifts: pl.Expr) -> pl.Expr:
    day = pl.col("date").str.to_date("%Y-%m-%d", strict=True).cast(pl.Datetime("us", "UTC"))
    hour = pl.col("hour").cast(pl.Int64, strict=True)
    return pl.when(hour.is_between(0, 23)).then(day + pl.duration(hours=hour))


_DERIVED: dict[Derivation, Callable[[pl.Expr], pl.Expr]] = {
    Derivation.PERIOD_START: lambda shifts: _timestamp(_create_time() - shifts),
    Derivation.PERIOD_END: lambda shifts: _timestamp(_create_time() - shifts + _FIVE_MINUTES),
    Derivation.FUNDING_TIME: lambda _: _timestamp(_nearest(_from_epoch(pl.col("calc_time")), _HOUR)),
    Derivation.DATE_AND_HOUR: _hour_time,
    Derivation.STRIKE_EXPIRY: lambda _: pl.col("strike").str.extract(_STRIKE, 1).str.to_date("%y%m%d", strict=True),
    Derivation.STRIKE_PRICE: lambda _: (
        pl.col("strike").str.extract(_STRIKE, 2).cast(pl.Decimal(*DECIMALS[LogicalType.PRICE]), strict=True)
    ),
}


def _check_derived(frame: pl.DataFrame, dataset: Dataset) -> None:
    for column in dataset.columns:
        if column.name in frame.columns and not column.nullable and frame[column.name].null_count():
            count = frame[column.name].null_count()
            raise ContentRefused(f"{count} rows give no {column.name}: the source text has an unknown form", _ADVICE)


def _check_days(times: pl.Series, dataset: Dataset, segments: Sequence[Segment]) -> None:
    if not segments:
        return
    stamps, starts = times.to_physical().to_numpy(), _starts(segments)
    bounds = np.array([allowed_times(dataset, segment.input.object) for segment in segments], np.int64)
    lows, highs = np.minimum.reduceat(stamps, starts), np.maximum.reduceat(stamps, starts)
    bad = np.flatnonzero((lows < bounds[:, 0]) | (highs >= bounds[:, 1]))
    if not len(bad):
        return
    which = int(bad[0])
    own = stamps[starts[which] : starts[which] + segments[which].rows]
    outside = np.flatnonzero((own < bounds[which, 0]) | (own >= bounds[which, 1]))
    bronze_object = segments[which].input.object
    stamp = _time_text(int(own[outside[0]]))
    raise ContentRefused(
        f"{len(outside)} of {len(own)} rows lie outside {bronze_object.first_day} to {bronze_object.last_day}, "
        f"the first at {stamp} in row {int(outside[0]) + 1}",
        _ADVICE,
    )


def _time_text(microseconds: int) -> str:
    # Refused times include years that Python's calendar does not have.
    if 0 <= microseconds < _END_OF_CALENDAR:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat()
    return f"{microseconds} microseconds from 1970"
