from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crypto_lakehouse import telemetry
from crypto_lakehouse.archive.planning import PullPlan, batches, plan_pull
from crypto_lakehouse.archive.pulling import PullOutcome, pull
from crypto_lakehouse.errors import InvalidRequest, ListingSuspect
from crypto_lakehouse.lake.bronze import BronzeLog, QuarantinedObject
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import Settings
from tests.crypto_lakehouse.archive.objects import put_object, settings_for, transfer_for
from tests.fakes.bucket import FakeBucket

DAILY = [date(2024, 1, day) for day in range(1, 6)]


def planned(
    settings: Settings,
    bronze: BronzeLog,
    dataset: str = "binance_um_klines",
    days: tuple[str, str] = ("2024-01-01", "2024-01-31"),
    symbols: tuple[str, ...] = ("BTCUSDT",),
    intervals: tuple[str, ...] = ("1m",),
) -> PullPlan:
    selection = Selection.parse(dataset, days, symbols=symbols, intervals=intervals)
    return plan_pull(selection, settings, bronze, settings.transfer_profile())


@pytest.fixture
def settings(bucket: FakeBucket, tmp_path: Path) -> Settings:
    return settings_for(bucket, tmp_path)


@pytest.fixture
def bronze(settings: Settings) -> BronzeLog:
    return BronzeLog(LocalStorage(Path(settings.lake)))


