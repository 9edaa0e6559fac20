"""What a request's words mean is decided once, against the table."""

from datetime import UTC, date, datetime, timedelta

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.selection import EARLIEST, Selection
from crypto_lakehouse.vocabulary import Interval

KLINES, TICKS = "binance_um_klines", "binance_um_agg_trades"
DAYS = ("2024-01-01", "2024-01-31")


def test_words_become_days_and_intervals() -> None:
    selection = Selection.parse(KLINES, DAYS, symbols=["BTC*"], intervals=["1m", "1mo"])
    assert selection.dataset.name == KLINES
    assert (selection.first_day, selection.last_day) == (date(2024, 1, 1), date(2024, 1, 31))
    assert (selection.symbols, selection.intervals) == (("BTC*",), (Interval.M1, Interval.MO1))


def test_the_last_day_is_tomorrow_at_the_latest() -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert Selection.parse(KLINES, ("2024-01-01", "2999-01-01")).last_day - tomorrow <= timedelta(days=1)


def test_configured_intervals_stand_in_for_none() -> None:
    configured = (Interval.M1, Interval.H1)
    assert Selection.parse(KLINES, DAYS).with_defaults(configured) == configured
    assert Selection.parse(KLINES, DAYS, intervals=["1d"]).with_defaults(configured) == (Interval.D1,)
    with pytest.raises(InvalidRequest, match="has no interval 1s"):
        Selection.parse(KLINES, DAYS).with_defaults((Interval.S1,))


def test_a_dataset_without_intervals_ignores_them() -> None:
    selection = Selection.parse(TICKS, DAYS, intervals=["1m"])
    assert selection.intervals == ()
    assert selection.with_defaults((Interval.M1,)) == (None,)


@pytest.mark.parametrize(
    ("days", "intervals", "message"),
    [
        (("2024-02-01", "2024-01-01"), (), "not a range of days"),
        ((f"{EARLIEST - timedelta(days=1)}", "2024-01-01"), (), "not a range of days"),
        (("2999-01-01", "2999-01-02"), (), "not a range of days"),
        (("yesterday", "2024-01-01"), (), "not YYYY-MM-DD"),
        (DAYS, ("1s",), "has no interval 1s"),
        (DAYS, ("1M",), "1M"),
    ],
)
def test_what_makes_no_sense_is_refused(days: tuple[str, str], intervals: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Selection.parse(KLINES, days, intervals=intervals)


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no dataset"):
        Selection.parse("binance_um_kline", DAYS)
