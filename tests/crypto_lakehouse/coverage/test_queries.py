"""Which rows a question about coverage selects."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from crypto_lakehouse.coverage.queries import CoverageQuery, null_where_empty

NOW = datetime(2024, 2, 1, tzinfo=UTC)
ROWS = pl.DataFrame({"symbol": ["BTCUSDT", "BTCUSDC", "ETHUSDT", "BTCUSDT"], "kline_interval": ["1h", "1h", "1h", ""]})
SPANS = pl.DataFrame(
    {"first": [date(2024, 1, day) for day in (1, 3, 5)], "last": [date(2024, 1, day) for day in (2, 4, 6)]}
)


@pytest.mark.parametrize(
    ("symbols", "intervals", "count"),
    [((), (), 4), (("BTC*",), (), 3), (("BTCUSD?", "ETH*"), ("1h",), 3), (("SOLUSDT",), (), 0), ((), ("1m",), 0)],
)
def test_symbols_are_globs_and_intervals_are_exact(
    symbols: tuple[str, ...], intervals: tuple[str, ...], count: int
) -> None:
    assert CoverageQuery(NOW, symbols, intervals).rows_of_series(ROWS).height == count


@pytest.mark.parametrize(
    ("first_day", "last_day", "expected"),
    [(None, None, [1, 3, 5]), (2, None, [1, 3, 5]), (3, None, [3, 5]), (None, 3, [1, 3]), (4, 4, [3]), (7, 9, [])],
)
def test_a_span_is_selected_if_one_of_its_days_is(
    first_day: int | None, last_day: int | None, expected: list[int]
) -> None:
    first, last = (None if day is None else date(2024, 1, day) for day in (first_day, last_day))
    query = CoverageQuery(NOW, first_day=first, last_day=last)
    selected = SPANS.filter(query.touches_days(pl.col("first"), pl.col("last")))
    assert [day.day for day in selected["first"]] == expected


def test_an_empty_text_is_null() -> None:
    assert ROWS.select(null_where_empty("kline_interval"))["kline_interval"].to_list() == ["1h", "1h", "1h", None]
