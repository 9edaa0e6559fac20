"""The delta step: what the archive does not have yet, asked of the exchange and kept in Bronze."""

from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event, Lock, local

from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.errors import LakehouseError, PermanentError, RateLimited
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.exchange.fetching import fetch, store
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.records import BronzeObject, RequestSpan
from crypto_lakehouse.runs.figures import DeltaFigures
from crypto_lakehouse.runs.orders import DeltaOrder
from crypto_lakehouse.runs.results import DeltaOutcome
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps.context import StepContext

COMMIT_OBJECTS = 20
"""Objects after which Bronze is told of them: a crash loses no more than these."""


@dataclass(slots=True)
class _Asking:
    """An order in the asking; `stop` is set once nothing more should be asked."""

    context: StepContext
    row: Dataset
    stop: Event = field(default_factory=Event)
    pending: list[BronzeObject] = field(default_factory=list)
    objects: int = 0
    requests: int = 0
    bytes: int = 0
    _clients: local = field(default_factory=local)
    _lock: Lock = field(default_factory=Lock)

    def client(self) -> ExchangeClient:
        """Returns this thread's client, which knows the exchange's time."""
        if not hasattr(self._clients, "own"):
            settings, row = self.context.settings.exchange, self.row
            limiter = open_limiter(settings, row.market, row.exchange)
            self._clients.own = ExchangeClient(settings, row.market, limiter, exchange=row.exchange)
            self._clients.own.server_time()
        own: ExchangeClient = self._clients.own
        return own

    def ask(self, window: RequestSpan) -> None:
        """Asks for a window and keeps what it gives, part by part: what came before a failure is not lost."""
        if self.stop.is_set():
            return
        for answered in fetch(self.row, window, self.client()):
            self._keep(store(answered, self.row, window, self.context.storage), len(answered.answers))
            if self.stop.is_set():
                return

    def _keep(self, held: BronzeObject, answers: int) -> None:
        with self._lock:
            self.pending.append(held)
            self.objects += 1
            self.requests += answers
            self.bytes += held.size
            if len(self.pending) >= COMMIT_OBJECTS:
                self.commit()

    def commit(self) -> None:
        """Makes what was stored part of Bronze."""
        BronzeLog(self.context.storage).commit(self.pending)
        self.pending = []


def delta(context: StepContext, order: DeltaOrder) -> DeltaOutcome:
    """Asks the exchange for a batch of windows, several at once within the shared budget.

    One window that fails does not stop the others, but where the exchange refuses this address, or asks us to wait for
    long, nothing more is asked. What was answered is kept in any case: a repeated run goes on from there.

    Raises:
        LakehouseError: Some windows were not answered.
    """
    asking = _Asking(context, dataset_row(order.dataset))
    errors = _ask_all(asking, order)
    asking.commit()
    if errors:
        raise _worst(errors)
    return DeltaOutcome(
        DeltaFigures(
            windows=len(order.windows),
            objects_asked=asking.objects,
            requests=asking.requests,
            bytes_asked=asking.bytes,
        )
    )


def _ask_all(asking: _Asking, order: DeltaOrder) -> list[LakehouseError]:
    errors: list[LakehouseError] = []
    with ThreadPoolExecutor(asking.context.settings.exchange.workers, "ask") as pool:
        futures: list[Future[None]] = [pool.submit(asking.ask, one) for one in order.windows]
        for done, future in enumerate(as_completed(futures), 1):
            try:
                future.result()
            except LakehouseError as error:
                errors.append(error)
                if isinstance(error, PermanentError | RateLimited):
                    asking.stop.set()
            asking.context.progress("windows", done, len(futures))
    return errors


def _worst(errors: list[LakehouseError]) -> LakehouseError:
    permanent = [one for one in errors if isinstance(one, PermanentError)]
    return (permanent or errors)[0]
