"""Published files as lazy frames, with the partition values as columns.

The values come from our own part of the path only. A folder above the lake may be called `env=prod` or `symbol_key=x`.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import polars as pl

from crypto_lakehouse.query.views import VERSION, our_part
from crypto_lakehouse.settings import StorageSettings

_PATH = "path of the file"
"""The column of the path: no table has a column of this name."""

_NO_PROXY = {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "*,0.0.0.0/0,::/0"}
"""Polars would read HTTPS_PROXY. Only another proxy prevents this, and this one is used for no name and no number."""


def scan_files(partition_keys: Sequence[str], files: Sequence[str], storage: StorageSettings) -> pl.LazyFrame:
    """Returns the rows of published files, with the partition values as columns.

    Args:
        partition_keys: The partition keys of the table.
        files: The files, at least one: paths, or addresses in S3.
        storage: Settings of the S3 store, where the lake is in S3.
    """
    remote = _in_s3(storage) if files[0].startswith("s3://") else {}
    own = our_part(partition_keys, files[0])
    if "=" not in files[0].removesuffix(own):
        # Polars skips files by these values.
        hive = pl.Schema({name: pl.String() for name in (*partition_keys, VERSION)})
        scan = pl.scan_parquet(list(files), hive_partitioning=True, hive_schema=hive, glob=False, **remote)
        return scan.drop(VERSION)
    scan = pl.scan_parquet(list(files), hive_partitioning=False, include_file_paths=_PATH, glob=False, **remote)
    parts = pl.col(_PATH).str.split("/").list
    places = {key: number - len(own.split("/")) for number, key in enumerate(partition_keys)}
    values = [parts.get(place).str.strip_prefix(f"{key}=").alias(key) for key, place in places.items()]
    return scan.with_columns(values).drop(_PATH)


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
    options = {"aws_region": settings.region, **({} if settings.use_proxy else _NO_PROXY)}
    if settings.endpoint_url:
        options["aws_endpoint_url"] = settings.endpoint_url
        options["aws_allow_http"] = str(settings.endpoint_url.startswith("http://")).lower()
    for name in ("access_key_id", "secret_access_key"):
        secret = getattr(settings, name)
        if secret is not None:
            options[f"aws_{name}"] = secret.get_secret_value()
    return options
