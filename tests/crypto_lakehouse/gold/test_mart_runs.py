"""A mart goes through plan, build, gate and publish as a dataset does, into both catalogs, and is read by SQL."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import polars as pl
import pytest

from crypto_lakehouse.catalog.catalog import Catalog
from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.catalog.rebuilding import rebuild
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.maintenance.verifying import verify
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.runs.history import read_run
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import CatalogKind, CatalogSettings
from crypto_lakehouse.spec import Mart
from crypto_lakehouse.vocabulary import Condition, Step
from tests.hourly_mart import HOURLY_MART, KLINES, METRICS, registered
from tests.small_lake import Change, Lines, SmallLake, small_lake

JANUARY, FEBRUARY = "symbol_key=BTCUSDT/month=2024-01", "symbol_key=BTCUSDT/month=2024-02"
DAYS = ("2024-01-30", "2024-01-31", "2024-02-01", "2024-02-02")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    """A lake with four days of both inputs, over the end of a month."""
    with small_lake(tmp_path_factory.mktemp("filled")) as lake:
        for day in DAYS:
            lake.publish(KLINES, day)
            lake.publish(METRICS, day)
        lake.run(KLINES, DAYS[0], DAYS[-1])
        lake.run(METRICS, DAYS[0], DAYS[-1])
        yield lake


@pytest.fixture
def small(filled: SmallLake, tmp_path: Path) -> Iterator[SmallLake]:
    """A copy of that lake, beside a registered mart; the archive is as it was again afterwards."""
    shutil.copytree(filled.settings.lake, tmp_path / "lake")
    upstream = dict(filled.bucket.objects)
    changes = {"lake": str(tmp_path / "lake"), "work_folder": tmp_path / "work"}
    with registered():
        yield replace(filled, settings=filled.settings.model_copy(update=changes))
    filled.bucket.objects.clear()
    filled.bucket.objects.update(upstream)


def run_mart(small: SmallLake, first: str = DAYS[0], last: str = DAYS[-1], mart: Mart = HOURLY_MART) -> RunSummary:
    summary = run_pipeline(PlanRequest(mart.name, new_run_id("test"), first, last), small.settings)
    assert summary.failures == []
    return summary


def closed_at_its_open(row: int) -> Change:
    """Gives a candle another close that is no less likely."""

    def change(lines: Lines) -> None:
        cells = lines[row].split(",")
        cells[4] = cells[1]
        lines[row] = ",".join(cells)

    return change


def published(small: SmallLake) -> dict[str, str]:
    return {one.partition: one.sha256 for one in open_catalog(small.settings).partitions(HOURLY_MART)}


def rows(small: SmallLake) -> pl.DataFrame:
    return small.lake.sql(f"SELECT * FROM {HOURLY_MART.name} ORDER BY open_time")


def test_a_mart_is_built_gated_published_and_asked_in_sql(small: SmallLake) -> None:
    summary = run_mart(small)
    assert summary.figures.build.rows_built == summary.figures.publish.rows_published == 96
    assert set(published(small)) == {JANUARY, FEBRUARY}
    frame = rows(small)
    assert frame.height == 96
    assert frame.columns[:2] == ["symbol", "open_time"]
    assert {"symbol_key", "month"} <= set(frame.columns)
    assert frame["open_interest"].null_count() == 0
    record = read_run(small.storage, summary.order_key)
    assert (record.status, record.figures) == (summary.status, summary.figures)
    assert small.storage.read(record.report_key)


def test_values_at_a_partitions_edge_are_those_of_one_long_series(small: SmallLake) -> None:
    run_mart(small)
    frame = rows(small)
    klines = small.lake.scan(KLINES, symbols="BTCUSDT", interval="1h").sort("open_time").collect()
    close = klines["close"].cast(pl.Float64)
    assert frame["return_3"].to_list() == (close / close.shift(3) - 1).to_list()
    assert frame["return_3"].null_count() == 3


def test_nothing_is_built_again_until_an_input_is_published_anew(small: SmallLake) -> None:
    run_mart(small)
    before = published(small)
    assert run_mart(small).status == "nothing_to_do"
    # A changed close on the last day of January is in the lookback of February's first rows: both are built again.
    small.publish(KLINES, "2024-01-31", closed_at_its_open(23))
    small.run(KLINES, "2024-01-31", "2024-01-31")
    assert run_mart(small).figures.publish.partitions_published == 2
    after = published(small)
    assert after[JANUARY] != before[JANUARY]
    assert after[FEBRUARY] != before[FEBRUARY]
    # One on the second of February is in no lookback: January stays.
    small.publish(KLINES, "2024-02-02", closed_at_its_open(5))
    small.run(KLINES, "2024-02-02", "2024-02-02")
    assert run_mart(small).figures.publish.partitions_published == 1
    assert published(small)[JANUARY] == after[JANUARY]


def test_a_new_version_of_the_function_rebuilds_every_partition(small: SmallLake) -> None:
    run_mart(small)
    with registered(replace(HOURLY_MART, version=2)) as newer:
        assert run_mart(small, mart=newer).figures.publish.partitions_published == 2
        assert run_mart(small, mart=newer).status == "nothing_to_do"


def test_the_manifest_names_the_versions_that_were_read(small: SmallLake) -> None:
    run_mart(small)
    record = next(one for one in open_catalog(small.settings).partitions(HOURLY_MART) if one.partition == FEBRUARY)
    manifest = read_manifest(Path(small.settings.lake) / record.file)
    read = {one.key.split("/")[0]: set() for one in manifest.inputs}
    for one in manifest.inputs:
        read[one.key.split("/")[0]].add(one.sha256)
    catalog = open_catalog(small.settings)
    klines = {one.sha256 for one in catalog.partitions(small_table(KLINES))}
    metrics = {one.sha256 for one in catalog.partitions(small_table(METRICS))}
    assert read == {KLINES: klines, METRICS: metrics}
    assert manifest.covered == (("2024-02-01T00:00:00+00:00", "2024-02-03T00:00:00+00:00"),)


def small_table(name: str):
    from crypto_lakehouse.datasets import dataset

    return dataset(name)


def test_the_catalog_of_a_mart_can_be_rebuilt_and_verified(small: SmallLake, tmp_path: Path) -> None:
    run_mart(small)
    again = EmbeddedCatalog(tmp_path / "again.sqlite")
    assert len(rebuild(again, small.storage, [HOURLY_MART]).tables[HOURLY_MART.name].published) == 2
    assert {one.partition: one.sha256 for one in again.partitions(HOURLY_MART)} == published(small)
    assert verify(again, small.storage, [HOURLY_MART], deep=True) == []


def test_a_mart_is_published_in_glue_too(small: SmallLake, glue: Catalog) -> None:
    run_mart(small)
    records = open_catalog(small.settings).partitions(HOURLY_MART)
    glue.ensure_table(HOURLY_MART)
    glue.publish(records)
    assert glue.partitions(HOURLY_MART) == records


def test_what_the_gate_refuses_of_a_mart_stays_from_readers(small: SmallLake) -> None:
    run_mart(small)
    before = published(small)
    broken = replace(HOURLY_MART, version=2, function="tests.crypto_lakehouse.gold.test_mart_runs:negative_closes")
    with registered(broken) as row:
        summary = run_mart(small, mart=row)
        assert summary.status == "quarantined"
        assert summary.figures.publish.partitions_quarantined == 2
        assert published(small) == before
        # Judged once, it is left alone until its inputs or its version change.
        assert run_mart(small, mart=row).status == "nothing_to_do"


def negative_closes(frames, partition):
    from tests.hourly_mart import hourly_interest

    return hourly_interest(frames, partition).with_columns(-pl.col("close"))


def test_a_function_that_differs_from_its_row_is_refused_by_name(small: SmallLake) -> None:
    broken = replace(HOURLY_MART, function="tests.crypto_lakehouse.gold.test_mart_runs:without_close")
    with registered(broken) as row:
        request = PlanRequest(row.name, new_run_id("test"), DAYS[0], DAYS[-1])
        summary = run_pipeline(request, small.settings)
    assert summary.status == "failed"
    assert "without_close and the mart's row differ in 1 columns or types, such as close" in str(
        summary.failures[0].error
    )
    assert published(small) == {}


def without_close(frames, partition):
    from tests.hourly_mart import hourly_interest

    return hourly_interest(frames, partition).drop("close")


def test_lake_reads_marts_as_it_reads_datasets(small: SmallLake) -> None:
    run_mart(small)
    lake: Lake = small.lake
    assert HOURLY_MART.name in lake.tables()
    assert HOURLY_MART.name not in lake.datasets()
    frame = lake.scan(HOURLY_MART.name, symbols="BTCUSDT", start="2024-02-01", end="2024-02-02").collect()
    assert frame.height == 24
    assert lake.info(HOURLY_MART.name)["rows"].to_list() == [96]


@pytest.fixture
def glue() -> Iterator[Catalog]:
    from moto import mock_aws

    from crypto_lakehouse.catalog.glue import GlueCatalog

    with mock_aws():
        assert boto3.client("glue", region_name="us-east-1").get_databases()["DatabaseList"] == []
        yield GlueCatalog(CatalogSettings(kind=CatalogKind.GLUE), "s3://lake")


@pytest.mark.parametrize("fault", ["gone", "damaged"])
def test_a_mart_with_an_input_that_cannot_be_read_keeps_its_version_and_tells_why(fault: str, small: SmallLake) -> None:
    run_mart(small)
    before = published(small)
    small.publish(KLINES, "2024-02-02", closed_at_its_open(5))
    small.run(KLINES, "2024-02-02", "2024-02-02")
    records = open_catalog(small.settings).partitions(small_table(KLINES))
    (newest,) = [Path(small.settings.lake) / one.file for one in records if one.partition.endswith("2024-02")]
    data = newest.read_bytes()
    newest.unlink()
    if fault == "damaged":
        newest.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    summary = run_mart(small)
    assert summary.figures.build.partitions_not_built == 1
    assert published(small) == before
    (gated,) = [result.outcome for result in summary.results if result.step is Step.GATE]
    (verdict,) = gated.verdicts
    assert (verdict.candidate.partition, verdict.condition) == (FEBRUARY, Condition.QUARANTINED)
    assert re.search(r"binance_um_klines.* cannot be read: .*(is gone|has sha256)", verdict.reasons[0])
    newest.write_bytes(data)
    assert run_mart(small).figures.publish.partitions_published == 1
    assert published(small)[FEBRUARY] != before[FEBRUARY]
