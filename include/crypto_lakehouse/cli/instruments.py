"""`crypto-lakehouse instruments`: the instrument master brought up to date."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli.output import JsonOption, examples, print_json
from crypto_lakehouse.cli.progress import listening
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.vocabulary import Market

if TYPE_CHECKING:
    from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody

app = typer.Typer(help="Keep the instrument master: what a symbol stood for, and when.", rich_markup_mode=None)

MarketOption = Annotated[
    Market, typer.Option("--market", "--trade-type", help="spot, um (USD-M), cm (COIN-M) or option.")
]
BodyOption = Annotated[
    list[Path] | None,
    typer.Option("--exchange-info", help="A file with an exchangeInfo answer as received; may be repeated."),
]
AskOption = Annotated[
    bool, typer.Option("--ask/--no-ask", help="Ask the exchange for its exchangeInfo, where no file is given.")
]


@app.callback()
def instruments() -> None:
    """Keep the instrument master: what a symbol stood for, and when."""


@app.command(
    epilog=examples(
        "instruments update --market um",
        "instruments update --market spot --exchange-info exchangeInfo.json",
        "instruments update --market cm --no-ask --json",
    )
)
def update(
    market: MarketOption, *, exchange_info: BodyOption = None, ask: AskOption = True, as_json: JsonOption = False
) -> None:
    """List the archive's symbols and days, hear the exchange, and append a version of the master if anything is new."""
    from crypto_lakehouse.instruments.asking import ask_exchange_info
    from crypto_lakehouse.instruments.updating import update_instruments
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    bodies = [_body(path, market) for path in exchange_info or ()]
    settings = load_settings()
    # A file that is given stands for what the exchange would say.
    if ask and not bodies:
        bodies = ask_exchange_info(market, settings)
    with listening(quiet=as_json) as progress:
        found = update_instruments(market, settings, storage=open_storage(settings), bodies=bodies, progress=progress)
    if as_json:
        print_json({"status": "succeeded" if found.is_new_version else "nothing_to_do", **asdict(found)})
        return
    word = "a new version" if found.is_new_version else "nothing is new"
    print(f"{market}: {found.instruments:,} instruments of {found.symbols:,} symbols in the archive, {word}")
    print(f"{found.added:,} added, {found.changed:,} changed, {found.removed:,} removed")


def _body(path: Path, market: Market) -> "ExchangeInfoBody":
    from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody, server_time

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--exchange-info {path} cannot be read: {error}", "Name a file of JSON text") from error
    # The exchange's own clock says when the answer was true; a saved file may be old.
    return ExchangeInfoBody(text, server_time(text, market) or datetime.now(UTC))