def test_daily_files_serve_a_month_without_a_monthly_one(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = [put_object(bucket, "binance_um_klines", day) for day in DAILY]
    plan = planned(settings, bronze)
    assert [one.key for one in plan.objects] == keys
    assert {one.reason for one in plan.objects} == {"new"}
    assert all(one.has_checksum for one in plan.objects)
    assert plan.days_without_object == {"BTCUSDT 1m": 26}


def test_a_monthly_file_stands_for_its_days(bucket: FakeBucket, settings: Settings, bronze: BronzeLog) -> None:
    for day in DAILY:
        put_object(bucket, "binance_um_klines", day)
    february = put_object(bucket, "binance_um_klines", date(2024, 2, 1))
    month = put_object(bucket, "binance_um_klines", date(2024, 1, 1), monthly=True)
    plan = planned(settings, bronze, days=("2024-01-01", "2024-02-01"))
    assert sorted(one.key for one in plan.objects) == sorted([month, february])
    assert plan.days_without_object == {}


def test_spot_klines_take_both_because_they_are_known_to_disagree(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = [put_object(bucket, "binance_spot_klines", day) for day in DAILY]
    keys.append(put_object(bucket, "binance_spot_klines", date(2024, 1, 1), monthly=True))
    plan = planned(settings, bronze, "binance_spot_klines")
    assert sorted(one.key for one in plan.objects) == sorted(keys)


def test_what_bronze_holds_is_not_pulled_again_and_what_was_replaced_is(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = [put_object(bucket, "binance_um_klines", day) for day in DAILY]
    pull(planned(settings, bronze).objects, transfer_for(settings))
    assert planned(settings, bronze).unchanged == 5
    put_object(bucket, "binance_um_klines", DAILY[2], rows=b"other\n")
    plan = planned(settings, bronze)
    assert [(one.key, one.reason) for one in plan.objects] == [(keys[2], "republished")]
    assert plan.bytes == plan.objects[0].size > 0


def test_an_object_known_to_be_bad_waits_until_it_changes(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    key = put_object(bucket, "binance_um_klines", DAILY[0])
    wanted = planned(settings, bronze).objects[0]
    refused = QuarantinedObject(
        key, wanted.etag, "ChecksumMismatch", "bad", datetime.now(UTC), checksum_etag=wanted.checksum_etag
    )
    bronze.quarantine("binance_um_klines", [refused])
    plan = planned(settings, bronze)
    assert (plan.objects, plan.quarantined) == ((), 1)
    put_object(bucket, "binance_um_klines", DAILY[0], rows=b"mended\n")
    assert len(planned(settings, bronze).objects) == 1


FORMS = {
    "daily": ("binance_um_klines", (False,)),
    "monthly": ("binance_um_klines", (True,)),
    "both": ("binance_spot_klines", (True, False)),
}
"""A dataset, and for each of its objects whether it is monthly."""


def put_form(bucket: FakeBucket, form: str, **others: object) -> list[str]:
    name, frequencies = FORMS[form]
    return [put_object(bucket, name, DAILY[0], monthly=monthly, **others) for monthly in frequencies]  # type: ignore[arg-type]


def put_wrong_checksums(bucket: FakeBucket, keys: list[str]) -> None:
    for key in keys:
        bucket.objects[f"{key}.CHECKSUM"] = f"{'0' * 64}  {key.rpartition('/')[2]}".encode()


def run(settings: Settings, bronze: BronzeLog, form: str) -> PullOutcome:
    """Pulls what a plan asks for."""
    name = FORMS[form][0]
    return pull(planned(settings, bronze, name).objects, transfer_for(settings, name))


def statuses(bronze: BronzeLog, form: str) -> list[str]:
    """Returns the status of each object in Bronze, by key."""
    return bronze.latest(FORMS[form][0])["checksum"].to_list()


@pytest.mark.parametrize("form", FORMS)
def test_a_mended_checksum_is_looked_at_again(
    form: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = put_form(bucket, form)
    put_wrong_checksums(bucket, keys)
    assert [refused.key for refused in run(settings, bronze, form).quarantined] == sorted(keys)
    name = FORMS[form][0]
    assert (planned(settings, bronze, name).objects, statuses(bronze, form)) == ((), [])
    assert put_form(bucket, form) == keys, "the zips are the same, their CHECKSUMs are mended"
    assert len(run(settings, bronze, form).pulled) == len(keys)
    assert (planned(settings, bronze, name).objects, statuses(bronze, form)) == ((), ["verified"] * len(keys))


@pytest.mark.parametrize("form", FORMS)
def test_a_run_between_a_zip_and_its_checksum_is_mended_by_the_next(
    form: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = put_form(bucket, form)
    run(settings, bronze, form)
    before = {key: bucket.objects[key] for key in keys}
    old = {key: bucket.objects[f"{key}.CHECKSUM"] for key in keys}
    put_form(bucket, form, rows=b"mended\n")
    new = {key: bucket.objects[f"{key}.CHECKSUM"] for key in keys}
    bucket.objects |= {f"{key}.CHECKSUM": content for key, content in old.items()}
    assert len(run(settings, bronze, form).quarantined) == len(keys)
    assert bronze.latest(FORMS[form][0])["size"].to_list() == [len(before[key]) for key in sorted(keys)]
    bucket.objects |= {f"{key}.CHECKSUM": content for key, content in new.items()}
    assert len(run(settings, bronze, form).pulled) == len(keys)
    assert bronze.latest(FORMS[form][0])["size"].to_list() == [len(bucket.objects[key]) for key in sorted(keys)]
    assert planned(settings, bronze, FORMS[form][0]).objects == ()


@pytest.mark.parametrize("form", FORMS)
def test_a_checksum_before_its_zip_keeps_the_old_version_until_the_zip_comes(
    form: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = put_form(bucket, form)
    run(settings, bronze, form)
    old = {key: bucket.objects[key] for key in keys}
    put_form(bucket, form, rows=b"mended\n")
    new = {key: bucket.objects[key] for key in keys}
    bucket.objects |= old
    assert len(run(settings, bronze, form).quarantined) == len(keys)
    assert planned(settings, bronze, FORMS[form][0]).objects == ()
    assert statuses(bronze, form) == ["verified"] * len(keys)
    bucket.objects |= new
    assert len(run(settings, bronze, form).pulled) == len(keys)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
def test_an_object_accepted_without_a_checksum_is_held_against_one_that_appears(
    is_right: bool, form: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = put_form(bucket, form, checksum=False)
    run(settings, bronze, form)
    assert statuses(bronze, form) == ["absent"] * len(keys)
    put_form(bucket, form)
    if not is_right:
        put_wrong_checksums(bucket, keys)
    outcome = run(settings, bronze, form)
    assert (len(outcome.pulled), len(outcome.quarantined)) == ((len(keys), 0) if is_right else (0, len(keys)))
    assert planned(settings, bronze, FORMS[form][0]).objects == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("was_right", [True, False], ids=["verified", "quarantined"])
def test_a_checksum_that_disappears_changes_nothing(
    was_right: bool, form: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = put_form(bucket, form)
    if not was_right:
        put_wrong_checksums(bucket, keys)
    run(settings, bronze, form)
    before = bronze.latest(FORMS[form][0])
    for key in keys:
        del bucket.objects[f"{key}.CHECKSUM"]
    plan = planned(settings, bronze, FORMS[form][0])
    assert (plan.objects, plan.unchanged, plan.quarantined) == (
        (),
        len(keys) if was_right else 0,
        0 if was_right else len(keys),
    )
    assert bronze.latest(FORMS[form][0]).equals(before)


def test_a_listing_that_shrank_is_an_alarm_and_not_a_delisting(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    keys = [put_object(bucket, "binance_um_klines", day) for day in DAILY]
    pull(planned(settings, bronze).objects, transfer_for(settings))
    del bucket.objects[keys[3]]
    with pytest.raises(ListingSuspect, match=r"1 of the objects that Bronze has .*-2024-01-04"):
        planned(settings, bronze)
    allowed = settings.model_copy(update={"archive": settings.archive.model_copy(update={"allow_shrinkage": True})})
    assert planned(allowed, bronze).vanished == 1


def test_a_glob_finds_symbols_in_the_bucket_delisted_ones_too(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    for symbol in ("BTCUSDT", "BTCUSDT_240329", "ETHUSDT", "CVCUSDTSETTLED"):
        put_object(bucket, "binance_um_klines", DAILY[0], symbol=symbol)
    bucket.objects["data/futures/um/daily/klines/..%2F/1m/x.zip"] = b""
    plan = planned(settings, bronze, symbols=("BTC*", "CVC?SDTSETTLED"))
    assert [one.key.split("/")[5] for one in plan.objects] == ["BTCUSDT", "BTCUSDT_240329", "CVCUSDTSETTLED"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": ("2024-02-01", "2024-01-01")},
        {"days": ("yesterday", "2024-01-31")},
        {"days": ("1999-01-01", "2024-01-31")},
        {"intervals": ("1s",)},
        {"intervals": ("1M",)},
        {"symbols": ("../../etc/passwd",)},
    ],
    ids=str,
)
def test_a_request_that_makes_no_sense_is_refused(
    wrong: dict[str, object], bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    with pytest.raises(InvalidRequest):
        planned(settings, bronze, **wrong)  # type: ignore[arg-type]
    assert bucket.requests == []


def test_batches_hold_at_most_as_many_as_they_may(bucket: FakeBucket, settings: Settings, bronze: BronzeLog) -> None:
    for day in DAILY:
        put_object(bucket, "binance_um_klines", day)
    assert [len(batch) for batch in batches(planned(settings, bronze).objects, 2)] == [2, 2, 1]


ODD_ENTRIES = {
    "a size that is no number": (b"<Size>150</Size>", b"<Size>many</Size>"),
    "a negative size": (b"<Size>150</Size>", b"<Size>-1</Size>"),
    "a size in other digits": (b"<Size>150</Size>", "<Size>١٢</Size>".encode()),
    "a size beyond all disks": (b"<Size>150</Size>", b"<Size>" + b"9" * 30 + b"</Size>"),
    "no size": (b"<Size>150</Size>", b""),
    "a time that is none": (b"2026-01-01T00:00:00.000Z", b"yesterday"),
    "a time at the end of the calendar": (b"2026-01-01T00:00:00.000Z", b"9999-12-31T23:59:59-14:00"),
    "no time": (b"<LastModified>2026-01-01T00:00:00.000Z</LastModified>", b""),
}


@pytest.mark.parametrize("kind", ODD_ENTRIES)
def test_an_odd_entry_of_a_listing_costs_itself_only_and_is_counted(
    kind: str, bucket: FakeBucket, settings: Settings, bronze: BronzeLog, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [put_object(bucket, "binance_um_klines", day) for day in DAILY]
    before, after = ODD_ENTRIES[kind]
    size = f"<Size>{len(bucket.objects[keys[1]])}</Size>".encode()

    def rewrite(body: bytes, _path: str) -> bytes:
        start = body.find(keys[1].encode())
        if start < 0:
            return body
        end = body.index(b"</Contents>", start)
        entry = body[start:end].replace(before.replace(b"<Size>150</Size>", size), after)
        assert entry != body[start:end], "the injector fired"
        return body[:start] + entry + body[end:]

    bucket.rewrite = rewrite
    with telemetry.switched_on():
        plan = planned(settings, bronze)
    assert [wanted.key for wanted in plan.objects] == [key for key in keys if key != keys[1]]
    assert plan.odd == 1
    assert keys[1] in capsys.readouterr().err
    # Its day is not covered.
    assert plan.days_without_object == {"BTCUSDT 1m": 27}


def test_an_odd_entry_of_an_object_that_bronze_has_is_not_taken_for_a_withdrawn_one(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    put_object(bucket, "binance_um_klines", DAILY[0])
    pull(planned(settings, bronze).objects, transfer_for(settings))
    bucket.rewrite = lambda body, _path: body.replace(b"2026-01-01T00:00:00.000Z", b"odd")
    plan = planned(settings, bronze)
    assert (plan.objects, plan.odd, plan.vanished) == ((), 1, 0)


def test_names_of_the_last_year_of_the_calendar_are_left_out(
    bucket: FakeBucket, settings: Settings, bronze: BronzeLog
) -> None:
    good = put_object(bucket, "binance_um_klines", DAILY[0])
    bucket.objects[good.replace("2024-01-01", "9999-12-31")] = b"zip"
    bucket.objects[good.replace("daily", "monthly").replace("2024-01-01", "9999-12")] = b"zip"
    assert [wanted.key for wanted in planned(settings, bronze).objects] == [good]
