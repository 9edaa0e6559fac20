"""What a run requests from the exchange: the days that neither the archive nor an earlier answer covers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

import polars as pl

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.archive.planning import PullPlan
from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.exchange.missing import Series, missing_spans
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spans import Span, clip, cluster, subtract
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import HoleKind, ObjectForm, Source

HOLES_TOGETHER = timedelta(hours=6)
"""Holes that are no farther apart are requested at once: a page of klines covers a longer time than that."""

TRAILING_DAYS = 45
"""How long after its last object a symbol that matches a glob is still requested; after that it counts as delisted."""


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """What to request from the exchange."""

    spans: tuple[RequestSpan, ...] = ()


@dataclass(frozen=True, slots=True)
class DeltaRequest:
    """Which data may be requested from the exchange.

    Args:
        selection: Which data the run is about.
        is_wanted: Whether to request what the archive does not have.
        fill: Whether to request also the holes in what the archive has.
    """

    selection: Selection
    is_wanted: bool = True
    fill: bool = False


def plan_delta(
    request: DeltaRequest, settings: Settings, bronze: BronzeLog, coverage: CoverageLog, pull: PullPlan
) -> DeltaPlan:
    """Returns what to request from the exchange after the pull.

    A selection that ends yesterday or later reaches up to now. A selection of older days ends with its last day.

    Raises:
        InvalidRequest: A glob can match nothing.
    """
    selection = request.selection
    dataset = selection.dataset
    if not request.is_wanted or not can_be_requested(dataset, settings):
        return DeltaPlan()
    known = _KnownSpans.of(dataset, bronze, pull)
    now = utc_now()
    holes = _holes(dataset, coverage) if request.fill else {}
    spans: list[RequestSpan] = []
    for series, wanted in _series(selection, settings, known, _wanted(selection, now)):
        spans += missing_spans(series, wanted, known.covered[series], now)
        # The exchange has not been asked for these holes before.
        for hole in cluster(clip(holes.get(series, ()), wanted), HOLES_TOGETHER):
            spans += missing_spans(series, hole, known.answered[series], now)
        # Of any day: who asks for the last week must get back what is damaged in the year before it.
        for damaged in known.damaged.get(series, ()):
            for part in subtract(damaged, [wanted]):
                spans += missing_spans(series, part, known.covered[series], now)
    return DeltaPlan(tuple(spans))


def can_be_requested(dataset: Dataset, settings: Settings) -> bool:
    """Returns whether the exchange may be asked for rows of a dataset."""
    if dataset.rest is None or not settings.exchange.enabled:
        return False
    return not dataset.rest.needs_key or settings.exchange.api_key is not None


def _holes(dataset: Dataset, coverage: CoverageLog) -> dict[Series, list[Span]]:
    """Returns the holes in what objects cover that upstream is not known to lack, by series."""
    holes: dict[Series, list[Span]] = defaultdict(list)
    unknown = coverage.holes(dataset.name).filter((pl.col("known") == "") & (pl.col("kind") != HoleKind.DAYS.value))
    for symbol, interval, start, end in unknown.select("symbol", "kline_interval", "start", "end").iter_rows():
        holes[Series(symbol, interval)].append(Span(start, end))
    return holes


@dataclass(frozen=True, slots=True)
class _KnownSpans:
    """The spans of each series that Bronze has, or will have after the pull.

    Args:
        covered: All spans.
        answered: The spans that the exchange has answered.
        archive: From the start of the archive's first object to the end of its last one. For a dataset without an
            archive, the same of all objects.
        damaged: The spans of answers whose stored bytes are damaged; they are in none of the others.
    """

    covered: dict[Series, list[Span]]
    answered: dict[Series, list[Span]]
    archive: dict[Series, Span]
    damaged: dict[Series, list[Span]]

    @classmethod
    def of(cls, dataset: Dataset, bronze: BronzeLog, pull: PullPlan) -> "_KnownSpans":
        known = cls(defaultdict(list), defaultdict(list), {}, defaultdict(list))
        objects = bronze.latest(dataset.name).select("symbol", "interval", "source", "start", "end", "damage")
        for symbol, interval, source, start, end, damage in objects.iter_rows():
            if damage and Source(source).form is ObjectForm.ANSWERS:
                known.damaged[Series(symbol, interval)].append(Span(start, end))
            else:
                known._add(Series(symbol, interval), Span(start, end), Source(source))
        for wanted in pull.objects:
            key = parse_key(wanted.key)
            if key is not None:
                known._add(Series(key.symbol, key.interval or ""), Span(key.start, key.end), key.source)
        if not dataset.frequencies:
            known.archive.update({series: _whole(spans) for series, spans in known.covered.items()})
        return known

    def _add(self, series: Series, span: Span, source: Source) -> None:
        self.covered[series].append(span)
        if source.form is ObjectForm.ANSWERS:
            self.answered[series].append(span)
        elif source.is_archive:
            self.archive[series] = _whole([self.archive.get(series, span), span])


def _whole(spans: Sequence[Span]) -> Span:
    """Returns the span from the first start to the last end."""
    return Span(min(spans).start, max(span.end for span in spans))


def _is_glob(pattern: str) -> bool:
    return bool(set("*?") & set(pattern))


def _check_globs(dataset: Dataset, patterns: Iterable[str], known: _KnownSpans) -> None:
    """Refuses a glob that nothing can be compared with.

    Raises:
        InvalidRequest: The dataset has no archive, and no symbol that was requested before matches.
    """
    symbols = {series.symbol for series in known.archive}
    globs = [pattern for pattern in patterns if _is_glob(pattern)]
    unmatched = [glob for glob in globs if not any(fnmatchcase(symbol, glob) for symbol in symbols)]
    if unmatched and not dataset.frequencies:
        raise InvalidRequest(
            f"{unmatched[0]!r} matches no symbol that the lake has, and there is no archive to list",
            f"Name each symbol the first time, such as {dataset.sample_symbol}",
            dataset=dataset.name,
        )


def _wanted(selection: Selection, now: datetime) -> Span:
    days = Span.of_days(selection.first_day, selection.last_day)
    is_live = selection.last_day >= now.date() - timedelta(days=1)
    return Span(days.start, max(days.start, now)) if is_live else days


def _series(
    selection: Selection, settings: Settings, known: _KnownSpans, wanted: Span
) -> Iterator[tuple[Series, Span]]:
    """Yields the series to look at, each with the part of the wanted span in which it was traded, if that is known."""
    market = settings.market_filter(selection.dataset)
    intervals = tuple(interval or "" for interval in selection.with_defaults(market.intervals))
    patterns = selection.symbols or market.symbols
    named = {pattern for pattern in patterns if not _is_glob(pattern)}
    for series in sorted({Series(symbol, interval) for symbol in named for interval in intervals}):
        yield series, wanted
    _check_globs(selection.dataset, patterns, known)
    for series, archive in sorted(known.archive.items()):
        is_wanted = series.interval in intervals and any(fnmatchcase(series.symbol, pattern) for pattern in patterns)
        if is_wanted and series.symbol not in named:
            traded = Span(archive.start, archive.end + timedelta(days=TRAILING_DAYS))
            yield series, wanted.intersect(traded)
