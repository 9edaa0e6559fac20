import hashlib
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive import pulling
from crypto_lakehouse.archive.planning import PullPlan, plan_pull
from crypto_lakehouse.archive.pulling import PullOutcome, pull
from crypto_lakehouse.errors import InvalidRequest, SourceUnavailable
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import ObjectToPull
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import MissingChecksum, Settings
from crypto_lakehouse.vocabulary import ChecksumStatus
from tests.crypto_lakehouse.archive.objects import QUICK, put_object, settings_for, transfer_for
from tests.fakes.bucket import FakeBucket
from tests.waiting import STANDSTILL_SECONDS

NAME = "binance_um_klines"
DAYS = [date(2024, 1, day) for day in range(1, 5)]


class Lake:
    """A lake that pulls from a fake bucket."""

    def __init__(self, bucket: FakeBucket, settings: Settings) -> None:
        self.bucket, self.settings = bucket, settings
        self.storage = LocalStorage(Path(settings.lake))
        self.bronze = BronzeLog(self.storage)

    def plan(self) -> PullPlan:
        selection = Selection.parse(NAME, ("2024-01-01", "2024-01-31"), symbols=["BTCUSDT"], intervals=["1m"])
        return plan_pull(selection, self.settings, self.bronze, QUICK)

    def pull(self, objects: Sequence[ObjectToPull] = ()) -> PullOutcome:
        """Pulls what a plan made before named, or what a new one names."""
        return pull(objects or self.plan().objects, transfer_for(self.settings))

    def held(self) -> dict[str, bytes]:
        """Returns what Bronze says it holds, key to bytes."""
        rows = self.bronze.latest(NAME).select("key", "path").iter_rows()
        return {key: self.storage.read(path) for key, path in rows}


@pytest.fixture
def lake(bucket: FakeBucket, tmp_path: Path) -> Lake:
    return Lake(bucket, settings_for(bucket, tmp_path))


def with_archive(lake: Lake, **changes: object) -> None:
    lake.settings = lake.settings.model_copy(update={"archive": lake.settings.archive.model_copy(update=changes)})


def test_verified_objects_land_in_bronze_with_all_that_is_known_of_them(lake: Lake) -> None:
    keys = [put_object(lake.bucket, NAME, day) for day in DAYS]
    outcome = lake.pull()
    assert lake.held() == {key: lake.bucket.objects[key] for key in keys}
    assert {one.checksum for one in outcome.pulled} == {ChecksumStatus.VERIFIED}
    assert outcome.pulled[0].etag and outcome.pulled[0].size == len(lake.bucket.objects[keys[0]])
    assert list((lake.settings.work_folder or Path()).iterdir()) == []


def test_nothing_is_pulled_twice(lake: Lake) -> None:
    put_object(lake.bucket, NAME, DAYS[0])
    objects = lake.plan().objects
    assert len(lake.pull(objects).pulled) == 1
    lake.bucket.requests.clear()
    assert lake.pull(objects).pulled == []
    assert lake.bucket.requests == []


def test_an_object_without_a_checksum_is_accepted_and_marked(lake: Lake) -> None:
    put_object(lake.bucket, NAME, DAYS[0], checksum=False)
    assert [one.checksum for one in lake.pull().pulled] == [ChecksumStatus.ABSENT]


def test_the_other_policy_refuses_an_object_without_a_checksum(lake: Lake) -> None:
    with_archive(lake, missing_checksum=MissingChecksum.REFUSE)
    put_object(lake.bucket, NAME, DAYS[0], checksum=False)
    outcome = lake.pull()
    assert lake.held() == {}
    assert "no CHECKSUM" in outcome.quarantined[0].reason


BAD_CHECKSUMS: dict[str, tuple[Callable[[str], bytes], str]] = {
    "wrong digest": (lambda name: f"{'0' * 64}  {name}".encode(), "its CHECKSUM is"),
    "wrong name": (lambda _: f"{'0' * 64}  other.zip".encode(), "is for 'other.zip'"),
    "empty": (lambda _: b"", "is not"),
    "HTML": (lambda _: b"<html>AccessDenied</html>", "is not"),
    "two lines": (lambda name: f"{'0' * 64}  {name}\n{'1' * 64}  {name}\n".encode(), "is not"),
}


