"""The tables that a query names."""

from crypto_lakehouse.query.views import named_in


def test_datasets_are_found_by_whole_words_in_any_case() -> None:
    names = ["binance_um_klines", "binance_um_mark_price_klines"]
    assert named_in('SELECT * FROM "Binance_UM_Klines"', names) == ["binance_um_klines"]
    assert named_in("SELECT * FROM my_binance_um_klines", names) == []
