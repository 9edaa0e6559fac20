"""`crypto-lakehouse gaps`: what is missing, and filling it."""

from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.coverage import print_listed
from crypto_lakehouse.cli.options import Ask
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json
from crypto_lakehouse.cli.progress import listening
from crypto_lakehouse.exit_codes import exit_code
from crypto_lakehouse.lake.work import PlanRequest

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="See what is missing from the lake, and fill it.", rich_markup_mode=None)

UnknownOption = Annotated[bool, typer.Option("--unknown", help="Leave out what upstream is known not to have.")]


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
    asked = options.checked_series(Ask(data_type, market, symbols, interval, start_date, end_date))
    found = _gaps(asked)
    if unknown:
        found = found.filter(found["known"] == "")
    if as_json:
        print_json(found.to_dicts())
    elif found.is_empty():
        print(f"no gap is known in {asked.dataset.name}")
    else:
        print_listed(found.drop("dataset"))
        note(_words(found))


@app.command(
    "fill",
    epilog=examples(
        "gaps fill --data-type klines --market spot --symbols BTCUSDT --interval 1m",
        "gaps fill --data-type binance_um_metrics --start-date 2026-11-01 --json",
    ),
)
def fill_gaps(
    *,
    data_type: options.DataTypeOption,
    market: options.MarketOption = None,
    symbols: options.SymbolsOption = None,
    interval: options.IntervalsOption = None,
    start_date: options.FirstDayOption = "",
    end_date: options.LastDayOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fetch what is missing: from the archive where it has it by now, else from the exchange while it answers.

    What was asked for once and is not there is not asked for again; what is left is listed, with who does not have it.
    """
    from crypto_lakehouse.running import new_run_id, run_pipeline
    from crypto_lakehouse.settings import load_settings

    asked = options.checked_series(Ask(data_type, market, symbols, interval, start_date, end_date))
    before = _gaps(asked)
    if before.is_empty():
        print_json({"before": [], "after": []}) if as_json else print(f"no gap is known in {asked.dataset.name}")
        return
    with listening(quiet=as_json) as progress:
        summary = run_pipeline(_request(asked, before, new_run_id("fill")), load_settings(), progress)
    after = _gaps(asked)
    if as_json:
        print_json({"before": before.to_dicts(), "after": after.to_dicts(), "counts": summary.counts()})
    else:
        print(f"{_words(before)}; after asking: {_words(after)}")
        if not after.is_empty():
            print_listed(after.drop("dataset"))
    for failure in summary.failures:
        note(f"error: {failure.step} of {failure.order_key}: {failure.error}")
    if summary.failures:
        raise typer.Exit(exit_code(summary.failures[0].error))


def _gaps(asked: options.Series) -> "pl.DataFrame":
    from crypto_lakehouse.query import Lake

    return Lake.open().gaps(
        asked.dataset.name, symbols=asked.symbols, intervals=asked.intervals, days=(asked.first_day, asked.last_day)
    )


def _request(asked: options.Series, gaps: "pl.DataFrame", run_id: str) -> PlanRequest:
    from crypto_lakehouse.coverage.filling import fill_of

    fill = fill_of(asked.dataset.name, gaps)
    if fill is None:
        raise ValueError("there are gaps")
    return PlanRequest(
        dataset=fill.dataset,
        run_id=run_id,
        first_day=fill.first_day.isoformat(),
        last_day=fill.last_day.isoformat(),
        symbols=fill.symbols,
        intervals=fill.intervals,
        fill=True,
    )


def _words(found: "pl.DataFrame") -> str:
    counted = int(found["missing"].fill_null(0).sum())
    uncounted = found["missing"].null_count()
    beyond = f", and what {uncounted:,} of them lack cannot be counted" if uncounted else ""
    return f"{found.height:,} gaps; {counted:,} rows or ids are missing{beyond}"
