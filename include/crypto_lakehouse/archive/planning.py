"""What to pull: the bucket's listing compared with Bronze."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

import polars as pl

from crypto_lakehouse import telemetry
from crypto_lakehouse.archive.bucket import Bucket
from crypto_lakehouse.archive.keys import SOURCES
from crypto_lakehouse.archive.listing import (
    LISTED_SCHEMA,
    Folder,
    FolderDays,
    is_pattern,
    list_folders,
    matching_symbols,
)
from crypto_lakehouse.errors import ListingSuspect
from crypto_lakehouse.instants import midnight, utc_now
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import ObjectToPull
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import Settings, TransferProfile
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.symbols import nearest_symbols, validated_symbol
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.vocabulary import Frequency

NEW, REPUBLISHED, DAMAGED, UNCHANGED, QUARANTINED = "new", "republished", "damaged", "unchanged", "quarantined"

_IS_SOUND = pl.col("size").is_not_null() & (pl.col("last_modified") != "")


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What to pull and why, and what not and why not.

    Args:
        objects: What to pull, by key, each with its reason: new, republished, or damaged in Bronze.
        unchanged: Objects that Bronze has as they are.
        quarantined: Objects that failed verification and have not changed since.
        vanished: Objects that Bronze has and the bucket no longer lists.
        days_without_object: Symbol and interval to the number of days of the selection that no object covers.
        folders: The days of every listed folder.
        unseen: Symbols that are named, and that neither the archive nor the lake has, with the nearest ones.
        has_symbols: Whether the archive or the lake has any symbol: only then a name can be compared with others.
        odd: Objects that the bucket lists without a size or a time that can be true.
    """

    objects: tuple[ObjectToPull, ...] = ()
    unchanged: int = 0
    quarantined: int = 0
    vanished: int = 0
    days_without_object: dict[str, int] = field(default_factory=dict)
    folders: tuple[FolderDays, ...] = ()
    unseen: dict[str, tuple[str, ...]] = field(default_factory=dict)
    has_symbols: bool = False
    odd: int = 0

    @property
    def bytes(self) -> int:
        """Bytes to pull."""
        return sum(wanted.size for wanted in self.objects)


NO_DAYS = pl.DataFrame(schema={"symbol": pl.String, "interval": pl.String, "first_day": pl.Date})


def plan_pull(  # noqa: PLR0913 - the last two have defaults and are named where they are given
    selection: Selection,
    settings: Settings,
    bronze: BronzeLog,
    profile: TransferProfile,
    *,
    progress: Progress = no_progress,
    doubtful: pl.DataFrame = NO_DAYS,
) -> PullPlan:
    """Lists what the selection covers and returns what Bronze lacks of it.

    Args:
        selection: Which data the run is about.
        settings: The deployment.
        bronze: What the lake has.
        profile: Time limits, retries, connections.
        progress: Listener.
        doubtful: The days that coverage reports as missing or degraded, with the columns of `NO_DAYS`: their daily
            files are pulled, too, where the month has a monthly file.

    Raises:
        InvalidRequest: A symbol is not acceptable.
        SourceUnavailable: The bucket does not answer.
        ListingSuspect: The listing contradicts itself, or shows less than Bronze already has.
    """
    dataset = selection.dataset
    if not dataset.frequencies:
        # There is no archive to list.
        return _with_unseen(PullPlan(), selection, bronze, None)
    bucket = Bucket(settings.archive, profile)
    folders = _folders(selection, settings, bucket)
    days = (selection.first_day, selection.last_day)
    listing = list_folders(bucket, folders, days, profile.listing_threads, progress)
    listed = listing.objects
    vanished = _vanished(selection, folders, listed, bronze)
    if vanished and not settings.archive.allow_shrinkage:
        raise ListingSuspect(
            f"{len(vanished)} of the objects that Bronze has are no longer listed, the first is {vanished[0]}",
            "Look at the bucket; if they were withdrawn, set CRYPTO_LAKEHOUSE_ARCHIVE__ALLOW_SHRINKAGE=true",
            dataset=dataset.name,
        )
    damaged = _listed_damaged(bronze.damaged(dataset.name), bucket, folders, profile)
    sound, odd = listed.filter(_IS_SOUND), listed.filter(~_IS_SOUND)["key"].to_list()
    if odd:
        telemetry.event("listing_odd", Level.WARNING, dataset=dataset.name, objects=len(odd), first=odd[0])
    needed = _without_daily_duplicates(dataset, sound, doubtful)
    wanted = pl.concat([needed, damaged.filter(_IS_SOUND)]).unique("key").sort("key")
    plan = _plan(_compare(wanted, bronze, dataset), len(vanished), _days_without_object(sound, folders, selection))
    return _with_unseen(replace(plan, folders=listing.folders, odd=len(odd)), selection, bronze, bucket)


