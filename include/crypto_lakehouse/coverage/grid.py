"""The grid of a partition: the instants at which its rows are expected. Standard library only.

Instants are microseconds since the epoch. A grid point is numbered by its instant divided by the step.
"""

from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.vocabulary import Interval

DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000


def grid_step(partition: Partition, limit_seconds: float = 0.0) -> int:
    """Returns the distance of a partition's rows in microseconds, 0 where it has no fixed grid.

    Klines longer than a day start on days that depend on the interval, not on the epoch; they have no grid here.

    Args:
        partition: The partition.
        limit_seconds: The distance, where the table states it; 0 where the kline interval decides.
    """
    if limit_seconds:
        return int(limit_seconds * 1_000_000)
    step = partition.interval.microseconds if partition.interval else None
    longest = Interval.D1.microseconds or 0
    return step if step is not None and step <= longest else 0


def points_between(start: int, end: int, step: int) -> tuple[int, int]:
    """Returns the number of the first grid point of a span, and of the first grid point after it.

    >>> points_between(90, 300, 60)
    (2, 5)
    """
    # -(-a // b) rounds up: a span may start between two points.
    return -(-start // step), -(-end // step)
