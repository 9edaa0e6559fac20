"""Whole runs over an archive that lacks rows, days or sound objects: the run, the days and the gaps say so.

Each case was reported by people who load this archive; the right value is in the test.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.cli import main
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import zipped
from crypto_lakehouse.errors import UnknownSymbol
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import csv, epoch_ms, kline_rows
from tests.small_lake import SmallLake, small_lake

SPOT, UM, AGG = "binance_spot_klines", "binance_um_klines", "binance_um_agg_trades"
HOUR, DAY = 3600, 86_400
UM_HEADER = ",".join(dataset(UM).layouts[0].columns) + "\n"
AGG_HEADER = ",".join(dataset(AGG).layouts[0].columns) + "\n"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty archive and an empty lake."""
    with small_lake(tmp_path) as lake:
        yield lake


def put(
    small: SmallLake, name: str, day: date, content: bytes, symbol: str = "BTCUSDT", interval: str = "", **others: bool
) -> ArchiveKey:
    """Publishes an object with its CHECKSUM, or with a wrong one."""
    frequency = Frequency.MONTHLY if others.get("monthly") else Frequency.DAILY
    key = ArchiveKey(dataset(name), frequency, symbol, Interval(interval) if interval else None, day)
    data = zipped(f"{key.stem}.csv", content)
    sha256 = "0" * 64 if others.get("damaged") else hashlib.sha256(data).hexdigest()
    small.bucket.objects[key.key] = data
    small.bucket.objects[key.checksum_key] = f"{sha256}  {key.stem}.zip".encode()
    return key


def run(small: SmallLake, name: str, first: str, last: str, symbol: str = "BTCUSDT", interval: str = "") -> RunSummary:
    request = PlanRequest(name, new_run_id("t"), first, last, (symbol,), (interval,) if interval else ())
    return run_pipeline(request, small.settings)


def days_from(first: date, count: int, step: int = 1) -> list[date]:
    return [first + timedelta(days=step * number) for number in range(count)]


def hourly(days: Sequence[date]) -> bytes:
    return UM_HEADER.encode() + csv([row for day in days for row in kline_rows(day, 24, HOUR)])


@pytest.mark.parametrize(("interval", "days", "count"), [("1w", 7, 5), ("3d", 3, 11)])
def test_a_week_or_three_days_without_their_candle_are_a_hole(
    small: SmallLake, interval: str, days: int, count: int
) -> None:
    starts = days_from(date(2023, 5, 1), count, days)
    rows = [row for start in starts if start != starts[2] for row in kline_rows(start, 1, days * DAY)]
    put(small, SPOT, date(2023, 5, 1), csv(rows), interval=interval, monthly=True)
    summary = run(small, SPOT, "2023-05-01", "2023-05-31", interval=interval)
    assert summary.figures.gate.partitions_degraded == 1
    [gap] = small.lake.gaps(SPOT, days=("2023-05-02", "2023-05-29")).to_dicts()
    assert (gap["start"].date(), gap["missing"]) == (starts[2], 1)


