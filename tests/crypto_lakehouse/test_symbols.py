"""What is not a symbol does not get into a path, a URL or a query."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.symbols import MAX_LENGTH, symbol_from_key, symbol_key, validated_pattern, validated_symbol

REAL = (
    "BTCUSDT",
    "BTCUSD_PERP",
    "BTCUSD_240628",
    "1000SHIBUSDT",
    "BTC-230929",
    "币安人生USDT",
    "BTCBVOLUSDT",
    "DOTUSDt",
)
POISONED = (
    "",
    "../BTCUSDT",
    "BTC/USDT",
    "BTC\\USDT",
    "BTC%2FUSDT",
    "%2e%2e",
    "BTC.USDT",
    "BTC\nUSDT",
    "BTC\rUSDT",
    "BTC'USDT",
    'BTC"USDT',
    "BTC;USDT",
    "$(reboot)",
    "`reboot`",
    "BTC USDT",
    "BTC\u00a0USDT",
    "BTC\u200bUSDT",
    "BTC\u202eTDSU",
    "BTC\x00USDT",
    "B" * 5000,
    "BTC' OR 1=1 --",
    "!!python/object",
    "e\u0301USDT",
    "BTC\ud800",
    "BTC=USDT",
    "BTC|USDT",
    "BTC&USDT",
    "BTC*",
    "X--41",
)

symbols = st.text(
    st.characters(categories=("L", "N"), include_characters="_-"), min_size=1, max_size=MAX_LENGTH
).filter(lambda text: unicodedata.normalize("NFC", text) == text and not text.startswith("X--"))


@pytest.mark.parametrize("text", REAL)
def test_a_real_symbol_is_taken_as_it_is(text: str) -> None:
    assert validated_symbol(text) == text


@pytest.mark.parametrize("text", POISONED)
def test_a_poisoned_symbol_is_refused_with_a_reason_of_one_printable_line(text: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        validated_symbol(text)
    assert refusal.value.what.isprintable()
    assert len(refusal.value.what) < 200


def test_a_look_alike_is_another_symbol_with_another_key() -> None:
    cyrillic = "ВTCUSDT"
    assert validated_symbol(cyrillic) != "BTCUSDT"
    assert symbol_key(cyrillic) != symbol_key("BTCUSDT")


@given(symbols)
def test_a_key_is_ascii_safe_in_a_path_and_gives_the_symbol_back(symbol: str) -> None:
    key = symbol_key(symbol)
    assert re.fullmatch(r"[A-Z0-9_-]+", key)
    assert symbol_from_key(key) == symbol


@given(st.lists(symbols, unique=True, max_size=5))
def test_two_symbols_never_share_a_key_even_where_case_does_not_count(names: list[str]) -> None:
    assert len({symbol_key(name).lower() for name in names}) == len(names)


@pytest.mark.parametrize("key", ["X--", "X--ZZ", "X--41", "X--E5B8", "x--41", "../a", "X--2E2E2F"])
def test_a_key_that_no_symbol_has_is_refused(key: str) -> None:
    with pytest.raises(InvalidRequest):
        symbol_from_key(key)


@given(st.text(max_size=40))
def test_no_text_ends_in_anything_but_a_symbol_or_a_refusal(text: str) -> None:
    try:
        assert validated_symbol(text) == text
    except InvalidRequest as refusal:
        assert refusal.advice


def test_a_pattern_may_hold_stars_and_question_marks_and_nothing_else() -> None:
    assert validated_pattern("BTC*") == "BTC*"
    assert validated_pattern("?TCUSDT") == "?TCUSDT"
    for text in ("", "BTC[A-Z]", "../*", "*;*", "{a,b}"):
        with pytest.raises(InvalidRequest):
            validated_pattern(text)