@pytest.mark.parametrize("kind", BAD_CHECKSUMS)
def test_a_bad_checksum_is_tried_again_then_quarantined_and_holds_nobody_up(kind: str, lake: Lake) -> None:
    good, bad = put_object(lake.bucket, NAME, DAYS[0]), put_object(lake.bucket, NAME, DAYS[1])
    make, reason = BAD_CHECKSUMS[kind]
    lake.bucket.objects[f"{bad}.CHECKSUM"] = make(bad.rpartition("/")[2])
    outcome = lake.pull()
    assert list(lake.held()) == [good]
    assert [one.key for one in outcome.quarantined] == [bad]
    assert reason in outcome.quarantined[0].reason
    attempts = sum(path.endswith("2024-01-02.zip.CHECKSUM") for path in lake.bucket.requests)
    assert attempts >= 1 + lake.settings.archive.checksum_retries
    assert lake.plan().objects == ()


@pytest.mark.parametrize("status", [403, 404])
def test_a_checksum_that_cannot_be_had_is_a_failure_and_the_rest_is_kept(status: int, lake: Lake) -> None:
    good, bad = put_object(lake.bucket, NAME, DAYS[0]), put_object(lake.bucket, NAME, DAYS[1])
    lake.bucket.fault = lambda path: (status, b"") if "2024-01-02.zip.CHECKSUM" in path else None
    with pytest.raises(SourceUnavailable, match=f"1 of 2 objects did not arrive, the first is {bad}"):
        lake.pull()
    assert list(lake.held()) == [good]
    lake.bucket.fault = lambda _path: None
    lake.pull()
    assert sorted(lake.held()) == [good, bad]


@pytest.mark.parametrize(
    "spelled", [lambda text: text.upper(), lambda text: f"{text}\r\n".encode().decode()], ids=["upper case", "CRLF"]
)
def test_a_checksum_in_another_spelling_is_still_one(spelled: Callable[[str], str], lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0])
    digest, name = lake.bucket.objects[f"{key}.CHECKSUM"].decode().split("  ")
    lake.bucket.objects[f"{key}.CHECKSUM"] = f"{spelled(digest)}  {name}".replace("\r\n", "").encode() + b"\r\n"
    assert len(lake.pull().pulled) == 1


def test_a_flipped_bit_on_the_way_is_never_accepted(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0])
    content = bytearray(lake.bucket.objects[key])
    content[len(content) // 2] ^= 1
    flips: list[str] = []

    def flip(path: str) -> tuple[int, bytes] | None:
        if path.endswith(".zip"):
            flips.append(path)
            return 200, bytes(content)
        return None

    lake.bucket.fault = flip
    outcome = lake.pull()
    assert len(flips) >= 3
    assert lake.held() == {}
    assert "its CHECKSUM is" in outcome.quarantined[0].reason


def test_control_without_a_checksum_the_same_flip_goes_unseen(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0], checksum=False)
    content = bytearray(lake.bucket.objects[key])
    content[len(content) // 2] ^= 1
    lake.bucket.fault = lambda path: (200, bytes(content)) if path.endswith(".zip") else None
    lake.pull()
    assert lake.held() == {key: bytes(content)}


def test_an_object_replaced_after_the_listing_is_taken_as_it_is_and_looked_at_again(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0])
    objects = lake.plan().objects
    put_object(lake.bucket, NAME, DAYS[0], rows=b"a longer, later version\n" * 3)
    lake.pull(objects)
    assert lake.held() == {key: lake.bucket.objects[key]}
    assert [one.reason for one in lake.plan().objects] == ["republished"]
    lake.pull()
    assert lake.plan().objects == ()


