"""Published files as lazy frames, with the partition values as columns."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.settings import StorageSettings
from crypto_lakehouse.spec import Table

VERSION = "version"
"""The hive key of the version folder of a partition. It is removed from the columns."""


def scan_files(
    table: Table, published: Sequence[PublishedPartition], root: str, storage: StorageSettings
) -> pl.LazyFrame:
    """Returns the rows of published files, with the partition values as columns.

    Args:
        table: The table of the partitions.
        published: The partitions to read, at least one.
        root: Root of the lake, as in `Storage.uri`.
        storage: Settings of the S3 store, where the lake is in S3.
    """
    hive = pl.Schema({name: pl.String() for name in (*table.partition_keys, VERSION)})
    return pl.scan_parquet(
        [f"{root}/{partition.file}" for partition in published],
        hive_partitioning=True,
        hive_schema=hive,
        glob=False,
        **(_in_s3(storage) if root.startswith("s3://") else {}),
    ).drop(VERSION)


def _in_s3(settings: StorageSettings) -> dict[str, Any]:
    options = {"storage_options": storage_options(settings)}
    if settings.access_key_id is not None:
        return options
    # With an endpoint, Polars expects keys in the options and does not look for credentials elsewhere.
    return {**options, "credential_provider": pl.CredentialProviderAWS(region_name=settings.region)}


def storage_options(settings: StorageSettings) -> dict[str, str]:
    """Returns the options with which Polars reads from S3. Without keys, Polars uses the AWS credential chain."""
    options = {"aws_region": settings.region}
    if settings.endpoint_url:
        options["aws_endpoint_url"] = settings.endpoint_url
        options["aws_allow_http"] = str(settings.endpoint_url.startswith("http://")).lower()
    for name in ("access_key_id", "secret_access_key"):
        secret = getattr(settings, name)
        if secret is not None:
            options[f"aws_{name}"] = secret.get_secret_value()
    return options
