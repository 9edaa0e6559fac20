"""Addresses of exchanges: a test network is refused, since its data looks real."""

from collections.abc import Callable

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import ExchangeSettings, Settings


@pytest.mark.parametrize("name", ["COINBASE_URL", "SPOT_URL"])
def test_a_test_network_is_refused(configure: Callable[..., Settings], name: str) -> None:
    with pytest.raises(InvalidRequest, match="test network"):
        configure("", **{f"EXCHANGE__{name}": "https://api-public.sandbox.exchange.coinbase.com"})


def test_an_address_ends_without_a_slash() -> None:
    assert ExchangeSettings(spot_url="https://example.org/api/").spot_url == "https://example.org/api"
