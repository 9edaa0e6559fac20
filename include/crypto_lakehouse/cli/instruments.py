"""`crypto-lakehouse instruments`: update the instrument master."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli.options import RequiredMarketOption
from crypto_lakehouse.cli.output import JsonOption, examples, print_json
from crypto_lakehouse.cli.progress import listening
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.vocabulary import Market

if TYPE_CHECKING:
    from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody

app = typer.Typer(help="Update the instrument master: which instrument had a symbol, and when.", rich_markup_mode=None)

BodyOption = Annotated[
    list[Path] | None,
    typer.Option("--exchange-info", help="A file with an exchangeInfo response as received; may be repeated."),
]
AskOption = Annotated[
    bool, typer.Option("--ask/--no-ask", help="Request exchangeInfo from the exchange where no file is given.")
]


@app.callback()
def instruments() -> None:
    """Update the instrument master: which instrument had a symbol, and when."""


@app.command(
    epilog=examples(
        "instruments update --market um",
        "instruments update --market spot --exchange-info exchangeInfo.json",
        "instruments update --market cm --no-ask --json",
    )
)
def update(
    market: RequiredMarketOption,
    *,
    exchange_info: BodyOption = None,
    ask: AskOption = True,
    as_json: JsonOption = False,
) -> None:
    """List the symbols and days of the archive, request exchangeInfo, and add a version of the master if it changed."""
    from crypto_lakehouse.instruments.fetching import fetch_exchange_info
    from crypto_lakehouse.instruments.updating import update_instruments
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    bodies = [_body(path, market) for path in exchange_info or ()]
    settings = load_settings()
    # A given file replaces the request to the exchange.
    if ask and not bodies:
        bodies = fetch_exchange_info(market, settings)
    with listening(quiet=as_json) as progress:
        outcome = update_instruments(market, settings, storage=open_storage(settings), bodies=bodies, progress=progress)
    if as_json:
        print_json({"status": "succeeded" if outcome.is_new_version else "nothing_to_do", **asdict(outcome)})
        return
    word = "a new version" if outcome.is_new_version else "nothing is new"
    print(f"{market}: {outcome.instruments:,} instruments of {outcome.symbols:,} symbols in the archive, {word}")
    print(f"{outcome.added:,} added, {outcome.changed:,} changed, {outcome.removed:,} removed")


def _body(path: Path, market: Market) -> "ExchangeInfoBody":
    from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody, server_time

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--exchange-info {path} cannot be read: {error}", "Name a file of JSON text") from error
    # The file may be old: the response contains the exchange's own time.
    return ExchangeInfoBody(text, server_time(text, market) or datetime.now(UTC))
