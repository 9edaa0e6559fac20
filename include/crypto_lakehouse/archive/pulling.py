"""Pull: a batch of objects from the bucket into Bronze, verified against the archive's checksums.

Objects land in a private staging folder; only what verifies is stored in the lake, and only when the whole batch is
stored does one entry in the Bronze log make it count. A crash before that leaves nothing that anyone reads.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

from crypto_lakehouse.archive.checksum import published_sha256
from crypto_lakehouse.archive.keys import ArchiveKey, bronze_path, parse_key
from crypto_lakehouse.archive.s5cmd import Download, download
from crypto_lakehouse.errors import ArchiveFileMissing, ChecksumMismatch, PermanentError, SourceUnavailable
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.records import BronzeObject
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.work import ObjectToPull, PullOrder
from crypto_lakehouse.settings import ArchiveSettings, MissingChecksum, Settings
from crypto_lakehouse.vocabulary import ChecksumStatus

Progress = Callable[[str, int, int], None]
_HASH_THREADS, _STORE_THREADS = 4, 8
_STALE_SECONDS = 24 * 3600
_STAGING_PREFIX = "staging-"


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """What a batch came to: objects now in Bronze, those refused, and those that were there already."""

    pulled: list[BronzeObject]
    quarantined: list[QuarantinedObject]
    already_there: int = 0

    @property
    def bytes(self) -> int:
        """Bytes of the objects pulled."""
        return sum(one.size for one in self.pulled)


@dataclass(frozen=True, slots=True)
class _Verified:
    """A staged file that is what the archive vouches for, or all that can be known of it."""

    wanted: ObjectToPull
    key: ArchiveKey
    path: Path
    sha256: str
    checksum: ChecksumStatus


@dataclass(slots=True)
class _Verdicts:
    """How the staged files of one attempt fared."""

    good: list[_Verified] = field(default_factory=list)
    bad: dict[ObjectToPull, PermanentError] = field(default_factory=dict)
    absent: list[ObjectToPull] = field(default_factory=list)


def pull(
    order: PullOrder, settings: Settings, storage: Storage, bronze: BronzeLog, progress: Progress | None = None
) -> PullOutcome:
    """Brings the order's objects into Bronze.

    An object that fails verification is downloaded again a few times, then quarantined with its reason; the others
    are not held up by it.

    Raises:
        SourceUnavailable: Some objects could not be had; those that could are in Bronze, so a repeat is short.
        InvalidRequest: The order names what is not an archive key.
    """
    # The plan left out what Bronze held; an earlier try of this order is all that may have come since.
    held = bronze.recent_etags(order.dataset)
    wanted = [one for one in order.objects if held.get(one.key) != one.etag]
    staging = _staging(settings)
    try:
        verdicts = _verified_downloads(wanted, order, settings, staging, progress)
        now = datetime.now(UTC)
        # Each file is made durable before the commit below; waiting for the disk overlaps.
        with ThreadPoolExecutor(_STORE_THREADS) as pool:
            pulled = list(pool.map(lambda one: _store(one, order.dataset, storage, now), verdicts.good))
        bronze.commit(pulled)
        refused = [_quarantined(one, error, now) for one, error in verdicts.bad.items()]
        bronze.quarantine(order.dataset, refused)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    if verdicts.absent:
        raise _missing(order, verdicts.absent)
    return PullOutcome(pulled, refused, len(order.objects) - len(wanted))


def _staging(settings: Settings) -> Path:
    base = settings.work_folder
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
        _remove_stale(base)
    return Path(mkdtemp(prefix=_STAGING_PREFIX, dir=base))


def _remove_stale(base: Path) -> None:
    """Removes the staging folders of runs killed long ago; nothing else ever does."""
    for folder in base.glob(f"{_STAGING_PREFIX}*"):
        if time.time() - folder.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _verified_downloads(
    wanted: Sequence[ObjectToPull], order: PullOrder, settings: Settings, staging: Path, progress: Progress | None
) -> _Verdicts:
    """Downloads and verifies, and tries again what failed: a wrong checksum may be a broken transfer."""
    result = _Verdicts()
    remaining = list(wanted)
    for attempt in range(settings.archive.checksum_retries + 1):
        if not remaining:
            break
        folder = staging / f"attempt-{attempt}"
        folder.mkdir()
        verdicts = _attempt(remaining, order, settings, folder, progress)
        result.good += verdicts.good
        result.bad, result.absent = verdicts.bad, verdicts.absent
        remaining = [*verdicts.bad, *verdicts.absent]
    return result


def _attempt(
    wanted: Sequence[ObjectToPull], order: PullOrder, settings: Settings, folder: Path, progress: Progress | None
) -> _Verdicts:
    # Numbers, not names, are the files' names: nothing of a key reaches a path.
    numbered = dict(enumerate(wanted))
    downloads = [
        Download(key, f"{number}.{kind}")
        for number, one in numbered.items()
        for key, kind in ((one.key, "zip"), (f"{one.key}.CHECKSUM", "checksum"))
        if kind == "zip" or one.has_checksum
    ]

    def report() -> None:
        if progress:
            progress("objects downloaded", sum(1 for _ in folder.glob("*.zip")), len(wanted))

    download(downloads, folder, settings.archive, settings.transfer_profile(order.profile), report)
    report()
    verdicts = _Verdicts()
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        judged = pool.map(lambda item: _judge(item[1], folder, item[0], settings.archive), numbered.items())
        for one, verdict in zip(wanted, judged, strict=True):
            if verdict is None:
                verdicts.absent.append(one)
            elif isinstance(verdict, _Verified):
                verdicts.good.append(verdict)
            else:
                verdicts.bad[one] = verdict
    return verdicts


def _judge(
    wanted: ObjectToPull, folder: Path, number: int, archive: ArchiveSettings
) -> _Verified | PermanentError | None:
    """Returns the verified file, why it is not, or None where the download did not arrive."""
    key, path = parse_key(wanted.key), folder / f"{number}.zip"
    if key is None:
        return ArchiveFileMissing(f"{wanted.key} is not an archive key", "Plan again")
    checksum = folder / f"{number}.checksum"
    if not path.is_file() or (wanted.has_checksum and not checksum.is_file()):
        return None
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    try:
        status = _checked(wanted, found, checksum, archive)
    except ChecksumMismatch as error:
        return error
    return _Verified(wanted, key, path, found, status)


def _checked(wanted: ObjectToPull, found: str, checksum: Path, archive: ArchiveSettings) -> ChecksumStatus:
    name = wanted.key.rpartition("/")[2]
    if not wanted.has_checksum:
        if archive.missing_checksum is MissingChecksum.REFUSE:
            raise ChecksumMismatch(
                "the archive has no CHECKSUM for it", "The policy refuses such objects", partition=name
            )
        return ChecksumStatus.ABSENT
    expected = published_sha256(checksum.read_bytes(), name)
    if expected != found:
        raise ChecksumMismatch(
            f"its sha256 is {found}, its CHECKSUM says {expected}",
            "It stays out of Bronze until the exchange publishes it anew",
            partition=name,
        )
    return ChecksumStatus.VERIFIED


def _store(one: _Verified, dataset: str, storage: Storage, now: datetime) -> BronzeObject:
    size = one.path.stat().st_size
    path = bronze_path(one.key, one.sha256)
    storage.put_file(one.path, path)
    return BronzeObject(
        dataset=dataset,
        key=one.wanted.key,
        symbol=one.key.symbol,
        interval=str(one.key.interval or ""),
        source=one.key.source,
        start=one.key.start,
        end=one.key.end,
        # Replaced between listing and download: no listing's tag fits, so that the next plan looks again.
        etag=one.wanted.etag if size == one.wanted.size else "",
        last_modified=_instant(one.wanted.last_modified),
        size=size,
        sha256=one.sha256,
        checksum=one.checksum,
        seen_at=now,
        path=path,
    )


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _quarantined(one: ObjectToPull, error: PermanentError, now: datetime) -> QuarantinedObject:
    return QuarantinedObject(one.key, one.etag, type(error).__name__, error.what, now)


def _missing(order: PullOrder, absent: Iterable[ObjectToPull]) -> SourceUnavailable:
    keys = sorted(one.key for one in absent)
    return SourceUnavailable(
        f"{len(keys)} of {len(order.objects)} objects did not arrive, the first is {keys[0]}",
        "The others are in Bronze; repeat the run. If it stays so, plan again: the bucket may have changed",
        dataset=order.dataset,
    )
