"""The orders that the engines of archive and exchange still take; see `runs/orders.py`."""

from dataclasses import dataclass

MAX_BATCH = 100
"""Objects per pull batch and partitions per transform batch, at most."""


@dataclass(frozen=True, slots=True)
class ObjectToPull:
    """One archive object that a pull batch is to bring, as the listing showed it."""

    key: str
    size: int
    etag: str
    last_modified: str
    has_checksum: bool
    reason: str


@dataclass(frozen=True, slots=True)
class DeltaWindow:
    """A stretch of time of one symbol and interval to ask the exchange for: ISO instants, the end exclusive."""

    symbol: str
    interval: str
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a run is asked for.

    Args:
        dataset: Name of the dataset.
        run_id: Names the run's folder; see `run_folder`.
        first_day: First UTC day, ISO.
        last_day: Last UTC day, inclusive, ISO.
        symbols: Symbols or globs; empty means what the deployment's configuration has.
        intervals: Kline intervals; empty means what the configuration has.
        profile: Name of the transfer profile; empty means the configuration's.
        pull: Whether to list the archive. If not, what Bronze already has is brought to Silver.
        delta: Whether to ask the exchange for what the archive does not have.
        fill: Whether to ask the exchange also for the holes in what the archive has.
    """

    dataset: str
    run_id: str
    first_day: str
    last_day: str
    symbols: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    profile: str = ""
    pull: bool = True
    delta: bool = True
    fill: bool = False

    @property
    def subject(self) -> str:
        """The table that the run is about."""
        return self.dataset

    @property
    def work_bytes(self) -> int:
        """Always 0: how much there is to do is not known before the plan."""
        return 0


@dataclass(frozen=True, slots=True)
class PullOrder:
    """A batch of archive objects for one pull step."""

    dataset: str
    run_id: str
    profile: str
    objects: tuple[ObjectToPull, ...]

    @property
    def subject(self) -> str:
        """The dataset of the objects."""
        return self.dataset

    @property
    def work_bytes(self) -> int:
        """Bytes of the objects."""
        return sum(wanted.size for wanted in self.objects)
