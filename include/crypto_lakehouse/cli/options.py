"""The options that several commands share, and the checks of their values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

import typer

from crypto_lakehouse import marts
from crypto_lakehouse.cli.arguments import split_values
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.selection import EARLIEST
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import DataType, Exchange, Market

"""No exchange of the datasets has data before this day."""
MAX_SYMBOLS = 5000

_MARKET = typer.Option("--market", "--trade-type", help="spot, um (USD-M), cm (COIN-M) or option.")

DatasetArgument = Annotated[str, typer.Argument(help="A dataset or mart, such as binance_um_klines. [all]")]
DataTypeOption = Annotated[str, typer.Option("--data-type", help="A data type such as klines, or a dataset.")]
ExchangeOption = Annotated[
    Exchange | None,
    typer.Option("--exchange", help=f"{', '.join(Exchange)}. [the first exchange with the data type]"),
]
MarketOption = Annotated[Market | None, _MARKET]
RequiredMarketOption = Annotated[Market, _MARKET]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", help="Symbols or globs (BTC*): several words, commas, or repeated. [configured ones]"),
]
IntervalsOption = Annotated[
    list[str] | None,
    typer.Option("--interval", help="Kline intervals such as 1m, several allowed. [configured ones]"),
]
StartOption = Annotated[
    str, typer.Option("--start-date", help="First UTC day, YYYY-MM-DD. [the configuration's start_date]")
]
FirstDayOption = Annotated[
    str, typer.Option("--start-date", help="First UTC day, YYYY-MM-DD. [the first day with data]")
]
EndOption = Annotated[str, typer.Option("--end-date", help="Last UTC day, inclusive, YYYY-MM-DD. [yesterday]")]
DeltaOption = Annotated[
    bool, typer.Option("--delta/--no-delta", help="Request from the exchange what its archive does not have.")
]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="Transfer profile: high-throughput, small-memory, bad-network, ...")
]


@dataclass(frozen=True, slots=True)
class GivenOptions:
    """The values of the options as they were typed, not yet checked."""

    data_type: str
    market: Market | None = None
    symbols: Sequence[str] | None = None
    intervals: Sequence[str] | None = None
    start: str = ""
    end: str = ""
    profile: str = ""
    pull: bool = True
    delta: bool = True
    fill: bool = False
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class SeriesSelection:
    """Series and days of one dataset to look at. None means that the days have no limit on this side."""

    dataset: Dataset
    symbols: tuple[str, ...]
    intervals: tuple[str, ...]
    first_day: date | None
    last_day: date | None


def plan_request(given: GivenOptions, run_id: str, default_start: str) -> PlanRequest:
    """Returns the request for a run.

    Args:
        given: The options.
        run_id: Id of the run.
        default_start: First day of the run where the options name none.

    Raises:
        InvalidRequest: A value is not acceptable. The message names the option.
    """
    dataset = chosen_dataset(given.data_type, given.market, given.exchange)
    today = utc_now().date()
    first = checked_day("--start-date", given.start or default_start, today)
    last = checked_day("--end-date", given.end or (today - timedelta(days=1)).isoformat(), today)
    _check_order(first, last)
    return PlanRequest(
        dataset=dataset.name,
        run_id=run_id,
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        symbols=checked_symbols(given.symbols or ()),
        intervals=_checked_intervals(dataset, given.intervals or ()),
        profile=given.profile,
        pull=given.pull,
        delta=given.delta,
        fill=given.fill,
    )


def series_selection(given: GivenOptions) -> SeriesSelection:
    """Returns the series and days that the options name.

    Raises:
        InvalidRequest: A value is not acceptable. The message names the option.
    """
    dataset = chosen_dataset(given.data_type, given.market, given.exchange)
    today = utc_now().date()
    first = checked_day("--start-date", given.start, today) if given.start else None
    last = checked_day("--end-date", given.end, today) if given.end else None
    _check_order(first, last)
    symbols = checked_symbols(given.symbols or ())
    return SeriesSelection(dataset, symbols, _checked_intervals(dataset, given.intervals or ()), first, last)


def chosen_tables(table_name: str) -> tuple[Table, ...]:
    """Returns the dataset or mart of this name, or all datasets and marts for an empty name.

    Raises:
        InvalidRequest: There is no such dataset or mart.
    """
    return (marts.table(table_name),) if table_name else marts.tables()


def chosen_dataset(data_type: str, market: Market | None, exchange: Exchange | None = None) -> Dataset:
    """Returns the dataset of a data type in a market.

    Without an exchange, the first exchange of the table that has the data type is chosen.

    >>> chosen_dataset("agg-trades", Market.UM).name, chosen_dataset("klines", None, Exchange.KRAKEN).name
    ('binance_um_agg_trades', 'kraken_spot_klines')

    Args:
        data_type: Name of the data type (`agg-trades`, `aggTrades`, `funding_rates`), or name of a dataset.
        market: The market. It may be None where only one market has the data type.
        exchange: The exchange.

    Raises:
        InvalidRequest: No dataset fits, or several markets have the data type and none is given.
    """
    if data_type in {known.name for known in DATASETS}:
        return dataset(data_type)
    wanted = data_type.replace("-", "_").lower()
    candidates = [known for known in DATASETS if wanted in _names(known.data_type)]
    if not candidates:
        known_types = ", ".join(kind.slug.replace("_", "-") for kind in DataType)
        raise InvalidRequest(f"no data type is called {data_type[:40]!r}", f"Known: {known_types}")
    exchange = exchange or candidates[0].exchange
    candidates = [known for known in candidates if known.exchange is exchange]
    if not candidates:
        raise InvalidRequest(f"{exchange} has no {data_type}", "See docs/datasets.md for the datasets of each exchange")
    matching = [known for known in candidates if market in {None, known.market}]
    if len(matching) != 1:
        problem = f"is not in market {market}" if market else "is in several markets"
        advice = f"Give --market: {', '.join(known.market for known in candidates)}"
        raise InvalidRequest(f"{data_type} {problem}", advice)
    return matching[0]


def checked_symbols(values: Sequence[str]) -> tuple[str, ...]:
    """Returns the symbols and globs of an option without duplicates.

    Raises:
        InvalidRequest: A value cannot be a symbol, or there are too many.
    """
    symbols = tuple(validated_pattern(value) for value in split_values(values))
    if len(symbols) > MAX_SYMBOLS:
        what = f"--symbols has {len(symbols)} values, allowed are {MAX_SYMBOLS}"
        raise InvalidRequest(what, "Use a glob such as *USDT")
    return symbols


def checked_day(option: str, text: str, today: date) -> date:
    """Returns the UTC day that an option names.

    Args:
        option: Name of the option, for the message.
        text: The value of the option.
        today: The current UTC day.

    Raises:
        InvalidRequest: The value is not a calendar day in the form YYYY-MM-DD, or lies before 2017 or after tomorrow.
    """
    try:
        # fromisoformat alone also accepts week dates, and days without hyphens.
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidRequest(f"{option} {text[:40]!r} is not a day", "Write it as YYYY-MM-DD")
    latest = today + timedelta(days=1)
    if not EARLIEST <= day <= latest:
        raise InvalidRequest(f"{option} {day} is out of range", f"Give a day between {EARLIEST} and {latest}")
    return day


def _names(kind: DataType) -> set[str]:
    return {kind.slug, f"{kind.slug}s", kind.value.lower()}


def _check_order(first: date | None, last: date | None) -> None:
    if first and last and last < first:
        raise InvalidRequest(f"--end-date {last} is before --start-date {first}", "Give the earlier day first")


def _checked_intervals(dataset: Dataset, values: Sequence[str]) -> tuple[str, ...]:
    intervals = split_values(values)
    unknown = [interval for interval in intervals if interval not in {str(known) for known in dataset.intervals}]
    if unknown:
        advice = f"It has {', '.join(dataset.intervals)}" if dataset.has_interval else "Leave --interval out"
        raise InvalidRequest(f"has no interval {unknown[0][:20]!r}", advice, dataset=dataset.name)
    return tuple(intervals)
