"""What a run asks of the exchange: the days of its request that neither the archive nor an earlier answer covers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from crypto_lakehouse.archive.keys import parse_key
from crypto_lakehouse.archive.planning import PullPlan, requested_days
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.exchange.windows import Series, Span, missing_windows
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import midnight
from crypto_lakehouse.lake.work import DeltaWindow, PlanRequest
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Source

_DELTAS = frozenset({Source.REST.value, Source.STREAM.value})

TRAILING_DAYS = 45
"""How long after its last object a symbol matched by a glob is still asked for: then it was delisted."""


@dataclass(frozen=True, slots=True)
class DeltaPlan:
    """What to ask."""

    windows: tuple[DeltaWindow, ...] = ()

    def counts(self) -> dict[str, int]:
        """Returns the plan in figures."""
        return {"windows_to_ask": len(self.windows)}


def plan_delta(row: Dataset, request: PlanRequest, settings: Settings, bronze: BronzeLog, pull: PullPlan) -> DeltaPlan:
    """Returns what is to be asked of the exchange once the pull is done.

    A request that ends yesterday or later reaches up to now; one of older days stays within them.

    Raises:
        InvalidRequest: The request's days are not acceptable, or a glob can match nothing.
    """
    source = row.rest
    if source is None or not request.delta or not settings.exchange.enabled:
        return DeltaPlan()
    if source.needs_key and settings.exchange.api_key is None:
        return DeltaPlan()
    held = _Held.of(row, bronze, pull)
    now = datetime.now(UTC)
    wanted = _wanted(request, now)
    return DeltaPlan(
        tuple(
            window
            for series, span in _series(row, request, settings, held, wanted)
            for window in missing_windows(series, span, held.spans[series], now)
        )
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """What Bronze holds or is about to hold: all spans of a series, and the first and last instant of its archive.

    Where a dataset has no archive, what was asked before stands for it.
    """

    spans: dict[Series, list[Span]]
    archive: dict[Series, Span]

    @classmethod
    def of(cls, row: Dataset, bronze: BronzeLog, pull: PullPlan) -> "_Held":
        held = cls(defaultdict(list), {})
        for symbol, interval, source, start, end in (
            bronze.latest(row.name).select("symbol", "interval", "source", "start", "end").iter_rows()
        ):
            held._add(Series(symbol, interval), (start, end), is_archive=not row.frequencies or source not in _DELTAS)
        for one in pull.objects:
            key = parse_key(one.key)
            if key is not None:
                held._add(Series(key.symbol, key.interval or ""), (key.start, key.end), is_archive=True)
        return held

    def _add(self, series: Series, span: Span, *, is_archive: bool) -> None:
        self.spans[series].append(span)
        if is_archive:
            known = self.archive.get(series, span)
            self.archive[series] = (min(known[0], span[0]), max(known[1], span[1]))


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


def _wanted(request: PlanRequest, now: datetime) -> Span:
    first, last = requested_days(request)
    is_live = last >= now.date() - timedelta(days=1)
    return midnight(first), now if is_live else midnight(last + timedelta(days=1))


def _series(
    row: Dataset, request: PlanRequest, settings: Settings, held: _Held, wanted: Span
) -> Iterator[tuple[Series, Span]]:
    """Yields the series to look at, each with the time in which it was traded as far as that is known."""
    market = settings.market_filter(row)
    intervals = request.intervals or tuple(one.value for one in market.intervals) if row.has_interval else ("",)
    patterns = request.symbols or market.symbols
    named = {one for one in patterns if not set("*?") & set(one)}
    for series in sorted({Series(symbol, interval) for symbol in named for interval in intervals}):
        yield series, wanted
    _check_globs(row, patterns, held)
    for series, (first, last) in sorted(held.archive.items()):
        is_wanted = series.interval in intervals and any(fnmatchcase(series.symbol, one) for one in patterns)
        if is_wanted and series.symbol not in named:
            yield series, (max(wanted[0], first), min(wanted[1], last + timedelta(days=TRAILING_DAYS)))
