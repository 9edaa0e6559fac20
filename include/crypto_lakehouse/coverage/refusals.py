"""The days of archive objects that the pull refused: nothing of them came into Bronze, and no partition knows them."""

from datetime import timedelta

import polars as pl

from crypto_lakehouse.coverage.queries import SERIES
from crypto_lakehouse.coverage.records import refusal_in_words
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.storage import Storage

_TIME = pl.Datetime("us", "UTC")
_SPANS = pl.Schema(
    {
        **dict.fromkeys(SERIES, pl.String()),
        "first": pl.Date(),
        "last": pl.Date(),
        "words": pl.String(),
        "seen_at": _TIME,
    }
)


def refused_days(storage: Storage, dataset_name: str) -> pl.DataFrame:
    """Returns the days of refused objects: symbol, kline_interval, day, `refused` in words, and `refused_at`.

    An object of which a later version was accepted does not count.
    """
    rows = [
        (
            *(each.symbol, each.interval, each.start.date(), (each.end - timedelta(microseconds=1)).date()),
            *(refusal_in_words(each.key, each.error, each.reason), each.seen_at),
        )
        for each in BronzeLog(storage).refusals(dataset_name)
        if each.start and each.end
    ]
    spans = pl.DataFrame(rows, schema=_SPANS, orient="row")
    days = spans.with_columns(pl.date_ranges("first", "last").alias("day")).explode("day", empty_as_null=False)
    words, seen = pl.col("words").sort().str.join("; "), pl.col("seen_at").max()
    return days.group_by(*SERIES, "day").agg(words.alias("refused"), seen.alias("refused_at"))
