"""What people write for a time, a market or a kind is checked, and the message names what is known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query.arguments import (
    Instant,
    checked_days,
    checked_instant,
    checked_kind,
    checked_market,
    checked_patterns,
    checked_span,
)
from crypto_lakehouse.vocabulary import InstrumentKind, Market

MORNING = datetime(2024, 12, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "moment"),
    [
        (None, None),
        ("2024-12-31", datetime(2024, 12, 31, tzinfo=UTC)),
        ("2024-12-31T08:00", MORNING),
        ("2024-12-31T09:00+01:00", MORNING),
        (date(2024, 12, 31), datetime(2024, 12, 31, tzinfo=UTC)),
        ("20241231", datetime(2024, 12, 31, tzinfo=UTC)),
        (np.datetime64("2024-12-31"), datetime(2024, 12, 31, tzinfo=UTC)),
        (np.datetime64("2024-12-31T08:00:00", "ns"), MORNING),
        (pa.scalar(date(2024, 12, 31)), datetime(2024, 12, 31, tzinfo=UTC)),
        ("2024-12-31T01:00+01:00", datetime(2024, 12, 31, tzinfo=UTC)),
        (datetime(2024, 12, 31, 8), MORNING),  # noqa: DTZ001
        (datetime(2024, 12, 31, 3, tzinfo=timezone(timedelta(hours=-5))), MORNING),
    ],
)
def test_a_time_without_a_zone_is_utc(instant: Instant | None, moment: datetime | None) -> None:
    assert checked_instant(instant) == moment


@pytest.mark.parametrize(
    "instant",
    [
        np.datetime64("2024-12-31T08:00:00.000000001"),
        pd.Timestamp("2024-12-31T08:00:00.000000001"),
        pd.Timestamp("2024-12-31T09:00", tz="Europe/Berlin"),
        pa.scalar(MORNING),
    ],
    ids=lambda instant: type(instant).__name__,
)
def test_times_of_other_libraries_are_times(instant: Any) -> None:
    assert checked_instant(instant) == MORNING


@pytest.mark.parametrize(
    "wrong",
    ["", 5, 1.5, True, [], pd.NaT, np.datetime64("NaT"), time(8), timedelta(1), "9999-12-31T23:59-12:00"],
    ids=repr,
)
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    for check in (checked_instant, lambda wrong: checked_span(None, wrong), lambda wrong: checked_days((wrong, None))):
        with pytest.raises(InvalidRequest, match="is not a time"):
            check(wrong)


@pytest.mark.parametrize(
    "given",
    ["BTCUSDT", ["BTCUSDT"], {"BTCUSDT"}, np.array(["BTCUSDT"]), pl.Series(["BTCUSDT"]), pa.array(["BTCUSDT"])],
    ids=lambda given: type(given).__name__,
)
def test_one_name_or_several_in_any_collection(given: Any) -> None:
    assert checked_patterns(given) == ["BTCUSDT"]
    assert checked_patterns(None) == []


@pytest.mark.parametrize("wrong", [5, b"BTC", [None], ["BTC", 5], object()], ids=lambda wrong: type(wrong).__name__)
def test_what_is_no_name_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match="symbols has"):
        checked_patterns(wrong)


def test_a_span_ends_after_its_start_and_days_are_two() -> None:
    assert checked_days((date(2024, 12, 1), "2024-12-31")) == (date(2024, 12, 1), date(2024, 12, 31))
    with pytest.raises(InvalidRequest, match="is before"):
        checked_span("2025-01-02", "2025-01-01")
    for wrong in (None, "2024-12-31", (1,), ("2024-12-01", "2024-12-02", "2024-12-03")):
        with pytest.raises(InvalidRequest):
            checked_days(wrong)


def test_markets_kinds_and_symbols_are_taken_as_text_or_value() -> None:
    assert checked_market("um") is checked_market(Market.UM) is Market.UM
    assert checked_kind("perpetual") is InstrumentKind.PERPETUAL
    assert checked_patterns("BTC*") == ["BTC*"]
    assert checked_patterns(["BTCUSDT", "ETH?"]) == ["BTCUSDT", "ETH?"]


@pytest.mark.parametrize(
    ("check", "wrong", "advice"),
    [
        (checked_instant, "yesterday", "2024-12-31"),
        (checked_market, "mars", "Known: spot, um, cm, option"),
        (checked_kind, "stock", "Known: spot"),
        (checked_patterns, "../x", ""),
    ],
)
def test_what_is_not_known_is_refused_with_advice(check: Callable[[str], object], wrong: str, advice: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check(wrong)
    assert advice in refused.value.advice