def test_a_version_republished_later_stands_beside_the_old_one(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0])
    old = lake.bucket.objects[key]
    first = lake.pull().pulled[0]
    put_object(lake.bucket, NAME, DAYS[0], rows=b"corrected\n")
    second = lake.pull().pulled[0]
    assert lake.held() == {key: lake.bucket.objects[key]}
    assert lake.storage.read(first.path) == old
    assert first.path != second.path


def test_a_checksum_replaced_between_zip_and_checksum_settles_at_the_next_attempt(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0])
    stale = lake.bucket.objects[f"{key}.CHECKSUM"]
    put_object(lake.bucket, NAME, DAYS[0], rows=b"replaced\n")
    served: list[str] = []

    def stale_once(path: str) -> tuple[int, bytes] | None:
        if path.endswith(".CHECKSUM") and not served:
            served.append(path)
            return 200, stale
        return None

    lake.bucket.fault = stale_once
    assert len(lake.pull().pulled) == 1
    assert served


@pytest.mark.parametrize("key", ["data/spot/x'; rm -rf /.zip", 'a"b.zip', "a#b.zip", "a*b.zip", "a\nrm x.zip"])
def test_a_key_that_a_command_file_could_misread_never_reaches_it(key: str, lake: Lake) -> None:
    objects = [ObjectToPull(key, 1, "etag", "2026-01-01T00:00:00Z", "", "new")]
    with pytest.raises(InvalidRequest):
        lake.pull(objects)
    assert lake.bucket.requests == []


def test_a_batch_that_takes_too_long_is_ended_and_says_so(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    put_object(lake.bucket, NAME, DAYS[0])
    objects = lake.plan().objects
    hasty = QUICK.model_copy(update={"batch_timeout_seconds": 0.5})
    lake.settings = lake.settings.model_copy(update={"profiles": {"default": hasty}})
    import threading

    release = threading.Event()

    def stall(path: str) -> tuple[int, bytes] | None:
        if path.endswith(".zip"):
            release.wait(STANDSTILL_SECONDS)
        return None

    lake.bucket.fault = stall
    try:
        with pytest.raises(SourceUnavailable, match=r"did not finish within 0\.5 s"):
            lake.pull(objects)
    finally:
        release.set()
    assert lake.held() == {}


@pytest.mark.parametrize("part", ["", ".CHECKSUM"])
def test_a_download_that_grows_beyond_its_listed_size_is_refused_and_holds_nobody_up(
    part: str, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "_SPARE_BYTES", 1000)
    good, bad = put_object(lake.bucket, NAME, DAYS[0]), put_object(lake.bucket, NAME, DAYS[1])
    objects = lake.plan().objects
    lake.bucket.objects[f"{bad}{part}"] = b"x" * 3_000_000
    outcome = lake.pull(objects)
    assert list(lake.held()) == [good]
    (refused,) = outcome.quarantined
    assert (refused.key, refused.error) == (bad, "HostileArchive")
    assert "the archive sends more than" in refused.reason
    assert sum(path.endswith(f"{bad}{part}") for path in lake.bucket.requests) < 5, "it is not tried again"


def test_an_object_that_is_larger_than_listed_needs_a_checksum(lake: Lake) -> None:
    key = put_object(lake.bucket, NAME, DAYS[0], checksum=False)
    objects = lake.plan().objects
    lake.bucket.objects[key] += b"more"
    assert "no CHECKSUM proves it" in lake.pull(objects).quarantined[0].reason
    assert lake.held() == {}


def test_without_the_limit_a_download_is_taken_whole(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_SPARE_BYTES", 10**9)
    key = put_object(lake.bucket, NAME, DAYS[0])
    objects = lake.plan().objects
    content = lake.bucket.objects[key] = b"x" * 3_000_000
    digest = hashlib.sha256(content).hexdigest()
    lake.bucket.objects[f"{key}.CHECKSUM"] = f"{digest}  {key.rpartition('/')[2]}".encode()
    assert lake.pull(objects).bytes == len(content)
