"""The delta step: requests from the exchange what the archive does not have yet, and stores it in Bronze."""

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
"""Number of objects after which they are committed to Bronze. A crash loses at most this number."""


@dataclass(slots=True)
class _DeltaWork:
    """The state of an order. `stop` is set when no more requests should be sent."""

    context: StepContext
    dataset: Dataset
    stop: Event = field(default_factory=Event)
    pending: list[BronzeObject] = field(default_factory=list)
    objects: int = 0
    requests: int = 0
    bytes: int = 0
    _clients: local = field(default_factory=local)
    _lock: Lock = field(default_factory=Lock)

    def client(self) -> ExchangeClient:
        """Returns the client of this thread, with the time of the exchange."""
        if not hasattr(self._clients, "own"):
            settings, dataset = self.context.settings.exchange, self.dataset
            limiter = open_limiter(settings, dataset.market, dataset.exchange)
            self._clients.own = ExchangeClient(settings, dataset.market, limiter, exchange=dataset.exchange)
            self._clients.own.server_time()
        own: ExchangeClient = self._clients.own
        return own

    def request(self, window: RequestSpan) -> None:
        """Requests a window and stores its parts one by one, so that a failure loses no earlier part."""
        if self.stop.is_set():
            return
        for answered in fetch(self.dataset, window, self.client()):
            self._keep(store(answered, self.dataset, window, self.context.storage), len(answered.answers))
            if self.stop.is_set():
                return

    def _keep(self, stored: BronzeObject, answers: int) -> None:
        with self._lock:
            self.pending.append(stored)
            self.objects += 1
            self.requests += answers
            self.bytes += stored.size
            if len(self.pending) >= COMMIT_OBJECTS:
                self.commit()

    def commit(self) -> None:
        """Commits the stored objects to Bronze."""
        BronzeLog(self.context.storage).commit(self.pending)
        self.pending = []


def delta(context: StepContext, order: DeltaOrder) -> DeltaOutcome:
    """Requests a batch of windows from the exchange, several at once within the shared budget.

    A window that fails does not stop the others. No more requests are sent if the exchange refuses this address or asks
    for a long pause. Received responses are stored in every case, and a repeated run continues there.

    Raises:
        LakehouseError: Some windows have no response.
    """
    work = _DeltaWork(context, dataset_row(order.dataset))
    errors = _request_all(work, order)
    work.commit()
    if errors:
        raise _worst(errors)
    return DeltaOutcome(
        DeltaFigures(
            windows=len(order.windows),
            objects_asked=work.objects,
            requests=work.requests,
            bytes_asked=work.bytes,
        )
    )


def _request_all(work: _DeltaWork, order: DeltaOrder) -> list[LakehouseError]:
    errors: list[LakehouseError] = []
    with ThreadPoolExecutor(work.context.settings.exchange.workers, "ask") as pool:
        futures: list[Future[None]] = [pool.submit(work.request, window) for window in order.windows]
        for done, future in enumerate(as_completed(futures), 1):
            try:
                future.result()
            except LakehouseError as error:
                errors.append(error)
                if isinstance(error, PermanentError | RateLimited):
                    work.stop.set()
            work.context.progress("windows", done, len(futures))
    return errors


def _worst(errors: list[LakehouseError]) -> LakehouseError:
    permanent = [error for error in errors if isinstance(error, PermanentError)]
    return (permanent or errors)[0]
