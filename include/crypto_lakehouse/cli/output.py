"""How commands speak: the result on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else to stdout.")]


def examples(*lines: str) -> str:
    """Returns an epilog that shows examples, one a line."""
    # The control character keeps the help's formatter from joining the lines.
    return "\b\nExamples:\n" + "\n".join(f"  crypto-lakehouse {line}" for line in lines)


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints one JSON document on one line."""
    print(json.dumps(document, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table of plain text, columns aligned; numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    right = [bool(texts) and all(_is_number(line[at]) for line in texts) for at in range(len(columns))]
    widths = [max(len(line[at]) for line in [list(columns), *texts]) for at in range(len(columns))]
    for line in [list(columns), *texts]:
        cells = zip(line, widths, right, strict=True)
        aligned = [text.rjust(width) if to_right else text.ljust(width) for text, width, to_right in cells]
        print("  ".join(aligned).rstrip())


def note(text: str) -> None:
    """Prints a line for people, on stderr."""
    print(text, file=sys.stderr)


def _text(cell: object) -> str:
    if cell is None:
        return "-"
    text = f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
    # A value from a file must not steer the terminal.
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()
