"""Work orders and results: the JSON files in the lake through which steps speak.

`runs/<dataset>/<run>/plan.json` is the order of the plan step; `pull-000.json`, `delta-000.json` and
`transform-000.json` are those it writes for the mapped steps. A step's result lies beside its order:
`pull-000.pull.result.json`. Conform, gate and publish share one transform order, and each reads the result of the one
before.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias, TypeVar

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.lake.records import ObjectToPull, RequestSpan
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.vocabulary import Step

Record = TypeVar("Record")

MAX_BATCH = 100
"""Objects per pull batch and partitions per transform batch, at most."""
MAX_ORDERS = 1000
"""Orders of a kind in a run, at most: three digits number them, and Airflow maps a task over no more than 1,024."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a run is asked for.

    Args:
        dataset: Its dataset.
        run_id: Names the run's folder; see `run_folder`.
        symbols: Symbols or globs; empty means what the deployment's configuration says.
        intervals: Intervals; empty means what the configuration says.
        first_day: First UTC day, ISO.
        last_day: Last UTC day, inclusive, ISO.
        profile: Name of the transfer profile; empty means the configuration's.
        pull: Whether to look at the archive; without, what Bronze holds already is brought to Silver.
        delta: Whether to ask the exchange for what the archive does not have.
        fill: Whether to ask it also for the holes in what the archive has.
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


@dataclass(frozen=True, slots=True)
class PullOrder:
    """A batch of objects for one pull step."""

    dataset: str
    run_id: str
    profile: str
    objects: tuple[ObjectToPull, ...]


@dataclass(frozen=True, slots=True)
class DeltaOrder:
    """A batch of windows for one delta step."""

    dataset: str
    run_id: str
    profile: str
    windows: tuple[RequestSpan, ...]


@dataclass(frozen=True, slots=True)
class TransformOrder:
    """A batch of partitions, by name, for conform, gate and publish.

    Args:
        bytes: Of the archive objects that the plan knew to hold their rows, as downloaded.
    """

    dataset: str
    run_id: str
    profile: str
    partitions: tuple[str, ...]
    bytes: int = 0


Order: TypeAlias = PullOrder | DeltaOrder | TransformOrder
"""What a plan writes for the mapped steps."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step says it did; written last, so that its absence means the step did not finish.

    Args:
        status: `succeeded`, `nothing_to_do` or `failed`.
        counts: Figures for people and XCom: objects, bytes, rows, partitions, ...
        orders: Keys of the work orders this step wrote for later ones, by step.
        payload: Facts for the next step.
        error: Class, message and whether a retry may help, when it failed.
        seconds: Wall time.
    """

    step: str
    dataset: str
    run_id: str
    status: str
    counts: dict[str, int] = field(default_factory=dict)
    orders: dict[str, list[str]] = field(default_factory=dict)
    payload: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def run_folder(dataset: str, run_id: str) -> str:
    """Returns the folder of a run in the lake; a run id of any characters gives a safe, distinct name.

    >>> run_folder("binance_um_klines", "manual__2024-01-01T00:00:00+00:00")
    'runs/binance_um_klines/manual__2024-01-01T00-00-00-00-00-c87eaaa6'
    """
    slug = re.sub(r"[^A-Za-z0-9_]+", "-", run_id).strip("-")[:80]
    return f"runs/{dataset}/{slug}-{hashlib.sha256(run_id.encode()).hexdigest()[:8]}"


def result_key(order_key: str, step: Step) -> str:
    """Returns where the result of `step` for the order at `order_key` lies."""
    return f"{order_key.removesuffix('.json')}.{step}.result.json"


def write_order(storage: Storage, key: str, order: PlanRequest | Order) -> None:
    """Writes a work order as JSON."""
    storage.write(key, json.dumps(asdict(order), indent=1, ensure_ascii=False).encode())


def read_plan_request(storage: Storage, key: str) -> PlanRequest:
    """Returns the plan request at `key`.

    Raises:
        InvalidRequest: It is not one.
    """
    raw = _read(storage, key)
    return _build(PlanRequest, {**raw, **{name: tuple(raw.get(name, ())) for name in ("symbols", "intervals")}}, key)


def read_pull_order(storage: Storage, key: str) -> PullOrder:
    """Returns the pull order at `key`.

    Raises:
        InvalidRequest: It is not one.
    """
    raw = _read(storage, key)
    objects = tuple(_build(ObjectToPull, one, key) for one in raw.get("objects", ()))
    return _build(PullOrder, {**raw, "objects": objects}, key)


def read_delta_order(storage: Storage, key: str) -> DeltaOrder:
    """Returns the delta order at `key`.

    Raises:
        InvalidRequest: It is not one.
    """
    raw = _read(storage, key)
    windows = tuple(_build(RequestSpan, one, key) for one in raw.get("windows", ()))
    return _build(DeltaOrder, {**raw, "windows": windows}, key)


def read_transform_order(storage: Storage, key: str) -> TransformOrder:
    """Returns the transform order at `key`.

    Raises:
        InvalidRequest: It is not one.
    """
    raw = _read(storage, key)
    return _build(TransformOrder, {**raw, "partitions": tuple(raw.get("partitions", ()))}, key)


def order_bytes(storage: Storage, key: str) -> int:
    """Returns how much a step is to work on: bytes of the objects that its order is about; 0 where it names none.

    Raises:
        InvalidRequest: It is no order.
        ArchiveFileMissing: There is none.
    """
    raw = _read(storage, key)
    return int(raw.get("bytes", 0)) + sum(int(one.get("size", 0)) for one in raw.get("objects", ()))


def write_result(storage: Storage, order_key: str, result: StepResult) -> None:
    """Writes a step's result beside its order."""
    key = result_key(order_key, Step(result.step))
    storage.write(key, json.dumps(asdict(result), indent=1, ensure_ascii=False).encode())


def read_result(storage: Storage, order_key: str, step: Step) -> StepResult:
    """Returns the result of `step` for the order at `order_key`.

    Raises:
        ArchiveFileMissing: The step has not finished.
        InvalidRequest: The file is not a result.
    """
    key = result_key(order_key, step)
    return _build(StepResult, _read(storage, key), key)


def _read(storage: Storage, key: str) -> dict[str, Any]:
    try:
        raw = json.loads(storage.read(key))
    except ValueError as error:
        raise InvalidRequest(f"{key} is not JSON: {error}") from error
    if not isinstance(raw, dict):
        raise InvalidRequest(f"{key} is not a JSON object")
    return raw


def _build(record: type[Record], raw: dict[str, Any], key: str) -> Record:
    try:
        return record(**raw)
    except TypeError as error:
        raise InvalidRequest(f"{key} is not a {record.__name__}: {error}") from error
