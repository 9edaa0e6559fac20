"""Days of one series for the pictures."""

from collections.abc import Callable
from datetime import date

import polars as pl
import pytest

from crypto_lakehouse.reports.calendar import Calendar, calendars
from crypto_lakehouse.vocabulary import DayCondition


def days_frame(symbol: str = "BTCUSDT") -> pl.DataFrame:
    """Returns the last days of a leap February and the first days of March, one in each condition."""
    days = [date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 2)]
    return pl.DataFrame(
        {
            "dataset": "binance_um_klines",
            "symbol": symbol,
            "kline_interval": "1h",
            "day": days,
            "condition": [kind.value for kind in DayCondition],
            "reason": ["", "3 rows <b>", "until 10:00", "none"],
            "rows": [24, 21, 10, 0],
            "expected": [24, 24, 10, None],
            "sources": "archive_daily",
        }
    )


@pytest.fixture
def frame_of() -> Callable[[str], pl.DataFrame]:
    """Returns the days of a symbol as a frame."""
    return days_frame


@pytest.fixture
def four_days() -> list[Calendar]:
    """One calendar of four days."""
    return calendars(days_frame())
