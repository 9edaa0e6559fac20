"""What the commands about coverage share: reading it, and showing it."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from crypto_lakehouse.cli.options import SeriesSelection
from crypto_lakehouse.cli.output import note, print_table
from crypto_lakehouse.errors import InvalidRequest

if TYPE_CHECKING:
    import polars as pl

    from crypto_lakehouse.reports.calendar import Calendar

MAX_LISTED = 400
"""Lines of a table that are printed: a little more than a year of days."""
MAX_CHARTS = 200
"""Years of series in one picture. Browsers become slow with more."""


def days_of(selection: SeriesSelection) -> "pl.DataFrame":
    """Returns the coverage of a selection, one row per series and UTC day."""
    from crypto_lakehouse.query import Lake

    return Lake.open().coverage(
        selection.dataset.name,
        symbols=selection.symbols,
        intervals=selection.intervals,
        days=(selection.first_day, selection.last_day),
    )


def print_days(days: "pl.DataFrame") -> None:
    """Prints one line per day."""
    print_listed(days.drop("dataset", "version", "at"))


def print_listed(frame: "pl.DataFrame") -> None:
    """Prints a frame as a table. A note on stderr gives the number of lines that were left out."""
    print_table(frame.columns, frame.head(MAX_LISTED).iter_rows())
    if frame.height > MAX_LISTED:
        note(f"cut off after {MAX_LISTED} of {frame.height:,} lines; --json prints all")


def print_calendar(days: "pl.DataFrame") -> None:
    """Prints one line per month and one letter per day, with colours where the terminal has them."""
    from crypto_lakehouse.reports.calendar import calendars
    from crypto_lakehouse.reports.calendar_text import calendar_lines

    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for line in calendar_lines(calendars(days), coloured=coloured):
        print(line)


def write_pictures(days: "pl.DataFrame", title: str, html: Path | None, png: Path | None) -> None:
    """Writes the calendar as a page, as an image, or as both.

    Raises:
        InvalidRequest: There is nothing to draw, or too much for one picture, or Pillow is not installed.
    """
    from crypto_lakehouse.reports.calendar import calendars, charts
    from crypto_lakehouse.reports.calendar_page import calendar_page

    drawn = calendars(days)
    years = len(charts(drawn))
    if not 0 < years <= MAX_CHARTS:
        what = f"the picture would have {years:,} years of series, allowed are 1 to {MAX_CHARTS}"
        raise InvalidRequest(what, "Narrow it with --symbols, --interval, --start-date and --end-date")
    if html is not None:
        html.write_text(calendar_page(title, drawn), encoding="utf-8")
        note(f"calendar: {html}")
    if png is not None:
        png.write_bytes(_image(drawn))
        note(f"calendar: {png}")


def _image(drawn: "list[Calendar]") -> bytes:
    try:
        from crypto_lakehouse.reports.calendar_image import calendar_png
    except ModuleNotFoundError as error:
        advice = "Run `pip install 'crypto-lakehouse[reports]'`, or use --html"
        raise InvalidRequest(f"--png needs a package that is not installed: {error.name}", advice) from error
    return calendar_png(drawn)
