"""What a deployment decides, and the values that apply where it decides nothing."""

from collections.abc import Callable

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Interval, Market


@pytest.mark.parametrize("name", ["default", "high-throughput", "small-memory", "bad-network"])
def test_a_ready_profile_is_there(name: str) -> None:
    assert 1 <= Settings().transfer_profile(name).batch_objects <= 100


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Settings().transfer_profile("fastest")
    assert "bad-network" in refusal.value.advice


def test_a_file_may_replace_one_markets_filter(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.um]\nsymbols = ['SOL*']\nintervals = ['1d']")
    assert settings.markets[Market.UM].symbols == ("SOL*",)
    assert settings.markets[Market.UM].intervals == (Interval.D1,)


def test_a_market_of_another_exchange_has_a_filter_of_its_own(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.kraken_spot]\nsymbols = ['ETHUSD']")
    assert settings.market_filter(dataset("kraken_spot_trades")).symbols == ("ETHUSD",)
    assert settings.market_filter(dataset("coinbase_spot_trades")).symbols == ("BTC-USD",)
    assert settings.market_filter(dataset("binance_um_klines")).symbols == ("BTCUSDT", "ETHUSDT")