def _folders(selection: Selection, settings: Settings, bucket: Bucket) -> list[Folder]:
    dataset = selection.dataset
    market = settings.market_filter(dataset)
    intervals = selection.with_defaults(market.intervals)
    return [
        Folder(dataset, frequency, symbol, interval)
        for frequency in dataset.frequencies
        for symbol in matching_symbols(bucket, dataset, frequency, selection.symbols or market.symbols)
        for interval in intervals
        if frequency is Frequency.MONTHLY or interval not in dataset.monthly_only_intervals
    ]


def _vanished(selection: Selection, folders: Sequence[Folder], listed: pl.DataFrame, bronze: BronzeLog) -> list[str]:
    """Returns the keys that Bronze has in these folders and on these days and that are not listed."""
    wanted = pl.DataFrame(
        [_series_of(folder) for folder in folders],
        schema={"symbol": pl.String, "interval": pl.String, "source": pl.String},
        orient="row",
    )
    in_bronze = bronze.latest(selection.dataset.name).filter(
        (pl.col("end") > midnight(selection.first_day))
        & (pl.col("start") < midnight(selection.last_day + timedelta(days=1)))
    )
    expected = in_bronze.join(wanted, on=["symbol", "interval", "source"], how="semi")
    return expected.join(listed, on="key", how="anti")["key"].sort().to_list()


def _with_unseen(plan: PullPlan, selection: Selection, bronze: BronzeLog, bucket: Bucket | None) -> PullPlan:
    """Returns the plan with the symbols that are asked for by name and that neither the archive nor the lake has.

    Configured symbols do not count: they are the same for all datasets of a market, and not all datasets have them.
    """
    dataset = selection.dataset
    named = {validated_symbol(pattern) for pattern in selection.symbols if not is_pattern(pattern)}
    unlisted = named - {days.folder.symbol for days in plan.folders}
    known = set(bronze.latest(dataset.name)["symbol"]) if unlisted else set()
    if bucket is not None and unlisted - known:
        known.update(*(bucket.folders(dataset.archive_prefix(frequency)) for frequency in dataset.frequencies))
    unseen = {symbol: tuple(nearest_symbols(symbol, known)) for symbol in sorted(unlisted - known)}
    return replace(plan, unseen=unseen, has_symbols=bool(known))


def _without_daily_duplicates(dataset: Dataset, listed: pl.DataFrame, doubtful: pl.DataFrame) -> pl.DataFrame:
    """Returns the objects to pull: of the daily files of a month with a monthly file only the files of doubtful days.

    All of them are pulled where the dataset wants both.
    """
    if dataset.both_frequencies or set(dataset.frequencies) != set(Frequency):
        return listed
    month = pl.col("first_day").dt.truncate("1mo").alias("month")
    monthly = listed.filter(pl.col("frequency") == Frequency.MONTHLY.value)
    daily = listed.filter(pl.col("frequency") == Frequency.DAILY.value).with_columns(month)
    months = monthly.select("symbol", "interval", month)
    alone = daily.join(months, on=["symbol", "interval", "month"], how="anti")
    doubted = daily.join(doubtful, on=["symbol", "interval", "first_day"], how="semi")
    return pl.concat([monthly, pl.concat([alone, doubted]).drop("month")]).unique("key").sort("key")


