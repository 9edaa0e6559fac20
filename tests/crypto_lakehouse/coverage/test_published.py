"""What whole runs leave in the coverage log, as readers ask for it."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.coverage.log import CoverageLog
from tests.small_lake import Change, Lines, SmallLake, dropped, put, put_in_all, small_lake

SPOT, UM, TICKS, METRICS = "binance_spot_klines", "binance_um_klines", "binance_spot_agg_trades", "binance_um_metrics"
JANUARY = (date(2024, 1, 1), date(2024, 1, 31))


@pytest.fixture
def small(tmp_path: Path) -> Iterator[SmallLake]:
    """An empty archive and an empty lake."""
    with small_lake(tmp_path) as lake:
        yield lake


def days(small: SmallLake, name: str) -> list[tuple[object, ...]]:
    last = date(2024, 1, 13)
    table = small.lake.coverage(name, days=(JANUARY[0], last))
    return [(row["day"].day, row["condition"], row["rows"], row["missing"]) for row in table.iter_rows(named=True)]


def test_days_holes_and_gaps_of_a_run(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    small.publish(UM, "2024-01-09", dropped(5, 8))
    small.publish(UM, "2024-01-12")
    small.run(UM, "2024-01-08", "2024-01-12")
    lost, nothing = ("missing", 0, 24), ("available", 24, 0)
    assert days(small, UM) == [
        (8, *nothing), (9, "degraded", 21, 3), (10, *lost), (11, *lost), (12, *nothing), (13, *lost)
    ]  # fmt: skip
    reasons = small.lake.coverage(UM, days=JANUARY)["reason"].to_list()
    assert reasons[1] == "3 of 24 rows are missing, the first at 05:00"
    assert reasons[2] == "no object covers it, and there are days before and after it"
    assert reasons[5].startswith("nothing in the lake since 2024-01-12")
    gaps = small.lake.gaps(UM, days=(JANUARY[0], date(2024, 1, 13)))
    assert gaps.select("kind", "missing", "sources", "duration").rows() == [
        ("grid", 3, "archive_daily", timedelta(hours=3)),
        ("days", 48, "", timedelta(days=2)),
        ("days", 24, "", timedelta(days=1)),
    ]
    assert str(gaps["start"][0]) == "2024-01-09 05:00:00+00:00"


def test_a_hole_keeps_the_time_it_was_first_seen_over_rebuilds(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09", dropped(5, 8))
    small.run(UM, "2024-01-09", "2024-01-09")
    first = CoverageLog(small.storage).holes(UM)
    small.publish(UM, "2024-01-10", dropped(1, 2))
    small.run(UM, "2024-01-09", "2024-01-10")
    second = CoverageLog(small.storage).holes(UM).sort("start")
    assert second["first_seen"][0] == first["first_seen"][0] < second["at"][0]
    assert second["first_seen"][1] == second["at"][1]


def test_a_filled_hole_is_gone(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09", dropped(5, 8))
    small.run(UM, "2024-01-09", "2024-01-09")
    assert small.lake.gaps(UM, days=(JANUARY[0], date(2024, 1, 9))).height == 1
    small.publish(UM, "2024-01-09")
    small.run(UM, "2024-01-09", "2024-01-09")
    assert small.lake.gaps(UM, days=(JANUARY[0], date(2024, 1, 9))).is_empty()


def close_at_high(number: int) -> Change:
    def change(lines: Lines) -> None:
        put(number, 4, lines[number].split(",")[2])(lines)

    return change


def test_what_daily_and_monthly_files_say_of_the_same_days_is_a_table(small: SmallLake) -> None:
    small.publish(SPOT, "2024-01-09")
    small.publish(SPOT, "2024-01-01", close_at_high(24 * 8 + 5), monthly=True)
    small.run(SPOT, "2024-01-01", "2024-01-31")
    table = small.lake.sql(
        "SELECT day, kept, other, equal, different, columns, largest FROM reconciliation "
        "WHERE dataset = 'binance_spot_klines' AND different > 0"
    )
    assert table.drop("largest").rows() == [
        (date(2024, 1, 9), "archive_daily", "archive_monthly", 23, 1, "close")
    ]  # fmt: skip
    assert table["largest"].item().startswith("close ")
    assert small.lake.coverage(SPOT, days=(date(2024, 1, 9), date(2024, 1, 9)))["sources"].item() == (
        "archive_daily, archive_monthly"
    )


def test_a_replaced_object_is_held_against_what_it_replaces(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    small.publish(UM, "2024-01-09", dropped(3, 4))
    small.run(UM, "2024-01-08", "2024-01-09")
    assert small.lake.reconciliation(UM).is_empty()

    def changed(lines: list[str]) -> None:
        put(7, 5, "99999.500")(lines)
        dropped(20, 22)(lines)

    small.publish(UM, "2024-01-09", changed)
    summary = small.run(UM, "2024-01-08", "2024-01-09")
    assert summary.counts()["conform"]["days_republished"] == 1
    columns = ["day", "kept", "other", "equal", "different", "only_kept", "only_other", "columns"]
    assert small.lake.reconciliation(UM).select(columns).rows() == [
        (date(2024, 1, 9), "archive_daily", "archive_daily", 20, 1, 1, 2, "base_volume")
    ]
    before = small.lake.reconciliation(UM).drop("at")
    small.publish(UM, "2024-01-10")
    small.run(UM, "2024-01-08", "2024-01-10")
    assert small.lake.reconciliation(UM).drop("at").equals(before), "a later rebuild does not forget it"
    small.publish(UM, "2024-01-09", dropped(3, 4))
    small.run(UM, "2024-01-08", "2024-01-10")
    assert sorted(small.lake.reconciliation(UM).select("only_kept", "only_other").rows()) == [(1, 2), (2, 1)]


def test_a_new_object_beside_old_ones_costs_no_comparison(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08")
    small.run(UM, "2024-01-08", "2024-01-08")
    small.publish(UM, "2024-01-09")
    assert small.run(UM, "2024-01-08", "2024-01-09").counts()["conform"]["days_republished"] == 0
    assert small.lake.reconciliation(UM).is_empty()


def test_a_damaged_former_file_does_not_keep_its_partition_from_being_rebuilt(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09")
    small.run(UM, "2024-01-09", "2024-01-09")
    [file] = Path(small.settings.lake).glob("silver/**/data.parquet")
    file.write_bytes(b"damaged")
    small.publish(UM, "2024-01-09", put(7, 5, "99999.500"))
    assert small.run(UM, "2024-01-09", "2024-01-09").counts()["publish"]["partitions_published"] == 1
    assert small.lake.reconciliation(UM).is_empty()


def test_a_quarantined_partition_that_nobody_reads_is_missing_and_says_why(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09", put_in_all(2, "0.01"))
    small.run(UM, "2024-01-09", "2024-01-09")
    [row] = small.lake.coverage(UM, days=(date(2024, 1, 9), date(2024, 1, 9))).to_dicts()
    assert (row["condition"], row["rows"], row["missing"]) == ("missing", 0, 24)
    assert row["reason"].startswith("quarantined: data/")
    assert "24 of 24 rows cannot be true, 10 are allowed; the first: line 2: high is not" in row["reason"]
    [gap] = small.lake.gaps(UM, days=(date(2024, 1, 9), date(2024, 1, 9))).to_dicts()
    assert gap["reason"] == row["reason"]


def test_a_quarantined_rebuild_leaves_the_coverage_of_what_readers_see(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09")
    small.run(UM, "2024-01-09", "2024-01-09")
    before = small.lake.coverage(UM, days=JANUARY)
    small.publish(UM, "2024-01-09", put_in_all(2, "0.01"))
    assert small.run(UM, "2024-01-09", "2024-01-09").status == "quarantined"
    assert small.lake.coverage(UM, days=JANUARY).drop("at").equals(before.drop("at"))


def test_a_second_run_and_a_repeated_step_count_nothing_twice(small: SmallLake) -> None:
    from crypto_lakehouse.steps import run_step
    from crypto_lakehouse.vocabulary import Step

    small.publish(UM, "2024-01-09", dropped(5, 8))
    summary = small.run(UM, "2024-01-09", "2024-01-09")
    before = small.lake.coverage(UM, days=JANUARY), small.lake.gaps(UM, days=JANUARY)
    assert small.run(UM, "2024-01-09", "2024-01-09").status == "nothing_to_do"
    assert small.lake.coverage(UM, days=JANUARY).equals(before[0])
    run_step(Step.PUBLISH, summary.order_key.replace("plan.json", "transform-000.json"), small.settings)
    assert small.lake.coverage(UM, days=JANUARY).drop("at").equals(before[0].drop("at"))
    assert small.lake.gaps(UM, days=JANUARY).equals(before[1])
    assert small.lake.sql("SELECT sum(rows) AS n FROM coverage")["n"].item() == 21


def test_the_catalog_is_rebuilt_without_the_coverage_log(small: SmallLake) -> None:
    import shutil

    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import rebuild
    from crypto_lakehouse.datasets import dataset

    small.publish(UM, "2024-01-09")
    small.run(UM, "2024-01-09", "2024-01-09")
    shutil.rmtree(Path(small.settings.lake) / "coverage")
    assert len(rebuild(open_catalog(small.settings), small.storage, [dataset(UM)]).tables[UM].published) == 1
    assert small.lake.coverage(UM).is_empty()


def test_skipped_identifiers_of_a_tick_dataset_are_gaps_between_two_rows(small: SmallLake) -> None:
    small.publish(TICKS, "2024-01-09", dropped(100, 103))
    small.run(TICKS, "2024-01-09", "2024-01-09")
    [row] = small.lake.coverage(TICKS, days=(date(2024, 1, 9), date(2024, 1, 9))).to_dicts()
    assert (row["condition"], row["expected"], row["missing"], row["kline_interval"]) == ("degraded", None, 3, None)
    assert row["reason"].startswith("3 ids are missing, the first after ")
    [gap] = small.lake.gaps(TICKS, days=(date(2024, 1, 9), date(2024, 1, 9))).to_dicts()
    assert (gap["kind"], gap["missing"]) == ("ids", 3)
    times = small.lake.scan(TICKS).sort("agg_trade_id").collect()["transact_time"]
    assert (gap["start"], gap["end"]) == (times[99], times[100] + timedelta(microseconds=1))


def test_a_partition_of_a_year_has_a_row_per_day(small: SmallLake) -> None:
    for day in ("2024-02-28", "2024-02-29", "2024-03-02"):
        small.publish(METRICS, day)
    small.run(METRICS, "2024-02-28", "2024-03-02")
    table = small.lake.coverage(METRICS, days=(date(2024, 2, 27), date(2024, 3, 2)))
    assert table["day"].to_list() == [date(2024, 2, 28) + timedelta(days=n) for n in range(4)]
    assert table["condition"].to_list() == ["available", "available", "missing", "available"]
    assert table["expected"].to_list() == [288] * 4


def test_the_report_of_a_run_shows_what_sources_said_and_what_is_missing(small: SmallLake) -> None:
    small.publish(SPOT, "2024-01-09", dropped(2, 4))
    small.publish(SPOT, "2024-01-01", close_at_high(24 * 8 + 5), monthly=True)
    small.publish(SPOT, "2024-02-02", dropped(2, 4))
    small.publish(SPOT, "2024-02-04")
    page = Path(small.run(SPOT, "2024-01-01", "2024-02-04").report).read_text()
    assert "<h3>Comparison of sources</h3>" in page
    assert "archive_daily" in page and "archive_monthly" in page and "close" in page
    assert "<h3>Gaps</h3>" in page
    assert "2024-02-02 02:00" in page
    assert page.count('<svg class="calendar" viewBox') == 1


def test_sql_sees_gaps_beside_datasets(small: SmallLake) -> None:
    small.publish(UM, "2024-01-09", dropped(5, 8))
    small.run(UM, "2024-01-09", "2024-01-09")
    table = small.lake.sql(
        "SELECT g.missing, count(k.open_time) AS near FROM gaps g JOIN binance_um_klines k "
        "ON k.open_time BETWEEN g.start - INTERVAL 1 HOUR AND g.\"end\" WHERE g.kind = 'grid' GROUP BY ALL"
    )
    assert table.rows() == [(3, 2)]
    assert small.lake.sql("SELECT count(*) AS n FROM coverage WHERE dataset = 'binance_um_trades'")["n"].item() == 0
    assert isinstance(small.lake.sql('SELECT max("end") AS last FROM gaps')["last"].item(), datetime)
    assert isinstance(small.lake.gaps(), pl.DataFrame)
