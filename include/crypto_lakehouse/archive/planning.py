"""What to pull: the bucket's listing compared with Bronze."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import polars as pl

from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.archive.keys import SOURCES
from crypto_lakehouse.archive.listing import Folder, list_folders, matching_symbols
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import InvalidRequest, ListingSuspect
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.partition import midnight
from crypto_lakehouse.lake.work import MAX_BATCH, ObjectToPull, PlanRequest, PullOrder
from crypto_lakehouse.settings import Settings, TransferProfile
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval

Progress = Callable[[str, int, int], None]
NEW, REPUBLISHED, UNCHANGED, QUARANTINED = "new", "republished", "unchanged", "quarantined"
EARLIEST = date(2017, 1, 1)
"""Before the exchange existed."""


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What to pull and why, and what not and why not.

    Args:
        request: What was asked for.
        objects: What to pull, by key, each with its reason: new or republished.
        unchanged: Objects Bronze holds as they are.
        quarantined: Objects that failed verification and have not changed since.
        vanished: Objects Bronze holds and the bucket no longer shows.
        days_without_object: Symbol and interval to the number of days of the range that no object covers.
    """

    request: PlanRequest
    objects: tuple[ObjectToPull, ...]
    unchanged: int
    quarantined: int
    vanished: int
    days_without_object: dict[str, int]

    @property
    def bytes(self) -> int:
        """Bytes to pull."""
        return sum(one.size for one in self.objects)

    def counts(self) -> dict[str, int]:
        """Returns the plan in figures."""
        reasons = [one.reason for one in self.objects]
        return {
            "objects_to_pull": len(self.objects),
            "bytes_to_pull": self.bytes,
            "objects_new": reasons.count(NEW),
            "objects_republished": reasons.count(REPUBLISHED),
            "objects_unchanged": self.unchanged,
            "objects_known_bad": self.quarantined,
            "objects_vanished": self.vanished,
            "days_without_object": sum(self.days_without_object.values()),
        }


def plan_pull(
    request: PlanRequest, settings: Settings, bronze: BronzeLog, progress: Progress | None = None
) -> PullPlan:
    """Lists what the request covers and returns what Bronze lacks of it.

    Raises:
        InvalidRequest: A symbol, interval or date is not acceptable.
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: The listing contradicts itself, or shows less than Bronze already holds.
    """
    row, days = dataset_row(request.dataset), requested_days(request)
    if not row.frequencies:
        # There is no archive to look at, but what is asked for is held against the table all the same.
        _intervals(row, request.intervals)
        return PullPlan(request, (), 0, 0, 0, {})
    profile = settings.transfer_profile(request.profile)
    bucket = Bucket(settings.archive, profile)
    folders = _folders(row, request, settings, bucket)
    listed = list_folders(bucket, folders, days, profile.listing_threads, progress)
    vanished = _vanished(row, folders, days, listed, bronze)
    if vanished and not settings.archive.allow_shrinkage:
        raise ListingSuspect(
            f"{len(vanished)} of the objects Bronze holds are no longer listed, the first is {vanished[0]}",
            "Look at the bucket; if they were withdrawn, set CRYPTO_LAKEHOUSE_ARCHIVE__ALLOW_SHRINKAGE=true",
            dataset=row.name,
        )
    compared = _compare(_chosen(row, listed), bronze, row)
    missing = _days_without_object(listed, folders, days)
    return _plan(request, compared, len(vanished), missing)


def requested_days(request: PlanRequest) -> tuple[date, date]:
    """Returns the request's days, both inclusive.

    Raises:
        InvalidRequest: They are no dates, are reversed, or lie before the exchange or far ahead.
    """
    try:
        first, last = date.fromisoformat(request.first_day), date.fromisoformat(request.last_day)
    except ValueError as error:
        raise InvalidRequest(f"the dates are not YYYY-MM-DD: {error}", dataset=request.dataset) from error
    latest = datetime.now(UTC).date() + timedelta(days=1)
    if not EARLIEST <= first <= last or first > latest:
        raise InvalidRequest(
            f"{first} to {last} is not a range of days between {EARLIEST} and {latest}",
            "Give the first day first",
            dataset=request.dataset,
        )
    return first, min(last, latest)


def _folders(row: Dataset, request: PlanRequest, settings: Settings, bucket: Bucket) -> list[Folder]:
    market = settings.market_filter(row)
    patterns = request.symbols or market.symbols
    intervals = _intervals(row, request.intervals or tuple(one.value for one in market.intervals))
    return [
        Folder(row, frequency, symbol, interval)
        for frequency in row.frequencies
        for symbol in matching_symbols(bucket, row, frequency, patterns)
        for interval in intervals
        if frequency is Frequency.MONTHLY or interval not in row.monthly_only_intervals
    ]


