"""Synthetic prices are the same everywhere, and days join."""

from datetime import date

import numpy as np

from crypto_lakehouse.demo.prices import MINUTES, minute_prices, prices_at

DAY, NEXT = date(2024, 12, 31), date(2025, 1, 1)


def test_a_day_ends_where_the_next_begins() -> None:
    today, tomorrow = minute_prices("BTCUSDT", DAY), minute_prices("BTCUSDT", NEXT)
    assert len(today) == MINUTES + 1
    assert np.isclose(today[-1], tomorrow[0], rtol=1e-12)
    assert (today > 0).all()


def test_a_path_depends_on_symbol_and_day_alone() -> None:
    assert np.array_equal(minute_prices("BTCUSDT", DAY), minute_prices("BTCUSDT", DAY))
    assert not np.array_equal(minute_prices("BTCUSDT", DAY), minute_prices("ETHUSDT", DAY))


def test_between_minutes_a_price_lies_between_theirs() -> None:
    first, second = minute_prices("BTCUSDT", DAY)[:2]
    assert np.isclose(prices_at("BTCUSDT", DAY, np.array([30.0]))[0], (first + second) / 2)
