"""Published files as lazy frames: only the files that a question needs, and the partition values as columns."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.settings import StorageSettings
from crypto_lakehouse.spec import Dataset

VERSION = "version"
"""The hive key of a partition's version folder; readers never see it."""


def scan_files(
    dataset: Dataset, published: Sequence[PublishedPartition], root: str, storage: StorageSettings
) -> pl.LazyFrame:
    """Returns the rows of published files, with the partition values beside the Silver columns.

    Args:
        dataset: Their dataset.
        published: What to read; at least one.
        root: The lake's root, as `Storage.uri` gives it.
        storage: How to reach it where it is S3.
    """
    hive = pl.Schema({name: pl.String() for name in (*dataset.partition_keys, VERSION)})
    return pl.scan_parquet(
        [f"{root}/{one.file}" for one in published],
        hive_partitioning=True,
        hive_schema=hive,
        glob=False,
        **(_in_s3(storage) if root.startswith("s3://") else {}),
    ).drop(VERSION)


def _in_s3(settings: StorageSettings) -> dict[str, Any]:
    options = {"storage_options": storage_options(settings)}
    if settings.access_key_id is not None:
        return options
    # Told of an endpoint, Polars takes it that keys are given too, and asks nobody for them.
    return {**options, "credential_provider": pl.CredentialProviderAWS(region_name=settings.region)}


def storage_options(settings: StorageSettings) -> dict[str, str]:
    """Returns what Polars needs to read from the lake's S3 store; without keys it asks whom the store's client asks."""
    options = {"aws_region": settings.region}
    if settings.endpoint_url:
        options["aws_endpoint_url"] = settings.endpoint_url
        options["aws_allow_http"] = str(settings.endpoint_url.startswith("http://")).lower()
    for name in ("access_key_id", "secret_access_key"):
        secret = getattr(settings, name)
        if secret is not None:
            options[f"aws_{name}"] = secret.get_secret_value()
    return options
