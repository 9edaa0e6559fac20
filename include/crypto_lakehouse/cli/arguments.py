"""Options with several values, which the parser of the command line does not support by itself."""

from collections.abc import Sequence

SEVERAL = frozenset({"--symbols", "--interval"})
"""Options that take several values. An option may be repeated, or its values are separated by commas or spaces."""


def gathered(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with the values of each option joined by commas, where it takes several.

    >>> gathered(["ingest", "klines", "--symbols", "BTCUSDT", "ETHUSDT", "--json"])
    ['ingest', 'klines', '--symbols', 'BTCUSDT,ETHUSDT', '--json']
    """
    joined: list[str] = []
    collecting = False
    for word in arguments:
        if word.startswith("-"):
            collecting = word in SEVERAL
        elif collecting and joined[-1] not in SEVERAL:
            joined[-1] += f",{word}"
            continue
        joined.append(word)
    return joined


def split_values(values: Sequence[str]) -> list[str]:
    """Returns the single values of an option, without duplicates.

    >>> split_values(["BTCUSDT,ETHUSDT", "SOL*"])
    ['BTCUSDT', 'ETHUSDT', 'SOL*']
    """
    return list(dict.fromkeys(part for value in values for part in value.replace(",", " ").split()))
