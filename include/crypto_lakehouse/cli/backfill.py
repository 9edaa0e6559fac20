"""`crypto-lakehouse backfill`: history without the archive."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.ingest import run_and_print
from crypto_lakehouse.cli.options import Ask
from crypto_lakehouse.cli.output import JsonOption, examples
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.vocabulary import Market

app = typer.Typer(help="Bring history without the archive.", rich_markup_mode=None)

LookbackOption = Annotated[int, typer.Option("--lookback-days", min=1, max=3650, help="How many days back from now.")]


# With one command and no callback typer would take the group itself for that command.
@app.callback()
def _group() -> None:
    """Bring history without the archive."""


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
    """Ask the exchange for days up to now, within its limits; what is there is skipped, and a repeated run goes on."""
    if not symbols:
        raise InvalidRequest("--symbols is missing", "Name the symbols to ask for: --symbols BTCUSDT,ETHUSDT")
    today = datetime.now(UTC).date()
    first = today - timedelta(days=lookback_days)
    chosen = market or (Market.SPOT if data_type == "klines" else None)
    choice = (data_type, chosen, symbols, interval, first.isoformat(), today.isoformat())
    run_and_print(Ask(*choice, pull=False, exchange=exchange), as_json)
