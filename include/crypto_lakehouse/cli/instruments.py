"""`crypto-lakehouse instruments`: update the instrument master."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli.options import RequiredMarketOption
from crypto_lakehouse.cli.output import JsonOption, examples, print_json
from crypto_lakehouse.counting import several
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.progress import shown_progress
from crypto_lakehouse.vocabulary import Step

if TYPE_CHECKING:
    from crypto_lakehouse.runs.orders import InstrumentsOrder
    from crypto_lakehouse.runs.outcomes import InstrumentsOutcome
    from crypto_lakehouse.settings import Settings

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
    from crypto_lakehouse.running import new_run_id, run_alone
    from crypto_lakehouse.runs.orders import InstrumentsOrder
    from crypto_lakehouse.settings import load_settings

    bodies = [_body(path) for path in exchange_info or ()]
    settings = load_settings()
    order = InstrumentsOrder(market, new_run_id("cli"), ask)
    # A given file replaces the request to the exchange.
    order = replace(order, exchange_info=_stored(bodies, order, settings))
    with shown_progress(quiet=as_json) as progress:
        result = run_alone(Step.INSTRUMENTS, order, settings, progress)
    outcome: InstrumentsOutcome = result.completed()
    figures = outcome.figures
    if as_json:
        facts = {**figures.counts(), "is_new_version": outcome.is_new_version}
        print_json({"status": result.status.value, **facts})
        return
    word = "a new version" if outcome.is_new_version else "nothing is new"
    instruments, symbols = several(figures.instruments, "instrument"), several(figures.symbols, "symbol")
    print(f"{market}: {instruments} of {symbols} in the archive, {word}")
    print(f"{figures.added:,} added, {figures.changed:,} changed, {figures.removed:,} removed")


def _stored(bodies: Sequence[str], order: "InstrumentsOrder", settings: "Settings") -> tuple[str, ...]:
    """Puts the given answers into the folder of the run, where the step finds them, and returns their keys."""
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.runs.orders import run_folder

    storage, folder = open_storage(settings), run_folder(order.subject, order.run_id)
    keys = tuple(f"{folder}/exchange_info-{number:03}.txt" for number in range(len(bodies)))
    for key, text in zip(keys, bodies, strict=True):
        storage.write(key, text.encode())
    return keys


def _body(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"--exchange-info {path} cannot be read: {error}", "Name a file of JSON text") from error
