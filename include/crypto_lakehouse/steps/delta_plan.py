"""The requests of a run to the exchange: the days that neither the archive nor an earlier response covers."""

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
"""Holes with at most this distance share a request, because a page of klines covers more time."""

TRAILING_DAYS = 45
"""Days after its last object for which a symbol of a glob is requested. Later it counts as delisted."""


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """The requests of a run."""

    windows: tuple[RequestSpan, ...] = ()

    def counts(self) -> dict[str, int]:
        """Returns the plan in figures."""
        return {"windows_to_ask": len(self.windows)}


@dataclass(frozen=True, slots=True)
class DeltaSought:
    """The data to request from the exchange.

    Args:
        selection: The data of the run.
        is_wanted: Whether to request what the archive does not have.
        fill: Whether to request also the holes in the archive.
    """

    selection: Selection
    is_wanted: bool = True
    fill: bool = False


def plan_delta(
    sought: DeltaSought, settings: Settings, bronze: BronzeLog, coverage: CoverageLog, pull: PullPlan
) -> DeltaPlan:
    """Returns what to request from the exchange after the pull.

    A request whose last day is yesterday or later reaches up to now.

    Raises:
        InvalidRequest: A glob can match nothing.
    """
    dataset = sought.selection.dataset
    source = dataset.rest
    if source is None or not sought.is_wanted or not settings.exchange.enabled:
        return DeltaPlan()
    if source.needs_key and settings.exchange.api_key is None:
        return DeltaPlan()
    covered = _Covered.of(dataset, bronze, pull)
    now = datetime.now(UTC)
    wanted = _wanted(sought.selection, now)
    holes = _holes(dataset, coverage) if sought.fill else {}
    return DeltaPlan(
        tuple(
            window
            for series, span in _series(sought.selection, settings, covered, wanted)
            for window in (
                *missing_spans(series, span, covered.spans[series], now),
                *_hole_windows(series, clip(holes.get(series, ()), span), covered.answered[series], now),
            )
        )
    )


def _holes(dataset: Dataset, coverage: CoverageLog) -> dict[Series, list[Span]]:
    """Returns the holes in covered time that are not known to exist at the source, by series."""
    holes: dict[Series, list[Span]] = defaultdict(list)
    unknown = coverage.holes(dataset.name).filter((pl.col("known") == "") & (pl.col("kind") != HoleKind.DAYS.value))
    for symbol, interval, start, end in unknown.select("symbol", "kline_interval", "start", "end").iter_rows():
        holes[Series(symbol, interval)].append(Span(start, end))
    return holes


def _hole_windows(
    series: Series, holes: Sequence[Span], answered: Sequence[Span], now: datetime
) -> Iterator[RequestSpan]:
    """Yields the requests for holes that were not requested before."""
    for span in cluster(holes, HOLES_TOGETHER):
        yield from missing_spans(series, span, answered, now)


@dataclass(frozen=True, slots=True)
class _Covered:
    """The time of each series that Bronze covers, or will cover after the pull.

    Args:
        spans: All covered spans.
        answered: Spans that were requested from the exchange.
        archive: First and last instant of its archive. Without an archive, of earlier requests.
    """

    spans: dict[Series, list[Span]]
    answered: dict[Series, list[Span]]
    archive: dict[Series, Span]

    @classmethod
    def of(cls, dataset: Dataset, bronze: BronzeLog, pull: PullPlan) -> "_Covered":
        covered = cls(defaultdict(list), defaultdict(list), {})
        for symbol, interval, source, start, end in (
            bronze.latest(dataset.name).select("symbol", "interval", "source", "start", "end").iter_rows()
        ):
            covered._add(Series(symbol, interval), Span(start, end), Source(source))
        for object_to_pull in pull.objects:
            key = parse_key(object_to_pull.key)
            if key is not None:
                covered._add(Series(key.symbol, key.interval or ""), Span(key.start, key.end), key.source)
        if not dataset.frequencies:
            covered.archive.update({series: _whole(spans) for series, spans in covered.spans.items()})
        return covered

    def _add(self, series: Series, span: Span, source: Source) -> None:
        self.spans[series].append(span)
        if source.form is ObjectForm.ANSWERS:
            self.answered[series].append(span)
        elif source.is_archive:
            self.archive[series] = _whole([self.archive.get(series, span), span])


def _whole(spans: Sequence[Span]) -> Span:
    """Returns the span from the first start to the last end."""
    return Span(min(spans).start, max(span.end for span in spans))


def _check_globs(dataset: Dataset, patterns: Iterable[str], covered: _Covered) -> None:
    """Checks that globs can match a symbol.

    Raises:
        InvalidRequest: The dataset has no archive, and no symbol of an earlier request matches.
    """
    symbols = {series.symbol for series in covered.archive}
    idle = [pattern for pattern in patterns if not any(fnmatchcase(symbol, pattern) for symbol in symbols)]
    globs = [pattern for pattern in idle if set("*?") & set(pattern)]
    if globs and not dataset.frequencies:
        raise InvalidRequest(
            f"{globs[0]!r} matches no symbol in the lake, and there is no archive to list",
            f"Name each symbol the first time, such as {dataset.sample_symbol}",
            dataset=dataset.name,
        )


def _wanted(selection: Selection, now: datetime) -> Span:
    first, last = selection.first_day, selection.last_day
    is_live = last >= now.date() - timedelta(days=1)
    days = Span.of_days(first, last)
    return Span(days.start, max(days.start, now)) if is_live else days


def _series(selection: Selection, settings: Settings, covered: _Covered, wanted: Span) -> Iterator[tuple[Series, Span]]:
    """Yields the series to request, each with the time in which it was traded, as far as this is known."""
    market = settings.market_filter(selection.dataset)
    intervals = tuple(interval or "" for interval in selection.with_defaults(market.intervals))
    patterns = selection.symbols or market.symbols
    named = {pattern for pattern in patterns if not set("*?") & set(pattern)}
    for series in sorted({Series(symbol, interval) for symbol in named for interval in intervals}):
        yield series, wanted
    _check_globs(selection.dataset, patterns, covered)
    for series, known in sorted(covered.archive.items()):
        is_wanted = series.interval in intervals and any(fnmatchcase(series.symbol, pattern) for pattern in patterns)
        if is_wanted and series.symbol not in named:
            traded = Span(known.start, known.end + timedelta(days=TRAILING_DAYS))
            yield series, wanted.intersect(traded)
