"""`crypto-lakehouse query`: show what the lake has, and query it."""

import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.coverage import days_of, print_calendar, print_days, print_listed, write_pictures
from crypto_lakehouse.cli.options import DatasetArgument, GivenOptions, RequiredMarketOption
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json, print_table
from crypto_lakehouse.counting import several
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.vocabulary import InstrumentKind

if TYPE_CHECKING:
    from crypto_lakehouse.query import QueryResult

app = typer.Typer(help="Show what the lake has, and query it in SQL.", rich_markup_mode=None)


class OutputFormat(StrEnum):
    """The format of a result."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


UNIVERSE_COLUMNS = (
    "instrument_id", "kind", "base_asset", "quote_asset", "valid_from", "valid_to", "status", "settles_at", "successor",
)  # fmt: skip

AtOption = Annotated[str, typer.Option("--at", help="The UTC day, YYYY-MM-DD.")]
KindOption = Annotated[
    list[InstrumentKind] | None,
    typer.Option("--kind", help="Only this kind of instrument. May be repeated. [all kinds]"),
]
TextArgument = Annotated[
    str, typer.Argument(help="One SELECT statement. Every dataset is a table. `-` reads the statement from stdin.")
]
FormatOption = Annotated[OutputFormat, typer.Option("--format", help="Format of the result.")]
OutputOption = Annotated[Path | None, typer.Option("--output", help="A new file for the result. [stdout]")]
MaxRowsOption = Annotated[int, typer.Option("--max-rows", min=0, help="Maximum rows of the result. [100 in a table]")]
TimeoutOption = Annotated[
    float | None, typer.Option("--timeout", min=0.1, help="End the query after this many seconds. [120]")
]
MemoryOption = Annotated[int | None, typer.Option("--memory-mib", min=64, help="Memory limit of the query. [2048]")]
ResultOption = Annotated[
    int | None, typer.Option("--max-result-mib", min=1, help="Maximum size of the result in memory. [1024]")
]


AsOfOption = Annotated[
    str, typer.Option("--as-of", help="Show what readers saw at this time: 2025-01-31 or 2025-01-31T08:00, UTC. [now]")
]


@app.command(
    epilog=examples(
        "query info", "query info binance_um_klines --symbols BTCUSDT", "query info binance_spot_klines --json"
    )
)
def info(
    dataset: DatasetArgument = "",
    *,
    symbols: options.SymbolsOption = None,
    as_of: AsOfOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show what is published: symbols, intervals, first and last time, rows."""
    from crypto_lakehouse.query import Lake

    published = Lake.open().info(dataset, symbols=options.checked_symbols(symbols or ()), as_of=as_of or None)
    if as_json:
        print_json(published.to_dicts())
    elif published.is_empty():
        print("nothing is published" + (f" in {dataset}" if dataset else ""))
    else:
        shown = published.drop("published_at")
        print_table(shown.columns, shown.iter_rows())


CalendarOption = Annotated[
    bool, typer.Option("--calendar", help="Print one line per month, with a letter and a colour per day.")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="A new file for the calendar as an HTML page.")]
PngOption = Annotated[
    Path | None, typer.Option("--png", help="A new file for the calendar as an image. Needs the extra `reports`.")
]


