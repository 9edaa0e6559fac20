"""Options with several values, which the parser of the command line does not support by itself."""

import re
from collections.abc import Sequence

_TEXT = re.compile(r"-[^=\s]*\s")
LAKE = "--lake"
"""The option of the program itself. People write it before or after the command."""
SEVERAL = frozenset({"--symbols", "--interval"})
"""Options that take several values. An option may be repeated, or its values are separated by commas or spaces."""


def gathered(arguments: Sequence[str]) -> list[str]:
    r"""Returns the arguments with the values of each option joined by commas, where it takes several.

    >>> gathered(["ingest", "klines", "--symbols", "BTCUSDT", "ETHUSDT", "--json"])
    ['ingest', 'klines', '--symbols', 'BTCUSDT,ETHUSDT', '--json']
    >>> gathered(["query", "info", "--lake", "/data/lake"])
    ['--lake', '/data/lake', 'query', 'info']
    >>> gathered(["query", "sql", "-- all\\nSELECT 1"])
    ['query', 'sql', ' -- all\\nSELECT 1']
    """
    joined: list[str] = []
    collecting = False
    lake, arguments = _lake_first(arguments)
    for given in arguments:
        # A statement may begin with a comment of SQL. No option has blanks in its name.
        word = f" {given}" if _TEXT.match(given) else given
        if word.startswith("-"):
            collecting = word in SEVERAL
        elif collecting and joined[-1] not in SEVERAL:
            joined[-1] += f",{word}"
            continue
        joined.append(word)
    return [*lake, *joined]


def _lake_first(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Returns the option `--lake`, which may stand anywhere, and the other arguments."""
    lake, others = list[str](), list[str]()
    words = iter(arguments)
    for word in words:
        if word == LAKE:
            lake += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            (lake if word.startswith(f"{LAKE}=") else others).append(word)
    return lake, others


def split_values(values: Sequence[str]) -> list[str]:
    """Returns the single values of an option, without duplicates.

    >>> split_values(["BTCUSDT,ETHUSDT", "SOL*"])
    ['BTCUSDT', 'ETHUSDT', 'SOL*']
    """
    return list(dict.fromkeys(part for value in values for part in value.replace(",", " ").split()))
