"""Filters of markets: symbols may be globs, and a market has to exist."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import MarketFilter, Settings
from crypto_lakehouse.settings.markets import default_market_filters
from crypto_lakehouse.vocabulary import Interval, Market


def test_a_file_may_replace_one_markets_filter(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.um]\nsymbols = ['SOL*']\nintervals = ['1d']")
    assert settings.markets[Market.UM].symbols == ("SOL*",)
    assert settings.markets[Market.UM].intervals == (Interval.D1,)


def test_a_symbol_may_be_a_glob_and_nothing_else() -> None:
    assert MarketFilter(symbols=("BTC*", "ETH?SDT")).symbols == ("BTC*", "ETH?SDT")
    with pytest.raises(ValidationError, match="symbols"):
        MarketFilter(symbols=("BTC/../",))


def test_every_market_of_the_archive_has_a_built_in_filter() -> None:
    assert set(default_market_filters()) == {market.value for market in Market}


def test_a_market_that_does_not_exist_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"known are .*kraken_spot.*um"):
        Settings(markets={"nowhere": MarketFilter()})