def _intervals(row: Dataset, names: Sequence[str]) -> list[Interval | None]:
    if not row.has_interval:
        return [None]
    try:
        wanted = [Interval(name) for name in names]
    except ValueError as error:
        raise InvalidRequest(f"{error}", f"Known: {', '.join(Interval)}", dataset=row.name) from error
    unknown = [one.value for one in wanted if one not in row.intervals]
    if unknown:
        raise InvalidRequest(
            f"has no interval {', '.join(unknown)}", f"It has {', '.join(row.intervals)}", dataset=row.name
        )
    return list(wanted)


def _vanished(
    row: Dataset, folders: Sequence[Folder], days: tuple[date, date], listed: pl.DataFrame, bronze: BronzeLog
) -> list[str]:
    wanted = pl.DataFrame(
        [(one.symbol, one.interval or "", SOURCES[one.frequency].value) for one in folders],
        schema={"symbol": pl.String, "interval": pl.String, "source": pl.String},
        orient="row",
    )
    held = bronze.latest(row.name).filter(
        (pl.col("end") > midnight(days[0])) & (pl.col("start") < midnight(days[1] + timedelta(days=1)))
    )
    expected = held.join(wanted, on=["symbol", "interval", "source"], how="semi")
    return expected.join(listed, on="key", how="anti")["key"].sort().to_list()


def _chosen(row: Dataset, listed: pl.DataFrame) -> pl.DataFrame:
    """Returns the objects worth pulling: of a month with a monthly file, its daily files only where both are wanted."""
    if row.both_frequencies or set(row.frequencies) != set(Frequency):
        return listed
    month = pl.col("first_day").dt.truncate("1mo").alias("month")
    monthly = listed.filter(pl.col("frequency") == Frequency.MONTHLY.value).select("symbol", "interval", month)
    daily = listed.filter(pl.col("frequency") == Frequency.DAILY.value).with_columns(month)
    needed = daily.join(monthly, on=["symbol", "interval", "month"], how="anti").drop("month")
    return pl.concat([listed.filter(pl.col("frequency") == Frequency.MONTHLY.value), needed]).sort("key")


def _compare(listed: pl.DataFrame, bronze: BronzeLog, row: Dataset) -> pl.DataFrame:
    held = bronze.latest(row.name).select("key", held_etag="etag", held_size="size")
    refused = pl.DataFrame(
        [(one.key, one.etag) for one in bronze.quarantined(row.name).values()],
        schema={"key": pl.String, "bad_etag": pl.String},
        orient="row",
    )
    joined = listed.join(held, on="key", how="left").join(refused, on="key", how="left")
    same = (pl.col("etag") == pl.col("held_etag")) & (pl.col("size") == pl.col("held_size"))
    return joined.with_columns(
        reason=pl.when(same)
        .then(pl.lit(UNCHANGED))
        .when(pl.col("bad_etag") == pl.col("etag"))
        .then(pl.lit(QUARANTINED))
        .when(pl.col("held_etag").is_not_null())
        .then(pl.lit(REPUBLISHED))
        .otherwise(pl.lit(NEW))
    ).sort("key")


def _days_without_object(listed: pl.DataFrame, folders: Sequence[Folder], days: tuple[date, date]) -> dict[str, int]:
    """Returns how many days of the range no object covers, for symbols and intervals where there are any."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    last = min(days[1], yesterday)
    all_days = pl.date_range(days[0], last, eager=True) if days[0] <= last else pl.Series([], dtype=pl.Date)
    covered = (
        listed.lazy()
        .select("symbol", "interval", day=pl.date_ranges("first_day", "last_day"))
        .explode("day")
        .filter(pl.col("day").is_between(days[0], last))
        .unique()
        .group_by("symbol", "interval")
        .len()
        .collect()
    )
    counts = {(symbol, interval): number for symbol, interval, number in covered.rows()}
    places = {(one.symbol, one.interval or "") for one in folders}
    missing = {place: len(all_days) - counts.get(place, 0) for place in sorted(places)}
    return {" ".join(part for part in place if part): number for place, number in missing.items() if number}


def _plan(request: PlanRequest, compared: pl.DataFrame, vanished: int, missing: dict[str, int]) -> PullPlan:
    counts = dict(compared["reason"].value_counts().rows())
    wanted = compared.filter(pl.col("reason").is_in([NEW, REPUBLISHED]))
    fields = ("key", "size", "etag", "last_modified", "has_checksum", "reason")
    objects = tuple(ObjectToPull(*values) for values in wanted.select(fields).iter_rows())
    return PullPlan(request, objects, counts.get(UNCHANGED, 0), counts.get(QUARANTINED, 0), vanished, missing)


def batches(plan: PullPlan, profile: TransferProfile) -> list[PullOrder]:
    """Returns the plan's objects as pull orders, each of at most as many as the profile and the order format allow."""
    size = min(profile.batch_objects, MAX_BATCH)
    request = plan.request
    return [
        PullOrder(request.dataset, request.run_id, request.profile, plan.objects[start : start + size])
        for start in range(0, len(plan.objects), size)
    ]