def trades(days: Sequence[date], first_id: int, count: int) -> tuple[str, int]:
    """Returns futures trades of days, evenly spread, and the identifier after the last one."""
    lines = []
    for day in days:
        for number in range(count):
            stamp = epoch_ms(day, number * DAY // count)
            lines.append(f"{first_id},0.5,12.0,{first_id},{first_id},{stamp},true\n")
            first_id += 1
    return "".join(lines), first_id


def test_days_that_a_monthly_file_has_no_rows_of_are_missing_where_no_identifier_proves_them_empty(
    small: SmallLake,
) -> None:
    march, following = trades(days_from(date(2024, 3, 1), 11), 1, 100)
    april, _ = trades(days_from(date(2024, 4, 1), 2), following + 41_157, 100)
    put(small, AGG, date(2024, 3, 1), (AGG_HEADER + march).encode(), monthly=True)
    put(small, AGG, date(2024, 4, 1), (AGG_HEADER + april).encode(), monthly=True)
    run(small, AGG, "2024-03-01", "2024-04-02")
    days = small.lake.coverage(AGG, days=("2024-03-01", "2024-04-02"))
    conditions = dict(days.select("day", "condition").iter_rows())
    assert {conditions[day] for day in days_from(date(2024, 3, 12), 20)} == {"missing"}
    assert (conditions[date(2024, 3, 11)], conditions[date(2024, 4, 1)]) == ("degraded", "degraded")
    gaps = small.lake.gaps(AGG, days=("2024-03-01", "2024-04-02"))
    assert gaps.filter(gaps["kind"] == "ids")["missing"].to_list() == [41_157]
    # The control: identifiers that go on without a hole prove that nothing was traded.
    april, _ = trades(days_from(date(2024, 4, 1), 2), following, 100)
    put(small, AGG, date(2024, 4, 1), (AGG_HEADER + april).encode(), monthly=True)
    run(small, AGG, "2024-04-01", "2024-04-02")
    days = small.lake.coverage(AGG, days=("2024-03-01", "2024-04-02"))
    assert days["condition"].unique().to_list() == ["available"]
    assert "the ids go on from 1100 to 1101" in days["reason"][20]
    assert small.lake.gaps(AGG, days=("2024-03-01", "2024-04-02")).is_empty()


def test_a_day_that_the_monthly_file_lacks_is_taken_from_its_daily_file_by_the_next_run(small: SmallLake) -> None:
    days = days_from(date(2023, 4, 1), 30)
    put(small, UM, days[0], hourly([day for day in days if day.day != 7]), interval="1h", monthly=True)
    for day in days:
        put(small, UM, day, hourly([day]), interval="1h")
    first = run(small, UM, "2023-04-01", "2023-04-30", interval="1h")
    assert (first.figures.pull.objects, first.figures.gate.partitions_degraded) == (1, 1)
    second = run(small, UM, "2023-04-01", "2023-04-30", interval="1h")
    # Only the file of the day in doubt is pulled, not those of the whole month.
    assert second.figures.pull.objects == 1
    assert small.lake.sql(f"SELECT count(*) FROM {UM}").item() == 720
    assert small.lake.gaps(UM, days=("2023-04-01", "2023-04-30")).is_empty()
    assert run(small, UM, "2023-04-01", "2023-04-30", interval="1h").status is RunStatus.NOTHING_TO_DO


def test_a_daily_file_that_contradicts_its_month_is_told(small: SmallLake) -> None:
    days = days_from(date(2023, 4, 1), 30)
    rows = [row for day in days for row in kline_rows(day, 24, HOUR)][:-1]
    other = kline_rows(days[-1], 24, HOUR)
    other[3][5] = "77.00000000"
    put(small, UM, days[0], UM_HEADER.encode() + csv(rows), interval="1h", monthly=True)
    put(small, UM, days[-1], UM_HEADER.encode() + csv(other), interval="1h")
    run(small, UM, "2023-04-01", "2023-04-30", interval="1h")
    run(small, UM, "2023-04-01", "2023-04-30", interval="1h")
    [day] = small.lake.reconciliation(UM).to_dicts()
    assert (day["day"], day["different"], day["columns"]) == (days[-1], 1, "base_volume")


def test_before_a_symbol_was_listed_and_after_it_was_delivered_nothing_is_missing(small: SmallLake) -> None:
    symbol, listed, ended = (
        "BTCUSDT_241227",
        datetime(2024, 12, 12, 10, tzinfo=UTC),
        datetime(2024, 12, 27, 8, tzinfo=UTC),
    )
    days = days_from(date(2024, 12, 12), 16)
    rows = [row for day in days for row in kline_rows(day, 24, HOUR)]
    traded = [row for row in rows if listed.timestamp() * 1000 <= int(str(row[0])) < ended.timestamp() * 1000]
    put(small, UM, date(2024, 12, 1), UM_HEADER.encode() + csv(traded), symbol, "1h", monthly=True)
    summary = run(small, UM, "2024-11-20", "2024-12-31", symbol, "1h")
    assert summary.figures.gate.partitions_available == 1
    assert small.lake.gaps(UM, days=("2024-11-20", "2024-12-31")).is_empty()
    covered = small.lake.coverage(UM, days=("2024-11-20", "2024-12-31"))
    assert (covered["day"].min(), covered["condition"].unique().to_list()) == (listed.date(), ["available"])
    # The control: an hour within its life is missing.
    put(small, UM, date(2024, 12, 1), UM_HEADER.encode() + csv(traded[:-1]), symbol, "1h", monthly=True)
    run(small, UM, "2024-11-20", "2024-12-31", symbol, "1h")
    [gap] = small.lake.gaps(UM, days=("2024-11-20", "2024-12-31")).to_dicts()
    assert (gap["start"], gap["missing"]) == (ended - timedelta(hours=1), 1)


@pytest.mark.parametrize(("first_id", "missing"), [(1, 0), (1000, 11)])
def test_the_days_before_the_first_trade_of_a_symbol_are_not_missing(
    small: SmallLake, first_id: int, missing: int
) -> None:
    lines, _ = trades(days_from(date(2024, 3, 12), 20), first_id, 24)
    put(small, AGG, date(2024, 3, 1), (AGG_HEADER + lines).encode(), monthly=True)
    run(small, AGG, "2024-02-01", "2024-03-31")
    # Identifiers that begin with a higher one show that trades before it are lost.
    gaps = small.lake.gaps(AGG, days=("2024-02-01", "2024-03-31"))
    assert gaps["duration"].sum() == timedelta(days=missing)
    days = small.lake.coverage(AGG, days=("2024-02-01", "2024-03-31"))
    assert days["condition"].to_list() == ["missing"] * missing + ["available"] * 20


def test_an_object_with_a_wrong_checksum_is_told_everywhere(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    days = days_from(date(2024, 12, 1), 3)
    for day in days:
        put(small, UM, day, hourly([day]), interval="1h", damaged=day == days[0])
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", small.settings.lake)
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", small.bucket.endpoint)
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED", "false")
    asked = ("ingest", "klines", "--market", "um", "--symbols", "BTCUSDT", "--interval", "1h")
    assert main([*asked, "--start-date", "2024-12-01", "--end-date", "2024-12-03"]) == 65
    printed = capsys.readouterr()
    assert "BTCUSDT-1h-2024-12-01.zip: ChecksumMismatch: its sha256 is" in printed.err
    first, *others = small.lake.coverage(UM, days=("2024-12-01", "2024-12-03")).to_dicts()
    assert (first["condition"], first["missing"]) == ("missing", 24)
    assert first["reason"].startswith("BTCUSDT-1h-2024-12-01.zip was refused: ChecksumMismatch: its sha256 is")
    assert [day["condition"] for day in others] == ["available", "available"]
    [gap] = small.lake.gaps(UM, days=("2024-12-01", "2024-12-03")).to_dicts()
    assert (gap["start"].date(), gap["end"].date(), gap["missing"]) == (days[0], days[1], 24)
    [info] = small.lake.info(UM).to_dicts()
    assert info["degraded"] == 1


@pytest.mark.parametrize(("typed", "nearest"), [("BTCUSTD", "BTCUSDT"), ("btcusdt", "BTCUSDT"), ("ETHUSTD", "ETHUSDT")])
def test_a_mistyped_symbol_is_refused_with_the_nearest_ones(small: SmallLake, typed: str, nearest: str) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        put(small, UM, date(2024, 12, 1), hourly([date(2024, 12, 1)]), symbol, "1h")
    [failure] = run(small, UM, "2024-12-01", "2024-12-01", typed, "1h").failures
    assert isinstance(failure.error, UnknownSymbol)
    assert typed in failure.error.what
    assert failure.error.advice.startswith(f"Nearest: {nearest}")
    assert run(small, UM, "2024-12-05", "2024-12-06", "BTCUSDT", "1h").status is RunStatus.NOTHING_TO_DO


def test_days_of_a_refused_partition_name_the_refusal_and_not_a_lack_of_objects(small: SmallLake) -> None:
    for number in (1, 2, 3, 4):
        day = date(2024, 12, number)
        put(small, UM, day, b"a,b\n1,2\n" if number == 3 else hourly([day]), interval="1h")
    summary = run(small, UM, "2024-12-01", "2024-12-04", interval="1h")
    assert summary.status is RunStatus.QUARANTINED
    [third] = small.lake.coverage(UM, days=("2024-12-03", "2024-12-03")).to_dicts()
    assert third["condition"] == "missing"
    assert "BTCUSDT-1h-2024-12-03.zip was refused" in third["reason"]
    assert "no object covers" not in third["reason"]
