"""`crypto-lakehouse backfill`: load history from the exchange's API, without the archive."""

from datetime import timedelta
from typing import Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.ingest import run_and_print
from crypto_lakehouse.cli.options import GivenOptions
from crypto_lakehouse.cli.output import JsonOption, examples
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.vocabulary import Market

app = typer.Typer(help="Load history without the archive.", rich_markup_mode=None)

LookbackOption = Annotated[int, typer.Option("--lookback-days", min=1, max=3650, help="How many days back from now.")]


# Without a callback, typer makes the group itself the command if the group has only one.
@app.callback()
def _group() -> None:
    """Load history without the archive."""


@app.command(
    "rest",
    epilog=examples(
        "backfill rest --symbols BTCUSDT,ETHUSDT --lookback-days 180 --interval 1m",
        "backfill rest --exchange coinbase --symbols BTC-USD --lookback-days 30 --interval 1h",
        "backfill rest --data-type funding-rates --market um --symbols BTCUSDT --lookback-days 365 --json",
    ),
)
def rest(
    *,
    symbols: options.SymbolsOption = None,
    lookback_days: LookbackOption = 180,
    interval: options.IntervalsOption = None,
    data_type: options.DataTypeOption = "klines",
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Request days up to now from the exchange, within its rate limits.

    Days that the lake already has are skipped, and a repeated run continues where the last one stopped.
    """
    if not symbols:
        raise InvalidRequest("--symbols is missing", "Name the symbols: --symbols BTCUSDT,ETHUSDT")
    today = utc_now().date()
    first = today - timedelta(days=lookback_days)
    chosen = market or (Market.SPOT if data_type == "klines" else None)
    choice = (data_type, chosen, symbols, interval, first.isoformat(), today.isoformat())
    run_and_print(GivenOptions(*choice, pull=False, exchange=exchange), as_json)
