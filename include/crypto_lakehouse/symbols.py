"""What a symbol may be, and its ASCII-safe form for paths and partition keys. Standard library only."""

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from crypto_lakehouse.errors import InvalidRequest, UnknownSymbol

MAX_LENGTH = 32
_FORBIDDEN = frozenset("/\\.%'\";`$(){}[]<>|&*?!#~^,:=+@")
_HEX_PREFIX = "X--"


def validated_symbol(text: str) -> str:
    """Returns `text` if it can be an exchange symbol: NFC letters, digits, `_` and `-`, at most 32 characters.

    Letters of any script are allowed: some real symbols are not ASCII. What could change the meaning of a path,
    a URL, a shell word or a query is not.

    >>> validated_symbol("币安人生USDT")
    '币安人生USDT'

    Raises:
        InvalidRequest: It is not a symbol.
    """
    reason = _refusal(text)
    if reason:
        raise InvalidRequest(f"symbol {text[:40]!r} {reason}", "Use a symbol as the archive spells it, e.g. BTCUSDT")
    return text


def validated_pattern(text: str) -> str:
    """Returns `text` if it is a symbol, or a glob of `*` and `?` over symbols.

    >>> validated_pattern("BTC*")
    'BTC*'

    Raises:
        InvalidRequest: It is neither.
    """
    validated_symbol(text.replace("*", "A").replace("?", "A"))
    return text


def nearest_symbols(text: str, known: Iterable[str]) -> list[str]:
    """Returns up to three known symbols that a text may have meant, the nearest first.

    >>> nearest_symbols("btcusdt", ["BTCUSDT", "ETHUSDT", "BTCUSDC"])[0], nearest_symbols("XYZ", ["BTCUSDT"])
    ('BTCUSDT', [])
    """
    return get_close_matches(text.upper(), sorted(set(known)), n=3, cutoff=0.7)


def unknown_symbol(text: str, where: str, nearest: Sequence[str], dataset: str) -> UnknownSymbol:
    """Returns the error that a name is no known symbol.

    Args:
        text: The name.
        where: What does not have it: `the archive`.
        nearest: The symbols that it may have meant.
        dataset: The table.
    """
    advice = f"Nearest: {', '.join(nearest)}" if nearest else "Use a symbol as the exchange spells it"
    return UnknownSymbol(f"{where} has no symbol {text[:MAX_LENGTH]!r}", advice, dataset=dataset)


def _refusal(text: str) -> str:
    if not text or len(text) > MAX_LENGTH:
        return f"has {len(text)} characters, allowed are 1 to {MAX_LENGTH}"
    if unicodedata.normalize("NFC", text) != text:
        return "is not in Unicode normal form C"
    for character in text:
        category = unicodedata.category(character)
        if character in _FORBIDDEN or not (category[0] in "LN" or character in "_-"):
            return f"holds {character!r} (Unicode category {category})"
    if text.startswith(_HEX_PREFIX):
        return f"starts with {_HEX_PREFIX}, which marks an encoded symbol"
    return ""


def symbol_key(symbol: str) -> str:
    """Returns the ASCII-safe form of a symbol for paths and partition values; ASCII symbols stay as they are.

    >>> symbol_key("BTCUSD_PERP"), symbol_key("币USDT")
    ('BTCUSD_PERP', 'X--E5B88155534454')

    Raises:
        InvalidRequest: It is not a symbol.
    """
    text = validated_symbol(symbol)
    plain = text.isascii() and text == text.upper()
    return text if plain else _HEX_PREFIX + text.encode().hex().upper()


def symbol_from_key(key: str) -> str:
    """Returns the symbol that `symbol_key` made `key` from.

    Raises:
        InvalidRequest: It is no such key.
    """
    try:
        encoded = key.startswith(_HEX_PREFIX)
        symbol = bytes.fromhex(key.removeprefix(_HEX_PREFIX)).decode() if encoded else key
    except ValueError as error:
        raise InvalidRequest(f"{key[:80]!r} is not an encoded symbol") from error
    # One symbol, one key: another spelling of it would be another partition with the same rows.
    if symbol_key(symbol) != key:
        raise InvalidRequest(f"{key[:80]!r} is not the key of symbol {symbol!r}")
    return symbol