def _listed_damaged(
    damaged: pl.DataFrame, bucket: Bucket, folders: Sequence[Folder], profile: TransferProfile
) -> pl.DataFrame:
    """Returns what the bucket lists of the objects whose stored bytes are damaged, of any day of the folders."""
    series = set(damaged.select("symbol", "interval", "source").iter_rows())
    needed = [folder for folder in folders if _series_of(folder) in series]
    first, last = damaged["start"].min(), damaged["end"].max()
    if not needed or not isinstance(first, datetime) or not isinstance(last, datetime):
        return pl.DataFrame(schema=LISTED_SCHEMA)
    listed = list_folders(bucket, needed, (first.date(), last.date()), profile.listing_threads).objects
    return listed.join(damaged, on="key", how="semi")


def _series_of(folder: Folder) -> tuple[str, str, str]:
    """Returns symbol, interval and source of the objects of a folder."""
    return folder.symbol, str(folder.interval or ""), SOURCES[folder.frequency].value


def _compare(listed: pl.DataFrame, bronze: BronzeLog, dataset: Dataset) -> pl.DataFrame:
    """Returns the listed objects by key, with the reason to pull each or to leave it out."""
    in_bronze = bronze.latest(dataset.name).select(
        "key", "damage", bronze_etag="etag", bronze_size="size", bronze_checksum="checksum_etag"
    )
    refused = pl.DataFrame(
        [(refusal.key, refusal.etag, refusal.checksum_etag) for refusal in bronze.quarantined(dataset.name).values()],
        schema={"key": pl.String, "bad_etag": pl.String, "bad_checksum": pl.String},
        orient="row",
    )
    joined = listed.join(in_bronze, on="key", how="left").join(refused, on="key", how="left")
    same_zip = (pl.col("etag") == pl.col("bronze_etag")) & (pl.col("size") == pl.col("bronze_size"))
    return joined.with_columns(
        reason=pl.when(same_zip & _has_same_checksum("bronze_checksum"))
        .then(pl.lit(UNCHANGED))
        .when((pl.col("bad_etag") == pl.col("etag")) & _has_same_checksum("bad_checksum"))
        .then(pl.lit(QUARANTINED))
        .when(pl.col("damage") != "")
        .then(pl.lit(DAMAGED))
        .when(pl.col("bronze_etag").is_not_null())
        .then(pl.lit(REPUBLISHED))
        .otherwise(pl.lit(NEW))
    ).sort("key")


def _has_same_checksum(recorded: str) -> pl.Expr:
    """Returns whether the listed CHECKSUM is the recorded one. One that is no longer listed takes nothing away."""
    return (pl.col("checksum_etag") == pl.col(recorded)) | (pl.col("checksum_etag") == "")


def _days_without_object(listed: pl.DataFrame, folders: Sequence[Folder], selection: Selection) -> dict[str, int]:
    """Returns how many days of the selection no object covers, for symbols and intervals where there are any."""
    first, last = selection.first_day, min(selection.last_day, _yesterday())
    days = max(0, (last - first).days + 1)
    covered = (
        listed.lazy()
        .select("symbol", "interval", day=pl.date_ranges("first_day", "last_day"))
        .explode("day")
        .filter(pl.col("day").is_between(first, last))
        .unique()
        .group_by("symbol", "interval")
        .len()
        .collect()
    )
    counts = {(symbol, interval): number for symbol, interval, number in covered.rows()}
    wanted = sorted({(folder.symbol, folder.interval or "") for folder in folders})
    missing = {" ".join(filter(None, key)): days - counts.get(key, 0) for key in wanted}
    return {words: number for words, number in missing.items() if number}


def _yesterday() -> date:
    return utc_now().date() - timedelta(days=1)


def _plan(compared: pl.DataFrame, vanished: int, missing: dict[str, int]) -> PullPlan:
    counts = dict(compared["reason"].value_counts().rows())
    wanted = compared.filter(pl.col("reason").is_in([NEW, REPUBLISHED, DAMAGED]))
    fields = ("key", "size", "etag", "last_modified", "checksum_etag", "reason")
    objects = tuple(ObjectToPull(*values) for values in wanted.select(fields).iter_rows())
    return PullPlan(objects, counts.get(UNCHANGED, 0), counts.get(QUARANTINED, 0), vanished, missing)


def batches(objects: Sequence[ObjectToPull], size: int) -> list[tuple[ObjectToPull, ...]]:
    """Returns objects in batches of at most `size`."""
    return [tuple(objects[start : start + size]) for start in range(0, len(objects), size)]
