"""Published files as lazy frames, with the partition values as columns."""

from collections.abc import Sequence
from typing import Any, TypeVar

import polars as pl

from crypto_lakehouse.query.views import VERSION, has_foreign_keys, value_pattern
from crypto_lakehouse.settings import StorageSettings

_PATH = "__path"


def scan_files(partition_keys: Sequence[str], files: Sequence[str], storage: StorageSettings) -> pl.LazyFrame:
    """Returns the rows of published files, with the partition values as columns.

    Args:
        partition_keys: The partition keys of the table.
        files: The files, at least one: paths, or addresses in S3.
        storage: Settings of the S3 store, where the lake is in S3.
    """
    in_s3 = _in_s3(storage) if files[0].startswith("s3://") else {}
    if has_foreign_keys(partition_keys, files[0]):
        # Slower: a filter by a partition value does not skip files by their names.
        frame = pl.scan_parquet(list(files), hive_partitioning=False, include_file_paths=_PATH, glob=False, **in_s3)
        values = [pl.col(_PATH).str.extract(value_pattern(key)).alias(key) for key in partition_keys]
        return frame.with_columns(values).drop(_PATH)
    hive = pl.Schema({name: pl.String() for name in (*partition_keys, VERSION)})
    return pl.scan_parquet(
        list(files),
        hive_partitioning=True,
        hive_schema=hive,
        glob=False,
        **in_s3,
    ).drop(VERSION)


Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def with_floats(frame: Frame) -> Frame:
    """Returns a frame with floats for decimals, also within lists and structs."""
    schema = frame.collect_schema()
    return frame.cast(pl.Schema({name: _with_floats(kind) for name, kind in schema.items()}))


def _with_floats(kind: Any) -> Any:
    if isinstance(kind, pl.Decimal):
        return pl.Float64()
    if isinstance(kind, pl.List):
        return pl.List(_with_floats(kind.inner))
    if isinstance(kind, pl.Struct):
        return pl.Struct({field.name: _with_floats(field.dtype) for field in kind.fields})
    return kind


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
