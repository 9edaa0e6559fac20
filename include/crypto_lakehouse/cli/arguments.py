"""What the parser of the command line cannot do by itself: options that take several words."""

from collections.abc import Sequence

SEVERAL = frozenset({"--symbols", "--interval", "--intervals"})
"""Options that take several values: repeated, or in one go with commas or spaces."""


def gathered(arguments: Sequence[str]) -> list[str]:
    """Returns the arguments with the words after an option of several values joined by commas.

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
    """Returns the single values of an option that may be repeated and may join values by commas or spaces.

    >>> split_values(["BTCUSDT,ETHUSDT", "SOL*"])
    ['BTCUSDT', 'ETHUSDT', 'SOL*']
    """
    return list(dict.fromkeys(part for value in values for part in value.replace(",", " ").split()))
