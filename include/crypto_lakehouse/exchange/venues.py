"""Every exchange that can be asked."""

from types import MappingProxyType

from crypto_lakehouse.exchange.binance import BINANCE
from crypto_lakehouse.exchange.coinbase import COINBASE
from crypto_lakehouse.exchange.kraken import KRAKEN
from crypto_lakehouse.vocabulary import Exchange

VENUES = MappingProxyType({Exchange.BINANCE: BINANCE, Exchange.COINBASE: COINBASE, Exchange.KRAKEN: KRAKEN})
"""What is peculiar to each exchange."""
