"""`crypto-lakehouse gaps`: list what is missing, and fill it."""

from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.coverage import print_listed
from crypto_lakehouse.cli.ingest import end_with_failures
from crypto_lakehouse.cli.options import GivenOptions
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json
from crypto_lakehouse.counting import several
from crypto_lakehouse.progress import shown_progress
from crypto_lakehouse.runs.orders import PlanRequest

if TYPE_CHECKING:
    import polars as pl

app = typer.Typer(help="List what is missing from the lake, and fill it.", rich_markup_mode=None)

UnknownOption = Annotated[bool, typer.Option("--unknown", help="Leave out gaps that are known to exist at the source.")]


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
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    symbols: options.SymbolsOption = None,
    interval: options.IntervalsOption = None,
    start_date: options.FirstDayOption = "",
    end_date: options.EndOption = "",
    unknown: UnknownOption = False,
    as_json: JsonOption = False,
) -> None:
    """List what is missing: start, end, number of rows, when it was first seen, and whether the source lacks it too."""
    selection = options.series_selection(
        GivenOptions(data_type, market, symbols, interval, start_date, end_date, exchange=exchange)
    )
    gaps = _gaps(selection)
    if unknown:
        gaps = gaps.filter(gaps["known"] == "")
    if as_json:
        print_json(gaps.to_dicts())
    elif gaps.is_empty():
        print(f"no gaps are known in {selection.dataset.name}")
    else:
        print_listed(gaps.drop("dataset"))
        note(_words(gaps))


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
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    symbols: options.SymbolsOption = None,
    interval: options.IntervalsOption = None,
    start_date: options.FirstDayOption = "",
    end_date: options.EndOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fetch what is missing: from the archive if it has it by now, else from the exchange.

    What a source was requested for once and did not have is not requested again. The gaps that are left are listed.
    """
    from crypto_lakehouse.running import new_run_id, run_pipeline
    from crypto_lakehouse.settings import load_settings

    selection = options.series_selection(
        GivenOptions(data_type, market, symbols, interval, start_date, end_date, exchange=exchange)
    )
    before = _gaps(selection)
    if before.is_empty():
        print_json({"before": [], "after": []}) if as_json else print(f"no gaps are known in {selection.dataset.name}")
        return
    with shown_progress(quiet=as_json) as progress:
        summary = run_pipeline(_request(selection, before, new_run_id("fill")), load_settings(), progress)
    after = _gaps(selection)
    if as_json:
        print_json({"before": before.to_dicts(), "after": after.to_dicts(), "counts": summary.counts()})
    else:
        print(f"{_words(before)}; after the requests: {_words(after)}")
        if not after.is_empty():
            print_listed(after.drop("dataset"))
    end_with_failures(summary)


def _gaps(selection: options.SeriesSelection) -> "pl.DataFrame":
    from crypto_lakehouse.query import Lake

    return Lake.open().gaps(
        selection.dataset.name,
        symbols=selection.symbols,
        intervals=selection.intervals,
        days=(selection.first_day, selection.last_day),
    )


def _request(selection: options.SeriesSelection, gaps: "pl.DataFrame", run_id: str) -> PlanRequest:
    from crypto_lakehouse.coverage.filling import fill_of

    fill = fill_of(selection.dataset.name, gaps)
    if fill is None:
        raise ValueError("a fill needs at least one gap")
    return PlanRequest(
        dataset=fill.dataset,
        run_id=run_id,
        first_day=fill.first_day.isoformat(),
        last_day=fill.last_day.isoformat(),
        symbols=fill.symbols,
        intervals=fill.intervals,
        fill=True,
    )


def _words(gaps: "pl.DataFrame") -> str:
    counted = int(gaps["missing"].fill_null(0).sum())
    uncounted = gaps["missing"].null_count()
    uncountable = f", in {several(uncounted, 'gap')} an unknown number" if uncounted else ""
    return f"{several(gaps.height, 'gap')}; missing rows or ids: {counted:,}{uncountable}"
