from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey, bronze_path, parse_key
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.vocabulary import Frequency, Interval


def test_every_real_object_is_named_as_it_would_be_spelled(real_archive: Path) -> None:
    names = [path.relative_to(real_archive).as_posix() for path in real_archive.rglob("*.zip")]
    assert len(names) == 12
    for name in names:
        key = parse_key(name)
        assert key is not None
        assert key.key == name
        assert key.checksum_key == f"{name}.CHECKSUM"


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_a_key_of_every_dataset_and_frequency_survives_the_round_trip(row) -> None:
    for frequency in row.frequencies:
        key = ArchiveKey(row, frequency, row.sample_symbol, Interval.H1 if row.has_interval else None, date(2024, 2, 1))
        parsed = parse_key(key.key)
        assert parsed is not None
        assert (parsed.dataset, parsed.frequency, parsed.symbol, parsed.first_day) == (
            row,
            frequency,
            row.sample_symbol,
            date(2024, 2, 1),
        )
        assert parsed.last_day == (date(2024, 2, 1) if frequency is Frequency.DAILY else date(2024, 2, 29))


def test_a_month_of_one_digit_keeps_its_spelling_and_has_the_usual_place() -> None:
    name = "data/spot/monthly/klines/ADABKRW/1d/ADABKRW-1d-2020-8.zip"
    key = parse_key(name)
    assert key is not None
    assert key.key == name
    assert (key.first_day, key.last_day) == (date(2020, 8, 1), date(2020, 8, 31))
    assert "/2020-08/" in bronze_path(key, "0" * 64)


@pytest.mark.parametrize("symbol", ["币安人生USDT", "BTCUSDT_260925", "CVCUSDTSETTLED", "1000000MOGUSDT"])
def test_unusual_symbols_are_symbols(symbol: str) -> None:
    key = ArchiveKey(dataset("binance_um_klines"), Frequency.DAILY, symbol, Interval.M1, date(2026, 1, 1))
    assert parse_key(key.key) == ArchiveKey(
        key.dataset, key.frequency, symbol, key.interval, key.first_day, "2026-01-01"
    )
    assert bronze_path(key, "ab").isascii()


@pytest.mark.parametrize(
    "stray",
    [
        "data/futures/um/monthly/aggTrades/BTCUSDT/part-00000-4f1d-c000.zip",
        "data2/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip",
        "data/spot/daily/bookTicker/BTCUSDT/BTCUSDT-bookTicker-2024-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/ETHUSDT-1m-2024-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01.zip",
        "data/spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1M/BTCUSDT-1M-2024-01-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-13-01.zip",
        "data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip.CHECKSUM",
        "data/spot/daily/klines/../1m/..-1m-2024-01-01.zip",
        "",
    ],
)
def test_a_stray_is_no_object(stray: str) -> None:
    assert parse_key(stray) is None
