"""Work orders: JSON files in the lake that describe the work of a step.

`runs/<table>/<run>/plan.json` is the order of the plan step and of the report step. The plan step writes the numbered
orders of the other steps next to it: `pull-000.json`, `delta-000.json`, `transform-000.json`. Conform, gate and publish
share one transform order, and each reads the result of the step before it. `runs/lake/<run>/gaps.json`,
`runs/<market>/<run>/instruments.json` and `runs/lake/<run>/{scrub,repair,collect}.json` are orders of runs that have no
plan.
"""

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TypeVar

from crypto_lakehouse.lake.records import ObjectToPull, RequestSpan
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.runs.codec import from_json, to_json
from crypto_lakehouse.verbs import Subject, verb_of
from crypto_lakehouse.vocabulary import Exchange, Market, Step

MAX_BATCH = 100
"""Objects per pull batch and partitions per transform batch, at most."""
MAX_ORDERS = 1000
"""Orders of a kind in a run, at most: three digits number them, and Airflow maps a task over no more than 1,024."""


class Order(ABC):
    """Base of all work orders.

    Attributes:
        run_id: The run's id as Airflow or the command line gave it.
    """

    __slots__ = ()
    run_id: str

    @property
    @abstractmethod
    def subject(self) -> str:
        """What the run is about: the name of a table or a market, or the lake."""

    @property
    def work_bytes(self) -> int:
        """Bytes of the archive objects that the order is about, as downloaded; 0 where they are not known before."""
        return 0


AnyOrder = TypeVar("AnyOrder", bound=Order)


@dataclass(frozen=True, slots=True)
class PlanRequest(Order):
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

    def selection(self) -> Selection:
        """Returns the data that is asked for.

        Raises:
            InvalidRequest: There is no such dataset or interval, or the days are not a range that can have data.
        """
        days = (self.first_day, self.last_day)
        return Selection.parse(self.dataset, days, symbols=self.symbols, intervals=self.intervals)


@dataclass(frozen=True, slots=True)
class PullOrder(Order):
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


@dataclass(frozen=True, slots=True)
class DeltaOrder(Order):
    """A batch of spans for one delta step.

    Args:
        unseen: Symbols that neither the archive nor the lake has, with the nearest ones.
    """

    dataset: str
    run_id: str
    profile: str
    spans: tuple[RequestSpan, ...]
    unseen: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """The dataset of the spans."""
        return self.dataset


@dataclass(frozen=True, slots=True)
class TransformOrder(Order):
    """A batch of partitions, by name, for conform, gate and publish.

    Args:
        bytes: Bytes of the archive objects that hold the partitions' rows, as far as the plan knew.
    """

    dataset: str
    run_id: str
    profile: str
    partitions: tuple[str, ...]
    bytes: int = 0

    @property
    def subject(self) -> str:
        """The table of the partitions."""
        return self.dataset

    @property
    def work_bytes(self) -> int:
        """Bytes of the archive objects that hold the partitions' rows."""
        return self.bytes


@dataclass(frozen=True, slots=True)
class GapsOrder(Order):
    """A search for gaps in the whole lake."""

    run_id: str

    @property
    def subject(self) -> str:
        """The lake."""
        return Subject.LAKE.value


@dataclass(frozen=True, slots=True)
class InstrumentsOrder(Order):
    """An update of the instrument master of one market.

    Args:
        market: The market.
        run_id: Names the run's folder; see `run_folder`.
        ask: Whether to request exchangeInfo from the exchange where no answer is given.
        exchange_info: Keys of exchangeInfo answers in the lake, as received.
    """

    market: Market
    run_id: str
    ask: bool = True
    exchange_info: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """The market's name: `binance_um`."""
        return f"{Exchange.BINANCE}_{self.market}"


@dataclass(frozen=True, slots=True)
class ScrubOrder(Order):
    """The next part of a scrub of the lake."""

    run_id: str

    @property
    def subject(self) -> str:
        """The lake."""
        return Subject.LAKE.value


@dataclass(frozen=True, slots=True)
class RepairOrder(Order):
    """A repair of the lake: of what a scrub of the same run found, and of what a quick verification finds."""

    run_id: str

    @property
    def subject(self) -> str:
        """The lake."""
        return Subject.LAKE.value


@dataclass(frozen=True, slots=True)
class CollectOrder(Order):
    """A collection of what the lake does not need any more.

    Args:
        run_id: Names the run's folder; see `run_folder`.
        dry_run: Whether to remove nothing and only count.
    """

    run_id: str
    dry_run: bool = False

    @property
    def subject(self) -> str:
        """The lake."""
        return Subject.LAKE.value


ORDER_TYPES: dict[str, type[Order]] = {
    kind.__name__: kind
    for kind in (
        PlanRequest,
        PullOrder,
        DeltaOrder,
        TransformOrder,
        GapsOrder,
        InstrumentsOrder,
        ScrubOrder,
        RepairOrder,
        CollectOrder,
    )
}
"""The types of orders by the name that the table of verbs gives."""


def run_folder(subject: str, run_id: str) -> str:
    """Returns the folder of a run in the lake; a run id of any characters gives a safe, distinct name.

    >>> run_folder("binance_um_klines", "manual__2024-01-01T00:00:00+00:00")
    'runs/binance_um_klines/manual__2024-01-01T00-00-00-00-00-c87eaaa6'
    """
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", run_id).strip("-")[:80]
    return f"runs/{subject}/{slug}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def first_order_key(step: Step, subject: str, run_id: str) -> str:
    """Returns the key of a run's first order of a step: `runs/<subject>/<run>/plan.json` for a plan."""
    return f"{run_folder(subject, run_id)}/{verb_of(step).sample_order}"


def write_order(storage: Storage, key: str, order: Order) -> None:
    """Writes a work order as JSON."""
    storage.write(key, to_json(type(order), order))


def read_order(storage: Storage, key: str, kind: type[AnyOrder]) -> AnyOrder:
    """Returns the order at `key`.

    Raises:
        InvalidRequest: The file is not an order of this kind.
        ArchiveFileMissing: There is no file.
    """
    order: AnyOrder = from_json(kind, storage.read(key), key)
    return order


def order_of_step(storage: Storage, key: str, step: Step) -> Order:
    """Returns the order at `key` as the verb of a step takes it.

    Raises:
        InvalidRequest: The file is not an order of the verb.
        ArchiveFileMissing: There is no file.
    """
    return read_order(storage, key, ORDER_TYPES[verb_of(step).order])
