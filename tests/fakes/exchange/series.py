"""What a row belongs to."""

from dataclasses import dataclass

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, Interval, Market


@dataclass(frozen=True, slots=True)
class DatasetSeries:
    """One symbol of one dataset, and the interval where there is one.

    Args:
        name: The dataset's name; equality and hash go by it, not by the whole row of the table.
        symbol: Raw symbol, or the pair of an inverse index.
        interval: Kline interval.
    """

    name: str
    symbol: str
    interval: Interval | None = None

    @classmethod
    def of(cls, market: Market, data_type: DataType, symbol: str, interval: Interval | None = None) -> "DatasetSeries":
        """Returns the series of a Binance market."""
        return cls(f"binance_{market}_{data_type.slug}", symbol, interval)

    @property
    def dataset(self) -> Dataset:
        """Its row of the table."""
        return dataset(self.name)
