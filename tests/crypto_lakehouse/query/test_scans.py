"""A lake in S3 is read over HTTP, and only what a question needs of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from pydantic import SecretStr

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.scans import storage_options
from crypto_lakehouse.settings import CatalogSettings, Settings, StorageSettings
from tests.published_lake import in_bucket

KLINES = "binance_um_klines"


@pytest.fixture
def remote_lake(tmp_path: Path, build_lake: Callable[[Path], Lake]) -> Iterator[Lake]:
    """The published lake, its files in a bucket of a server on loopback."""
    build_lake(tmp_path)
    with in_bucket(tmp_path, "lake") as storage:
        catalog = tmp_path / "catalog" / "catalog.sqlite"
        settings = Settings(lake="s3://bucket/lake", storage=storage, catalog=CatalogSettings(path=catalog))
        yield Lake(settings, EmbeddedCatalog(catalog))


def test_a_scan_reads_from_s3(remote_lake: Lake) -> None:
    frame = remote_lake.scan(KLINES, symbols="BTCUSDT", interval="1h", start="2025-01-01").collect()
    assert frame.height == 24
    assert frame["open_time"].min() == datetime(2025, 1, 1, tzinfo=UTC)


def test_a_lake_behind_an_endpoint_is_read_with_the_keys_of_a_file(
    remote_lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    given = remote_lake._settings
    without_keys = StorageSettings(endpoint_url=given.storage.endpoint_url)
    lake = Lake(given.model_copy(update={"storage": without_keys}), remote_lake._catalog)
    frame = lake.scan(KLINES, symbols="BTCUSDT", interval="1h", start="2025-01-01").collect()
    assert frame.height == 24


def test_sql_asks_a_lake_in_s3_with_decimals_and_times_intact(remote_lake: Lake) -> None:
    text = (
        "SELECT kline_interval, period, max(close) AS c, max(open_time) AS t "
        "FROM binance_um_klines GROUP BY ALL ORDER BY ALL"
    )
    frame = remote_lake.sql(text)
    assert frame.select("kline_interval", "period").rows() == [("1d", "2025-01"), ("1h", "2024-12"), ("1h", "2025-01")]
    assert frame.schema["c"] == pl.Decimal(18, 8)
    assert frame.schema["t"] == pl.Datetime("us", "UTC")


def test_storage_options_hold_keys_only_where_the_deployment_does() -> None:
    options = storage_options(StorageSettings(region="eu-west-1", use_proxy=True))
    assert options == {"aws_region": "eu-west-1"}
    options = storage_options(StorageSettings(endpoint_url="https://s3.example", access_key_id=SecretStr("a")))
    assert options["aws_allow_http"] == "false"
    assert options["aws_access_key_id"] == "a"
