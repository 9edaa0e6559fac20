"""Pauses of a stream and payments not made, compared with plain sets."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.coverage.distances import Pauses, Payments
from crypto_lakehouse.instants import HOUR_US
from crypto_lakehouse.vocabulary import HoleKind

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(seconds=st.sets(st.integers(0, 199)), limit=st.integers(1, 30), block=st.integers(1, 9))
def test_a_pause_is_every_covered_stretch_without_a_row_that_is_longer_than_the_bound(
    seconds: set[int], limit: int, block: int
) -> None:
    pauses, ordered = Pauses(limit), sorted(seconds)
    for start in range(0, len(ordered), block):
        pauses.add(np.array(ordered[start : start + block], np.int64))
    edges = [0, *ordered, 200]
    expected = [(before, after) for before, after in pairwise(edges) if after - before > limit]
    assert sorted((hole.start, hole.end) for hole in pauses.holes([(0, 200)])) == expected


def paid(hours: list[int], steps: list[int]) -> Payments:
    payments = Payments("hours", "time")
    times = [EPOCH + timedelta(hours=hour) for hour in hours]
    schema = {"time": pl.Datetime("us", "UTC"), "hours": pl.Int64}
    payments.add(pl.DataFrame({"time": times, "hours": steps}, schema=schema))
    return payments


def lost(payments: Payments, *covered: tuple[int, int]) -> list[int]:
    """Returns the hours at which payments are missing."""
    holes = payments.holes([(start * HOUR_US, end * HOUR_US) for start, end in covered])
    assert {hole.kind for hole in holes} <= {HoleKind.PAYMENTS}
    hours = [hour for hole in holes for hour in range(hole.start // HOUR_US, hole.end // HOUR_US, 8)]
    assert sum(hole.missing or 0 for hole in holes) == len(hours)
    return sorted(hours)


@given(st.sets(st.integers(0, 29), min_size=1))
def test_payments_every_eight_hours_are_missing_where_they_are_not(present: set[int]) -> None:
    payments = paid([8 * number for number in sorted(present)], [8] * len(present))
    assert lost(payments, (0, 240)) == [8 * number for number in range(30) if number not in present]


def test_nothing_is_missing_where_no_object_covers_the_time() -> None:
    assert lost(paid([0, 8, 80], [8, 8, 8]), (0, 24), (72, 88)) == [16, 72]


def test_a_change_of_the_distance_is_not_a_payment_that_is_missing() -> None:
    assert lost(paid([0, 8, 12, 16, 20], [8, 8, 4, 4, 4]), (0, 24)) == []
    assert lost(paid([0, 4, 8, 16], [4, 4, 4, 8]), (0, 24)) == []


def test_a_distance_that_was_counted_over_a_missing_payment_is_not_believed() -> None:
    assert lost(paid([0, 8, 24, 32], [8, 8, 16, 8]), (0, 40)) == [16]
