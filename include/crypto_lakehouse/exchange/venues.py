"""The exchanges that have a REST source."""

from types import MappingProxyType

from crypto_lakehouse.exchange.binance import BINANCE
from crypto_lakehouse.exchange.coinbase import COINBASE
from crypto_lakehouse.exchange.kraken import KRAKEN
from crypto_lakehouse.vocabulary import Exchange

VENUES = MappingProxyType({Exchange.BINANCE: BINANCE, Exchange.COINBASE: COINBASE, Exchange.KRAKEN: KRAKEN})
"""What each exchange has beyond the table's rows."""
