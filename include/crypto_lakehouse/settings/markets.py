"""Settings of the symbols and intervals that scheduled runs cover."""

from typing import Annotated

from pydantic import AfterValidator

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings.part import SettingsPart
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import Exchange, Interval, Market, market_name


def _symbol_pattern(text: str) -> str:
    try:
        return validated_pattern(text)
    except InvalidRequest as error:
        # As a ValueError it is collected with the other faults, under the name of its key.
        raise ValueError(error.what) from error


SymbolPattern = Annotated[str, AfterValidator(_symbol_pattern)]
"""A symbol, or a glob of `*` and `?` over symbols."""


class MarketFilter(SettingsPart):
    """The symbols and intervals of a market that scheduled runs cover. Params of a DAG run override it."""

    symbols: tuple[SymbolPattern, ...] = ("BTCUSDT", "ETHUSDT")
    intervals: tuple[Interval, ...] = (Interval.M1, Interval.H1)


def _known_market(name: str) -> str:
    known = {market_name(exchange, market) for exchange in Exchange for market in Market}
    if name not in known:
        raise ValueError(f"{name!r} is not a market: known are {', '.join(sorted(known))}")
    return name


MarketName = Annotated[str, AfterValidator(_known_market)]
"""A market as `market_name` calls it."""


def default_market_filters() -> dict[str, MarketFilter]:
    """Returns the filters of the markets that the configuration does not name."""
    return {
        Market.SPOT.value: MarketFilter(),
        Market.UM.value: MarketFilter(),
        Market.CM.value: MarketFilter(symbols=("BTCUSD*",)),
        Market.OPTION.value: MarketFilter(symbols=("*",), intervals=()),
    }
