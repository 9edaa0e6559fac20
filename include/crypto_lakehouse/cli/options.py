"""The options that commands share, and the check of what people put into them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from crypto_lakehouse.cli.arguments import split_values
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.work import PlanRequest
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import validated_pattern
from crypto_lakehouse.vocabulary import DataType, Exchange, Market

EARLIEST = date(2017, 1, 1)
"""Before the exchange existed."""
MAX_SYMBOLS = 5000

SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbols", help="Symbols or globs (BTC*): several words, commas, or repeated. [configured ones]"),
]
IntervalsOption = Annotated[
    list[str] | None,
    typer.Option("--interval", "--intervals", help="Kline intervals such as 1m, several allowed. [configured ones]"),
]
StartOption = Annotated[
    str, typer.Option("--start-date", help="First UTC day, YYYY-MM-DD. [the configuration's start_date]")
]
EndOption = Annotated[str, typer.Option("--end-date", help="Last UTC day, inclusive, YYYY-MM-DD. [yesterday]")]
MarketOption = Annotated[
    Market | None, typer.Option("--market", "--trade-type", help="spot, um (USD-M), cm (COIN-M) or option.")
]
ExchangeOption = Annotated[
    Exchange | None, typer.Option("--exchange", help=f"{', '.join(Exchange)}. [the first of these that has the type]")
]
DeltaOption = Annotated[
    bool, typer.Option("--delta/--no-delta", help="Ask the exchange for what its archive does not have.")
]
DataTypeOption = Annotated[str, typer.Option("--data-type", help="A data type such as klines, or a dataset.")]
FirstDayOption = Annotated[str, typer.Option("--start-date", help="First UTC day, YYYY-MM-DD. [the first covered one]")]
LastDayOption = Annotated[str, typer.Option("--end-date", help="Last UTC day, inclusive, YYYY-MM-DD. [yesterday]")]
ProfileOption = Annotated[
    str, typer.Option("--profile", help="Transfer profile: high-throughput, small-memory, bad-network, ...")
]


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody typed, not yet checked."""

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


def plan_request(ask: Ask, run_id: str, default_start: str) -> PlanRequest:
    """Returns the request that an ask stands for.

    Raises:
        InvalidRequest: Some part of it is not acceptable; the message names the option.
    """
    row = chosen_dataset(ask.data_type, ask.market, ask.exchange)
    today = datetime.now(UTC).date()
    first = checked_day("--start-date", ask.start or default_start, today)
    last = checked_day("--end-date", ask.end or (today - timedelta(days=1)).isoformat(), today)
    if last < first:
        raise InvalidRequest(f"--end-date {last} lies before --start-date {first}", "Give the earlier day first")
    return PlanRequest(
        dataset=row.name,
        run_id=run_id,
        first_day=first.isoformat(),
        last_day=last.isoformat(),
        symbols=checked_symbols(ask.symbols or ()),
        intervals=_checked_intervals(row, ask.intervals or ()),
        profile=ask.profile,
        pull=ask.pull,
        delta=ask.delta,
        fill=ask.fill,
    )


@dataclass(frozen=True, slots=True)
class Series:
    """Series and days of one dataset that somebody asked about; None leaves an end of the days open."""

    dataset: Dataset
    symbols: tuple[str, ...]
    intervals: tuple[str, ...]
    first_day: date | None
    last_day: date | None


def checked_series(ask: Ask) -> Series:
    """Returns the series that an ask is about.

    Raises:
        InvalidRequest: Some part of it is not acceptable; the message names the option.
    """
    row = chosen_dataset(ask.data_type, ask.market, ask.exchange)
    today = datetime.now(UTC).date()
    first = checked_day("--start-date", ask.start, today) if ask.start else None
    last = checked_day("--end-date", ask.end, today) if ask.end else None
    if first and last and last < first:
        raise InvalidRequest(f"--end-date {last} lies before --start-date {first}", "Give the earlier day first")
    symbols = checked_symbols(ask.symbols or ())
    return Series(row, symbols, _checked_intervals(row, ask.intervals or ()), first, last)


def chosen_dataset(data_type: str, market: Market | None, exchange: Exchange | None = None) -> Dataset:
    """Returns the dataset of a data type's name (`agg-trades`, `aggTrades`, `funding_rates`) in a market.

    Without an exchange it is the first of the table that has the type, so a market alone stays one dataset.

    >>> chosen_dataset("agg-trades", Market.UM).name, chosen_dataset("klines", None, Exchange.KRAKEN).name
    ('binance_um_agg_trades', 'kraken_spot_klines')

    Raises:
        InvalidRequest: There is no such type, not of that exchange or market, or in several and none was given.
    """
    if data_type in {row.name for row in DATASETS}:
        return dataset(data_type)
    wanted = data_type.replace("-", "_").lower()
    rows = [row for row in DATASETS if wanted in _names(row.data_type)]
    if not rows:
        known = ", ".join(kind.slug.replace("_", "-") for kind in DataType)
        raise InvalidRequest(f"no data type is called {data_type[:40]!r}", f"Known: {known}")
    exchange = exchange or rows[0].exchange
    rows = [row for row in rows if row.exchange is exchange]
    if not rows:
        raise InvalidRequest(f"{exchange} has no {data_type}", "See docs/datasets.md for what each exchange has")
    matching = [row for row in rows if market in {None, row.market}]
    if len(matching) != 1:
        said = f"is not in market {market}" if market else "is in several markets"
        raise InvalidRequest(f"{data_type} {said}", f"Give --market: {', '.join(row.market for row in rows)}")
    return matching[0]


def _names(kind: DataType) -> set[str]:
    return {kind.slug, f"{kind.slug}s", kind.value.lower()}


def checked_symbols(values: Sequence[str]) -> tuple[str, ...]:
    """Returns the symbols and globs of an option's values, each once.

    Raises:
        InvalidRequest: One cannot be a symbol, or there are too many.
    """
    symbols = tuple(validated_pattern(one) for one in split_values(values))
    if len(symbols) > MAX_SYMBOLS:
        raise InvalidRequest(f"--symbols names {len(symbols)}, allowed are {MAX_SYMBOLS}", "Use a glob such as *USDT")
    return symbols


def checked_day(option: str, text: str, today: date) -> date:
    """Returns the UTC day that an option names.

    Raises:
        InvalidRequest: It is no day of the calendar in the form YYYY-MM-DD, or lies before 2017 or after tomorrow.
    """
    try:
        # fromisoformat alone takes week dates and days without hyphens as well.
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidRequest(f"{option} {text[:40]!r} is not a day", "Write it as YYYY-MM-DD")
    latest = today + timedelta(days=1)
    if not EARLIEST <= day <= latest:
        raise InvalidRequest(f"{option} {day} is out of range", f"Give a day between {EARLIEST} and {latest}")
    return day


def _checked_intervals(row: Dataset, values: Sequence[str]) -> tuple[str, ...]:
    intervals = split_values(values)
    unknown = [one for one in intervals if one not in {str(known) for known in row.intervals}]
    if unknown:
        advice = f"It has {', '.join(row.intervals)}" if row.has_interval else "Leave --interval out"
        raise InvalidRequest(f"has no interval {unknown[0][:20]!r}", advice, dataset=row.name)
    return tuple(intervals)
