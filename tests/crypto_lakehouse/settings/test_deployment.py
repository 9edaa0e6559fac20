"""What a deployment decides, and the values that apply where it decides nothing."""

from collections.abc import Callable

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Settings().transfer_profile("fastest")
    assert "bad-network" in refusal.value.advice


def test_a_market_of_another_exchange_has_a_filter_of_its_own(configure: Callable[..., Settings]) -> None:
    settings = configure("[markets.kraken_spot]\nsymbols = ['ETHUSD']")
    assert settings.market_filter(dataset("kraken_spot_trades")).symbols == ("ETHUSD",)
    assert settings.market_filter(dataset("coinbase_spot_trades")).symbols == ("BTC-USD",)
    assert settings.market_filter(dataset("binance_um_klines")).symbols == ("BTCUSDT", "ETHUSDT")


def test_a_single_step_may_have_a_runner_of_its_own(configure: Callable[..., Settings]) -> None:
    settings = configure("runner = 'docker'\n[runners]\npull = 'local'")
    assert {step: settings.runner_of(step) for step in (Step.PULL, Step.GATE)} == {
        Step.PULL: "local",
        Step.GATE: "docker",
    }


def test_a_larger_size_overrides_a_smaller_one(configure: Callable[..., Settings]) -> None:
    settings = configure(
        "[sizes.huge]\nfrom_mib = 100\nrunner = 'ecs'\n"
        "[sizes.large]\nfrom_mib = 10\nrunner = 'kubernetes'\nnode_selector = {disk = 'fast'}\n"
    )
    sizes = [settings.for_order(mib * 2**20) for mib in (9, 10, 100)]
    assert [size.runner for size in sizes] == ["local", "kubernetes", "ecs"]
    assert [size.kubernetes.node_selector for size in sizes] == [{}, {"disk": "fast"}, {"disk": "fast"}]