@app.command(
    epilog=examples(
        "query coverage --data-type klines --market spot --symbols BTCUSDT --interval 1m",
        "query coverage --data-type klines --market um --symbols BTCUSDT --start-date 2024-01-01 --calendar",
        "query coverage --data-type agg-trades --market spot --symbols BTCUSDT --html coverage.html",
        "query coverage --data-type binance_um_metrics --symbols BTCUSDT --end-date 2024-12-31 --json",
    )
)
def coverage(
    *,
    data_type: options.DataTypeOption,
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    symbols: options.SymbolsOption = None,
    interval: options.IntervalsOption = None,
    start_date: options.FirstDayOption = "",
    end_date: options.EndOption = "",
    calendar: CalendarOption = False,
    html: HtmlOption = None,
    png: PngOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the coverage of each UTC day: rows, missing rows, sources, and the reason."""
    selection = options.series_selection(
        GivenOptions(data_type, market, symbols, interval, start_date, end_date, exchange=exchange)
    )
    for name, file in (("--html", html), ("--png", png)):
        _check_new(name, file)
    days = days_of(selection)
    if html is not None or png is not None:
        write_pictures(days, f"Coverage of {selection.dataset.name}", html, png)
    if as_json:
        print_json(days.to_dicts())
    elif days.is_empty():
        symbols_text = f" {', '.join(selection.symbols)}" if selection.symbols else ""
        print(f"no coverage is known for {selection.dataset.name}{symbols_text}")
    elif calendar:
        print_calendar(days)
    elif html is None and png is None:
        print_days(days)


@app.command(
    "refused-rows",
    epilog=examples(
        "query refused-rows --data-type klines --market um --symbols BTCUSDT",
        "query refused-rows --data-type agg-trades --market spot --start-date 2024-01-01 --json",
    ),
)
def refused_rows(
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
    """Show the rows of source objects that cannot be true and were set aside, with line and reason."""
    from crypto_lakehouse.query import Lake

    selection = options.series_selection(
        GivenOptions(data_type, market, symbols, interval, start_date, end_date, exchange=exchange)
    )
    rows = Lake.open().refused_rows(
        selection.dataset.name,
        symbols=selection.symbols,
        intervals=selection.intervals,
        days=(selection.first_day, selection.last_day),
    )
    if as_json:
        print_json(rows.to_dicts())
    elif rows.is_empty():
        print(f"no refused rows are known in {selection.dataset.name}")
    else:
        print_listed(rows.drop("dataset", "sha256", "version", "at"))


@app.command(
    epilog=examples(
        "query universe --market um --at 2022-05-01",
        "query universe --market um --at 2022-05-01 --kind perpetual --json",
        "query universe --market spot --at 2021-06-30 --kind spot --kind leveraged_token",
    )
)
def universe(
    market: RequiredMarketOption, at: AtOption, *, kind: KindOption = None, as_json: JsonOption = False
) -> None:
    """Show the instruments that were listed on a day, including those that were delisted later."""
    from crypto_lakehouse.query import Lake

    day = options.checked_day("--at", at, utc_now().date())
    listed = Lake.open().universe(market, day, kinds=kind or ())
    if as_json:
        print_json(listed.to_dicts())
    else:
        print_table(UNIVERSE_COLUMNS, listed.select(UNIVERSE_COLUMNS).iter_rows())
        note(f"listed on {day}: {several(listed.height, 'instrument')}")


@app.command(
    epilog=examples(
        "query sql \"SELECT symbol, max(close) FROM binance_um_klines WHERE kline_interval = '1h' GROUP BY ALL\"",
        'query sql "SELECT * FROM binance_um_funding_rate" --format csv --output funding.csv',
        "query sql \"FROM binance_spot_klines WHERE period = '2025-01'\" --format parquet --output b.parquet",
        'query sql "SHOW TABLES" --json',
        'query sql "SELECT count(*) FROM binance_um_klines" --as-of 2025-01-31T08:00',
        "query sql - < query.sql",
    )
)
def sql(
    text: TextArgument,
    *,
    output_format: FormatOption = OutputFormat.TABLE,
    output: OutputOption = None,
    max_rows: MaxRowsOption = 0,
    timeout: TimeoutOption = None,
    memory_mib: MemoryOption = None,
    max_result_mib: ResultOption = None,
    as_of: AsOfOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run one SELECT statement over the published partitions. The statement can only read them."""
    from crypto_lakehouse.query import Lake

    chosen = OutputFormat.JSON if as_json else output_format
    _check_output(chosen, output)
    statement = sys.stdin.read() if text == "-" else text
    lake = Lake.open()
    rows = max_rows or (100 if chosen is OutputFormat.TABLE else lake.limits.max_rows)
    limits = replace(
        lake.limits,
        max_rows=rows,
        memory_mib=memory_mib or lake.limits.memory_mib,
        timeout_seconds=timeout or lake.limits.timeout_seconds,
        max_result_mib=max_result_mib or lake.limits.max_result_mib,
    )
    result = lake.query(statement, limits, as_of=as_of or None)
    _write(result, chosen, output)
    if result.truncated:
        note(f"cut off after {rows:,} rows; --max-rows raises the limit")


def _check_output(chosen: OutputFormat, output: Path | None) -> None:
    if output is None and chosen is OutputFormat.PARQUET:
        raise InvalidRequest("Parquet cannot be printed", "Add --output FILE")
    if output is not None and chosen is OutputFormat.TABLE:
        raise InvalidRequest("--output cannot write the format table", "Add --format csv, json or parquet")
    _check_new("--output", output)


def _check_new(option: str, file: Path | None) -> None:
    if file is None:
        return
    if file.is_dir():
        raise InvalidRequest(f"{option} {file} is a folder", "Name a new file in it")
    if file.exists():
        raise InvalidRequest(f"{option} {file} exists", "Name a new file: nothing is overwritten")
    if not file.absolute().parent.is_dir():
        raise InvalidRequest(f"{option} {file}: there is no folder {file.parent}", "Create it, or name another file")


def _write(result: "QueryResult", chosen: OutputFormat, output: Path | None) -> None:
    from crypto_lakehouse.query.export import csv_text, json_document, write_parquet

    if chosen is OutputFormat.TABLE:
        print_table(result.frame.columns, result.frame.iter_rows(), grouped=False)
        return
    if chosen is OutputFormat.PARQUET and output is not None:
        write_parquet(result, output)
        return
    text = csv_text(result) if chosen is OutputFormat.CSV else json_document(result)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
