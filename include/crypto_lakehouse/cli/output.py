"""Output of the commands: the result goes to stdout, everything else to stderr."""

import json
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crypto_lakehouse.foreign_text import message

if TYPE_CHECKING:
    from rich.table import Table

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else to stdout.")]

_PLAIN_WIDTH = 1_000_000
"""Columns of an output that is not a terminal: wide enough to never wrap a line."""


def examples(*lines: str) -> str:
    """Returns an epilog for a command's help with one example per line."""
    # The control character keeps the help formatter from joining the lines.
    return "\b\nExamples:\n" + "\n".join(f"  crypto-lakehouse {line}" for line in lines)


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Prints one JSON document on one line."""
    print(json.dumps(document, ensure_ascii=False, default=str))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints a table with aligned columns; columns of numbers are aligned to the right.

    A terminal gets a bold header, and long cells are wrapped. Other outputs get plain text with one line per row.
    """
    from rich.console import Console

    table = _table(columns, [[_text(value) for value in row] for row in rows])
    if sys.stdout.isatty():
        Console().print(table)
        return
    console = Console(width=_PLAIN_WIDTH, color_system=None, force_terminal=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        print(line.rstrip())


def note(text: str) -> None:
    """Prints a line for people, on stderr."""
    print(text, file=sys.stderr)


def note_traceback(error: BaseException) -> None:
    """Prints the traceback of an unexpected error on stderr. Its text may quote what others sent."""
    note(message("".join(traceback.format_exception(error)), limit=None))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> "Table":
    from rich.table import Table
    from rich.text import Text

    # Values are `Text`, because rich reads square brackets in a `str` as markup.
    table = Table(box=None, pad_edge=False, header_style="bold")
    for position, name in enumerate(columns):
        is_numeric = bool(rows) and all(_is_number(row[position]) for row in rows)
        table.add_column(Text(name), justify="right" if is_numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _text(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
    # Control characters in data could change the terminal.
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()
