"""Bronze objects to Silver: typed, UTC, sorted, deduplicated rows, one Parquet file per partition, a pure function."""
