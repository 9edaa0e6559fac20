"""Which symbols the exchange lists."""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto_lakehouse.vocabulary import Market

_QUOTES = ("FDUSD", "USDT", "USDC", "BTC", "ETH", "USD")


@dataclass(frozen=True, slots=True)
class Symbols:
    """The symbols of each market."""

    spot: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    um: tuple[str, ...] = ("BTCUSDT", "ETHUSDT")
    cm: tuple[str, ...] = ("BTCUSD_PERP",)

    @classmethod
    def named(cls, names: Sequence[str]) -> "Symbols":
        """Returns the listing of these names: what is spelled `BTCUSD_...` is of cm, all else of spot and um."""
        inverse = tuple(name for name in names if "USD_" in name)
        linear = tuple(name for name in names if name not in inverse)
        return cls(linear, linear, inverse)

    def of(self, market: Market) -> tuple[str, ...]:
        """Returns the symbols of a market."""
        return {Market.SPOT: self.spot, Market.UM: self.um, Market.CM: self.cm}[market]


def pair_of(symbol: str) -> str:
    """Returns what an index is asked by.

    >>> pair_of("BTCUSD_PERP"), pair_of("BTCUSDT")
    ('BTCUSD', 'BTCUSDT')
    """
    return symbol.partition("_")[0]


def assets_of(symbol: str) -> tuple[str, str]:
    """Returns base and quote asset.

    >>> assets_of("BTCUSD_PERP"), assets_of("ETHUSDT")
    (('BTC', 'USD'), ('ETH', 'USDT'))
    """
    pair = pair_of(symbol)
    quote = next((one for one in _QUOTES if pair.endswith(one) and pair != one), pair[-4:])
    return pair.removesuffix(quote), quote
