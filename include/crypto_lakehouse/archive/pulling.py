"""Pull: a batch of objects from the bucket into Bronze, verified against the archive's checksums.

Objects land in a private staging folder; only what verifies is stored in the lake, and only when the whole batch is
stored does one entry in the Bronze log make it count. A crash before that leaves nothing that anyone reads.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from pathlib import Path

from crypto_lakehouse import telemetry
from crypto_lakehouse.archive.checksum import published_sha256
from crypto_lakehouse.archive.keys import ArchiveKey, bronze_path, parse_key
from crypto_lakehouse.archive.s5cmd import Download, download, too_large
from crypto_lakehouse.errors import (
    ArchiveFileMissing,
    ChecksumMismatch,
    HostileArchive,
    PermanentError,
    SourceUnavailable,
)
from crypto_lakehouse.foreign_errors import error_in_words
from crypto_lakehouse.instants import instant_from_iso, utc_now
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.records import BronzeObject, ObjectToPull
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.ownership import scratch_folder
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.settings import ArchiveSettings, MissingChecksum, Settings, TransferProfile
from crypto_lakehouse.telemetry import Level
from crypto_lakehouse.vocabulary import ChecksumStatus

_HASH_THREADS, _STORE_THREADS = 4, 8
_CHECKSUM, _MAX_CHECKSUM_BYTES = ".CHECKSUM", 4096
_SPARE_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Transfer:
    """How objects of a dataset come into Bronze.

    Args:
        dataset_name: The dataset.
        settings: Where the archive is, its policies, and the folder for temporary files.
        profile: Time limits, retries, connections.
        storage: The lake.
        progress: Called with what is counted, how much is done, and how much there is.
    """

    dataset_name: str
    settings: Settings
    profile: TransferProfile
    storage: Storage
    progress: Progress = no_progress


@dataclass(frozen=True, slots=True)
class PullOutcome:
    """The objects of a batch that are now in Bronze, and those that were refused."""

    pulled: list[BronzeObject]
    quarantined: list[QuarantinedObject]

    @property
    def bytes(self) -> int:
        """Bytes of the objects pulled."""
        return sum(bronze_object.size for bronze_object in self.pulled)


@dataclass(frozen=True, slots=True)
class _VerifiedFile:
    """A staged file whose checksum is right, or that the archive has no checksum for."""

    wanted: ObjectToPull
    key: ArchiveKey
    path: Path
    sha256: str
    checksum: ChecksumStatus


@dataclass(slots=True)
class _Verification:
    """Which objects of one attempt are verified, which are not and why, and which did not arrive.

    Args:
        messages: What the transfer printed about those that did not arrive.
    """

    verified: list[_VerifiedFile] = field(default_factory=list)
    refused: dict[ObjectToPull, PermanentError] = field(default_factory=dict)
    absent: list[ObjectToPull] = field(default_factory=list)
    messages: str = ""


def pull(objects: Sequence[ObjectToPull], transfer: Transfer) -> PullOutcome:
    """Brings objects into Bronze.

    An object that fails verification is downloaded again a few times, then quarantined with its reason. It does not
    stop the others. An object that another pull has brought meanwhile is left out: the next plan looks
    again.

    Raises:
        SourceUnavailable: Some objects did not arrive; the others are in Bronze, so that a repeat is short.
        ResourcesExhausted: They did not arrive because there is no space for them.
        InvalidRequest: A key is not an archive key.
    """
    bronze = BronzeLog(transfer.storage)
    # Before anything is downloaded: what another pull commits meanwhile is newer than what this one brings.
    mark = bronze.mark(transfer.dataset_name)
    # The plan left out what Bronze had; an earlier attempt at this order is all that may have come since.
    etags = bronze.recent_etags(transfer.dataset_name)
    wanted = [item for item in objects if etags.get(item.key) != (item.etag, item.checksum_etag)]
    with scratch_folder(transfer.settings.work_folder, "staging") as staging:
        verification = _verified_downloads(wanted, transfer, staging)
        now = utc_now()
        # Each file is made durable before the commit below; waiting for the disk overlaps.
        with ThreadPoolExecutor(_STORE_THREADS) as pool:
            pulled = list(pool.map(lambda file: _store(file, transfer, now), verification.verified))
        overtaken = bronze.commit(pulled, mark)
        pulled = [bronze_object for bronze_object in pulled if bronze_object not in overtaken]
        # A file that a full disk cut off is no evidence about the object.
        fault = error_in_words(verification.messages, str(staging))
        judged = {} if fault else verification.refused
        refused = [_quarantined(candidate, error, now) for candidate, error in judged.items()]
        bronze.quarantine(transfer.dataset_name, refused, mark)
    if overtaken:
        telemetry.event("objects_overtaken", Level.WARNING, objects=len(overtaken), first=overtaken[0].key)
    if fault is not None and (verification.absent or verification.refused):
        raise fault
    if verification.absent:
        raise _missing(transfer, verification.absent, len(objects))
    return PullOutcome(pulled, refused)


def _verified_downloads(wanted: Sequence[ObjectToPull], transfer: Transfer, staging: Path) -> _Verification:
    """Downloads and verifies, and tries again what failed: a wrong checksum may be a broken transfer."""
    result, final = _Verification(), dict[ObjectToPull, PermanentError]()
    remaining, attempts = list(wanted), transfer.settings.archive.checksum_retries + 1
    for number in count():
        if not remaining or not attempts:
            break
        folder = staging / f"attempt-{number}"
        folder.mkdir()
        verification = _attempt(remaining, transfer, folder)
        result.verified += verification.verified
        beyond_limits = {
            item: error for item, error in verification.refused.items() if isinstance(error, HostileArchive)
        }
        final |= beyond_limits
        result.refused, result.absent = final | verification.refused, verification.absent
        result.messages = verification.messages
        remaining = [item for item in (*verification.refused, *verification.absent) if item not in final]
        # What is too large ends the downloads of others, which have not failed.
        attempts -= not beyond_limits
    return result


def _attempt(wanted: Sequence[ObjectToPull], transfer: Transfer, folder: Path) -> _Verification:
    def report() -> None:
        transfer.progress("objects downloaded", sum(1 for _ in folder.glob("*.zip")), len(wanted))

    archive, downloads = transfer.settings.archive, _downloads(wanted)
    messages = download(downloads, folder, archive, transfer.profile, report)
    report()
    beyond = too_large(folder, downloads)
    verification = _Verification(messages=messages)
    with ThreadPoolExecutor(_HASH_THREADS) as pool:
        judged = pool.map(lambda item: _judge(item[1], folder, item[0], archive), enumerate(wanted))
        for candidate, verdict in zip(wanted, judged, strict=True):
            if beyond & {candidate.key, f"{candidate.key}{_CHECKSUM}"}:
                verification.refused[candidate] = _too_large(candidate)
            elif verdict is None:
                verification.absent.append(candidate)
            elif isinstance(verdict, _VerifiedFile):
                verification.verified.append(verdict)
            else:
                verification.refused[candidate] = verdict
    return verification


def _downloads(wanted: Sequence[ObjectToPull]) -> list[Download]:
    # Numbers, not keys, are the files' names: nothing of a key reaches a path.
    zips = [Download(item.key, f"{number}.zip", _most_bytes(item)) for number, item in enumerate(wanted)]
    checksums = [
        Download(f"{item.key}{_CHECKSUM}", f"{number}.checksum", _MAX_CHECKSUM_BYTES)
        for number, item in enumerate(wanted)
        if item.has_checksum
    ]
    return [*zips, *checksums]


def _most_bytes(wanted: ObjectToPull) -> int:
    # The archive may replace an object after the listing, usually by one of about the same size.
    return 2 * wanted.size + _SPARE_BYTES


def _too_large(wanted: ObjectToPull) -> PermanentError:
    return HostileArchive(
        f"the archive sends more than {_most_bytes(wanted):,} bytes and lists {wanted.size:,}, "
        f"or a CHECKSUM of more than {_MAX_CHECKSUM_BYTES:,} bytes",
        "It stays out of Bronze until the exchange publishes it again",
        partition=wanted.key.rpartition("/")[2],
    )


def _judge(
    wanted: ObjectToPull, folder: Path, number: int, archive: ArchiveSettings
) -> _VerifiedFile | PermanentError | None:
    """Returns the verified file, why it is not, or None where the download did not arrive."""
    key, path = parse_key(wanted.key), folder / f"{number}.zip"
    if key is None:
        return ArchiveFileMissing(f"{wanted.key} is not an archive key", "Plan again")
    checksum = folder / f"{number}.checksum"
    if not path.is_file() or (wanted.has_checksum and not checksum.is_file()):
        return None
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if path.stat().st_size > wanted.size and not wanted.has_checksum:
        return ChecksumMismatch(
            f"it has {path.stat().st_size:,} bytes, {wanted.size:,} are listed, and no CHECKSUM proves it",
            "It stays out of Bronze until the exchange publishes it again",
            partition=wanted.key.rpartition("/")[2],
        )
    try:
        status = _checksum_status(wanted, sha256, checksum, archive)
    except ChecksumMismatch as error:
        return error
    return _VerifiedFile(wanted, key, path, sha256, status)


def _checksum_status(wanted: ObjectToPull, sha256: str, checksum: Path, archive: ArchiveSettings) -> ChecksumStatus:
    name = wanted.key.rpartition("/")[2]
    if not wanted.has_checksum:
        if archive.missing_checksum is MissingChecksum.REFUSE:
            raise ChecksumMismatch(
                "the archive has no CHECKSUM for it", "The policy refuses such objects", partition=name
            )
        return ChecksumStatus.ABSENT
    expected = published_sha256(checksum.read_bytes(), name)
    if expected != sha256:
        raise ChecksumMismatch(
            f"its sha256 is {sha256}, its CHECKSUM is {expected}",
            "It stays out of Bronze until the exchange publishes it again",
            partition=name,
        )
    return ChecksumStatus.VERIFIED


def _store(file: _VerifiedFile, transfer: Transfer, now: datetime) -> BronzeObject:
    size = file.path.stat().st_size
    path = bronze_path(file.key, file.sha256)
    transfer.storage.put_file(file.path, path)
    return BronzeObject(
        dataset=transfer.dataset_name,
        key=file.wanted.key,
        symbol=file.key.symbol,
        interval=str(file.key.interval or ""),
        source=file.key.source,
        start=file.key.start,
        end=file.key.end,
        # Replaced between listing and download: no listing's tag fits, so that the next plan looks again.
        etag=file.wanted.etag if size == file.wanted.size else "",
        last_modified=instant_from_iso(file.wanted.last_modified),
        size=size,
        sha256=file.sha256,
        checksum=file.checksum,
        seen_at=now,
        path=path,
        checksum_etag=file.wanted.checksum_etag,
    )


def _quarantined(refused: ObjectToPull, error: PermanentError, now: datetime) -> QuarantinedObject:
    name, tag = type(error).__name__, refused.checksum_etag
    entry = QuarantinedObject(refused.key, refused.etag, name, error.what, now, checksum_etag=tag)
    key = parse_key(refused.key)
    if key is None:
        return entry
    return replace(entry, symbol=key.symbol, interval=str(key.interval or ""), start=key.start, end=key.end)


def _missing(transfer: Transfer, absent: Iterable[ObjectToPull], wanted: int) -> SourceUnavailable:
    keys = sorted(candidate.key for candidate in absent)
    return SourceUnavailable(
        f"{len(keys)} of {wanted} objects did not arrive, the first is {keys[0]}",
        "The others are in Bronze; repeat the run. If it stays so, plan again: the bucket may have changed",
        dataset=transfer.dataset_name,
    )
