"""What a run asks of the exchange: the days of its request that neither the archive nor an earlier answer covers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

import polars as pl

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.archive.planning import PullPlan
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.exchange.missing import Series, missing_spans
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spans import Span, clip, cluster
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import HoleKind, ObjectForm, Source

HOLES_TOGETHER = timedelta(hours=6)
"""Holes no farther apart are asked for at once: a page of klines reaches farther than that."""

TRAILING_DAYS = 45
"""How long after its last object a symbol matched by a glob is still asked for: then it was delisted."""


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """What to ask."""

    windows: tuple[RequestSpan, ...] = ()

    def counts(self) -> dict[str, int]:
        """Returns the plan in figures."""
        return {"windows_to_ask": len(self.windows)}


@dataclass(frozen=True, slots=True)
class DeltaSought:
    """Which data to ask the exchange for.

    Args:
        selection: Which data the run is about.
        is_wanted: Whether to ask for what the archive does not have.
        fill: Whether to ask also for the holes in what the archive has.
    """

    selection: Selection
    is_wanted: bool = True
    fill: bool = False


def plan_delta(
    sought: DeltaSought, settings: Settings, bronze: BronzeLog, coverage: CoverageLog, pull: PullPlan
) -> DeltaPlan:
    """Returns what is to be asked of the exchange once the pull is done.

    A request that ends yesterday or later reaches up to now; one of older days stays within them.

    Raises:
        InvalidRequest: A glob can match nothing.
    """
    row = sought.selection.dataset
    source = row.rest
    if source is None or not sought.is_wanted or not settings.exchange.enabled:
        return DeltaPlan()
    if source.needs_key and settings.exchange.api_key is None:
        return DeltaPlan()
    held = _Held.of(row, bronze, pull)
    now = datetime.now(UTC)
    wanted = _wanted(sought.selection, now)
    holes = _holes(row, coverage) if sought.fill else {}
    return DeltaPlan(
        tuple(
            window
            for series, span in _series(sought.selection, settings, held, wanted)
            for window in (
                *missing_spans(series, span, held.spans[series], now),
                *_hole_windows(series, clip(holes.get(series, ()), span), held.answered[series], now),
            )
        )
    )


def _holes(row: Dataset, coverage: CoverageLog) -> dict[Series, list[Span]]:
    """Returns the holes in what objects cover that upstream is not known to lack, by series."""
    found: dict[Series, list[Span]] = defaultdict(list)
    unknown = coverage.holes(row.name).filter((pl.col("known") == "") & (pl.col("kind") != HoleKind.DAYS.value))
    for symbol, interval, start, end in unknown.select("symbol", "kline_interval", "start", "end").iter_rows():
        found[Series(symbol, interval)].append(Span(start, end))
    return found


def _hole_windows(
    series: Series, holes: Sequence[Span], answered: Sequence[Span], now: datetime
) -> Iterator[RequestSpan]:
    """Yields windows over the holes that the exchange has not been asked for yet."""
    for span in cluster(holes, HOLES_TOGETHER):
        yield from missing_spans(series, span, answered, now)


@dataclass(frozen=True, slots=True)
class _Held:
    """What Bronze holds or is about to hold of each series.

    Args:
        spans: All that is covered.
        answered: What the exchange was asked for.
        archive: First and last instant of its archive; where there is none, of what was asked for before.
    """

    spans: dict[Series, list[Span]]
    answered: dict[Series, list[Span]]
    archive: dict[Series, Span]

    @classmethod
    def of(cls, row: Dataset, bronze: BronzeLog, pull: PullPlan) -> "_Held":
        held = cls(defaultdict(list), defaultdict(list), {})
        for symbol, interval, source, start, end in (
            bronze.latest(row.name).select("symbol", "interval", "source", "start", "end").iter_rows()
        ):
            held._add(Series(symbol, interval), Span(start, end), Source(source))
        for wanted in pull.objects:
            key = parse_key(wanted.key)
            if key is not None:
                held._add(Series(key.symbol, key.interval or ""), Span(key.start, key.end), key.source)
        if not row.frequencies:
            held.archive.update({series: _whole(spans) for series, spans in held.spans.items()})
        return held

    def _add(self, series: Series, span: Span, source: Source) -> None:
        self.spans[series].append(span)
        if source.form is ObjectForm.ANSWERS:
            self.answered[series].append(span)
        elif source.is_archive:
            self.archive[series] = _whole([self.archive.get(series, span), span])


def _whole(spans: Sequence[Span]) -> Span:
    """Returns the span from the first start to the last end."""
    return Span(min(spans).start, max(span.end for span in spans))


def _check_globs(row: Dataset, patterns: Iterable[str], held: _Held) -> None:
    """Refuses a glob over symbols that nothing lists.

    Raises:
        InvalidRequest: The dataset has no archive, and no symbol that was asked before matches.
    """
    symbols = {series.symbol for series in held.archive}
    idle = [one for one in patterns if not any(fnmatchcase(symbol, one) for symbol in symbols)]
    globs = [one for one in idle if set("*?") & set(one)]
    if globs and not row.frequencies:
        raise InvalidRequest(
            f"{globs[0]!r} matches no symbol that the lake holds, and there is no archive to list",
            f"Name each symbol the first time, such as {row.sample_symbol}",
            dataset=row.name,
        )


def _wanted(selection: Selection, now: datetime) -> Span:
    first, last = selection.first_day, selection.last_day
    is_live = last >= now.date() - timedelta(days=1)
    days = Span.of_days(first, last)
    return Span(days.start, max(days.start, now)) if is_live else days


def _series(selection: Selection, settings: Settings, held: _Held, wanted: Span) -> Iterator[tuple[Series, Span]]:
    """Yields the series to look at, each with the time in which it was traded as far as that is known."""
    market = settings.market_filter(selection.dataset)
    intervals = tuple(interval or "" for interval in selection.with_defaults(market.intervals))
    patterns = selection.symbols or market.symbols
    named = {one for one in patterns if not set("*?") & set(one)}
    for series in sorted({Series(symbol, interval) for symbol in named for interval in intervals}):
        yield series, wanted
    _check_globs(selection.dataset, patterns, held)
    for series, known in sorted(held.archive.items()):
        is_wanted = series.interval in intervals and any(fnmatchcase(series.symbol, one) for one in patterns)
        if is_wanted and series.symbol not in named:
            traded = Span(known.start, known.end + timedelta(days=TRAILING_DAYS))
            yield series, wanted.intersect(traded)
