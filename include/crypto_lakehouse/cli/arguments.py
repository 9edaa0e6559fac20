"""Options with several values, which the parser of the command line does not support by itself."""

import re
from collections.abc import Sequence

_TEXT = re.compile(r"-[^=\s]*\s")
SEVERAL = frozenset({"--symbols", "--interval"})
"""Options that take several values. An option may be repeated, or its values are separated by commas or spaces."""


def gathered(arguments: Sequence[str]) -> list[str]:
    r"""Returns the arguments with the values of each option joined by commas, where it takes several.

    >>> gathered(["ingest", "klines", "--symbols", "BTCUSDT", "ETHUSDT", "--json"])
    ['ingest', 'klines', '--symbols', 'BTCUSDT,ETHUSDT', '--json']
    >>> gathered(["query", "sql", "-- all\\nSELECT 1"])
    ['query', 'sql', ' -- all\\nSELECT 1']
    """
    joined: list[str] = []
    collecting = False
    for given in arguments:
        # A statement may begin with a comment of SQL. No option has blanks in its name.
        word = f" {given}" if _TEXT.match(given) else given
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
