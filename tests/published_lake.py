"""A small published lake, written without the pipeline: what readers see is files and a catalog."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import boto3
import polars as pl
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings, StorageSettings
from crypto_lakehouse.vocabulary import Condition

PUBLISHED_AT = datetime(2025, 3, 1, tzinfo=UTC)
PARTITIONS = (
    ("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-12"),
    ("binance_um_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2025-01"),
    ("binance_um_klines", "kline_interval=1h/symbol_key=ETHUSDT/period=2025-01"),
    ("binance_um_klines", "kline_interval=1d/symbol_key=BTCUSDT/period=2025-01"),
    ("binance_um_funding_rate", "symbol_key=BTCUSDT/year=2025"),
)
ROWS = 24


def _write_partition(root: Path, name: str, partition_name: str) -> PublishedPartition:
    """Writes a partition of one row an hour or a day and returns what the catalog is to say of it."""
    partition = Partition.parse(name, partition_name)
    step = timedelta(days=1) if str(partition.interval) == "1d" else timedelta(hours=1)
    times = [partition.start + step * number for number in range(ROWS)]
    location = f"{partition.path}/version=0123456789abcdef"
    path = root / location / "data.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(
        {
            "symbol": [partition.symbol] * ROWS,
            dataset(name).event_time: times,
            "close": [Decimal(number) for number in range(ROWS)],
        },
        schema_overrides={"close": pl.Decimal(18, 8), dataset(name).event_time: pl.Datetime("us", "UTC")},
    )
    frame.write_parquet(path)
    return PublishedPartition(
        dataset=name,
        partition=partition_name,
        location=location,
        file=f"{location}/data.parquet",
        sha256="0" * 64,
        bytes=path.stat().st_size,
        rows=ROWS,
        inputs_digest="d",
        first_time=times[0],
        last_time=times[-1],
        condition=Condition.DEGRADED if partition_name.endswith("2024-12") else Condition.AVAILABLE,
        reasons=(),
        run_id="test",
        published_at=PUBLISHED_AT,
    )


def build_published_lake(root: Path) -> Lake:
    """Builds a lake with five published partitions of two datasets in a folder."""
    catalog = EmbeddedCatalog(root / "catalog" / "catalog.sqlite")
    for name in sorted({name for name, _ in PARTITIONS}):
        catalog.ensure_table(dataset(name))
    catalog.publish([_write_partition(root, *one) for one in PARTITIONS])
    return Lake(Settings(lake=str(root)), catalog)


@contextmanager
def in_bucket(lake: Path, *prefixes: str) -> Iterator[StorageSettings]:
    """Copies the files of a lake below each prefix of the bucket `bucket` of a server on loopback."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", **keys)
    client.create_bucket(Bucket="bucket")
    for prefix in prefixes:
        for path in lake.rglob("*.parquet"):
            client.upload_file(str(path), "bucket", f"{prefix}/{path.relative_to(lake)}")
    yield StorageSettings(endpoint_url=url, access_key_id=SecretStr("a"), secret_access_key=SecretStr("b"))
    server.stop()
