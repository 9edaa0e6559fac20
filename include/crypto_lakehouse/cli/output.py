"""Output of the commands: the result goes to stdout, everything else to stderr."""

import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crypto_lakehouse.foreign_text import message
from crypto_lakehouse.json_text import json_text

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
    print(json_text(document))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, grouped: bool = True) -> None:
    """Prints a table with aligned columns, one line per row; columns of numbers are aligned to the right.

    A terminal gets a bold header, and cells that do not fit are cut off with an ellipsis.

    Args:
        columns: The names of the columns.
        rows: The cells of each row.
        grouped: Whether digits are grouped by thousands: counts are, identifiers are not.
    """
    from rich.console import Console

    table = _table(columns, [[_text(value, grouped=grouped) for value in row] for row in rows])
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
        table.add_column(Text(name), justify="right" if is_numeric else "left", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _text(value: object, *, grouped: bool) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        text = f"{value:,}" if grouped else str(value)
    elif isinstance(value, datetime):
        # All times are UTC.
        text = str(value.replace(tzinfo=None))
    elif isinstance(value, Decimal):
        text = format(value, "f")
    elif isinstance(value, list | dict | bytes):
        text = json_text(value).strip('"')
    else:
        text = str(value)
    # Control characters in data could change the terminal.
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_number(text: str) -> bool:
    return text == "-" or text.replace(",", "").replace(".", "", 1).removeprefix("-").isdigit()
