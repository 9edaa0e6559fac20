"""`crypto-lakehouse gaps`: what is missing."""

from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.coverage import print_listed
from crypto_lakehouse.cli.options import Ask
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="See what is missing from the lake.", rich_markup_mode=None)

UnknownOption = Annotated[bool, typer.Option("--unknown", help="Leave out what upstream is known not to have.")]


# With one command and no callback typer would take the group itself for that command.
@app.callback()
def _group() -> None:
    """See what is missing from the lake."""


@app.command(
    "list",
    epilog=examples(
        "gaps list --data-type klines --market spot --symbols BTCUSDT --interval 1m",
        "gaps list --data-type agg-trades --market um --start-date 2024-01-01 --end-date 2024-12-31 --unknown",
        "gaps list --data-type binance_um_metrics --symbols 'BTC*' --json",
    ),
)
def list_gaps(
    *,
    data_type: options.DataTypeOption,
    market: options.MarketOption = None,
    symbols: options.SymbolsOption = None,
    interval: options.IntervalsOption = None,
    start_date: options.FirstDayOption = "",
    end_date: options.LastDayOption = "",
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """List what is missing: from when to when, how much, since when, and whether upstream is known to lack it."""
    from crypto_lakehouse.query import Lake

    asked = options.checked_series(Ask(data_type, market, symbols, interval, start_date, end_date))
    found = Lake.open().gaps(
        asked.dataset.name,
        symbols=asked.symbols,
        intervals=asked.intervals,
        days=(asked.first_day, asked.last_day),
    )
    if unknown:
        found = found.filter(found["known"] == "")
    if as_json:
        print_json(found.to_dicts())
    elif found.is_empty():
        print(f"no gap is known in {asked.dataset.name}")
    else:
        print_listed(found.drop("dataset"))
        note(_words(found))


def _words(found: "pl.DataFrame") -> str:
    counted = int(found["missing"].fill_null(0).sum())
    uncounted = found["missing"].null_count()
    beyond = f", and what {uncounted:,} of them lack cannot be counted" if uncounted else ""
    return f"{found.height:,} gaps; {counted:,} rows or ids are missing{beyond}"
