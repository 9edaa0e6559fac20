"""The columns of Bronze's logs, apart from `bronze`: to name their types takes an engine, to commit does not."""

import polars as pl

_TIME = pl.Datetime("us", "UTC")
BRONZE_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "key": pl.String(),
        "symbol": pl.String(),
        "interval": pl.String(),
        "source": pl.String(),
        "start": _TIME,
        "end": _TIME,
        "etag": pl.String(),
        "last_modified": _TIME,
        "size": pl.Int64(),
        "sha256": pl.String(),
        "checksum": pl.String(),
        "seen_at": _TIME,
        "path": pl.String(),
        "checksum_etag": pl.String(),
        "damage": pl.String(),
    }
)
QUARANTINE_SCHEMA = pl.Schema(
    {
        "key": pl.String(),
        "etag": pl.String(),
        "error": pl.String(),
        "reason": pl.String(),
        "seen_at": _TIME,
        "checksum_etag": pl.String(),
        "symbol": pl.String(),
        "interval": pl.String(),
        "start": _TIME,
        "end": _TIME,
        "bronze_head": pl.Int64(),
    }
)
