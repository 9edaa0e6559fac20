"""The delta step: requests what the archive does not have yet from the exchange, and keeps the answers in Bronze."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from threading import Event, Lock, local

from crypto_lakehouse.datasets import dataset as dataset_of_name
from crypto_lakehouse.errors import LakehouseError, PermanentError, RateLimited, UnknownSymbol
from crypto_lakehouse.exchange.client import ExchangeClient, open_limiter
from crypto_lakehouse.exchange.fetching import AnsweredSpan, fetch, store
from crypto_lakehouse.lake.bronze import BronzeLog, BronzeMark
from crypto_lakehouse.lake.records import BronzeObject, RequestSpan
from crypto_lakehouse.runs.figures import DeltaFigures, total
from crypto_lakehouse.runs.orders import DeltaOrder
from crypto_lakehouse.runs.outcomes import DeltaOutcome
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.symbols import unknown_symbol

COMMIT_OBJECTS = 20
"""After so many objects they become part of Bronze: a crash loses no more than these."""


@dataclass(slots=True)
class _Requests:
    """The requests of an order.

    Args:
        context: The step's.
        dataset: The dataset.
        mark: How far the Bronze log was before the first request: later answers of another run are newer.
        unseen: Symbols that neither the archive nor the lake has, with the nearest ones.
        stop: Is set once nothing more must be requested.
        pending: Stored objects that are not part of Bronze yet.
        figures: What was answered so far.
    """

    context: StepContext
    dataset: Dataset
    mark: BronzeMark
    unseen: dict[str, tuple[str, ...]]
    stop: Event = field(default_factory=Event)
    pending: list[BronzeObject] = field(default_factory=list)
    figures: DeltaFigures = field(default_factory=DeltaFigures)
    _clients: local = field(default_factory=local)
    _lock: Lock = field(default_factory=Lock)

    def client(self) -> ExchangeClient:
        """Returns this thread's client, which knows the exchange's time."""
        if not hasattr(self._clients, "own"):
            settings, dataset = self.context.settings.exchange, self.dataset
            limiter = open_limiter(settings, dataset.market, dataset.exchange)
            self._clients.own = ExchangeClient(settings, dataset.market, limiter, exchange=dataset.exchange)
            self._clients.own.server_time()
        own: ExchangeClient = self._clients.own
        return own

    def carry_out(self, wanted: RequestSpan) -> None:
        """Requests a span and keeps each part of the answer: what came before a failure is not lost."""
        if self.stop.is_set():
            return
        for answered in self._answered(wanted):
            self._keep(store(answered, self.dataset, wanted, self.context.storage), len(answered.answers))
            if self.stop.is_set():
                return

    def _answered(self, wanted: RequestSpan) -> Iterator[AnsweredSpan]:
        """Yields what the exchange answers for a span.

        Raises:
            UnknownSymbol: Neither the exchange nor the archive nor the lake has the symbol.
        """
        is_known = wanted.symbol not in self.unseen
        try:
            yield from fetch(self.dataset, wanted, self.client(), is_known=is_known)
        except UnknownSymbol as error:
            where = f"the exchange ({error.what})"
            raise unknown_symbol(wanted.symbol, where, self.unseen[wanted.symbol], self.dataset.name) from error

    def _keep(self, stored: BronzeObject, requests: int) -> None:
        figures = DeltaFigures(objects_requested=1, requests=requests, bytes_requested=stored.size)
        with self._lock:
            self.pending.append(stored)
            self.figures = total(DeltaFigures, (self.figures, figures))
            if len(self.pending) >= COMMIT_OBJECTS:
                self.commit()

    def commit(self) -> None:
        """Makes what was stored part of Bronze."""
        BronzeLog(self.context.storage).commit(self.pending, self.mark)
        self.pending = []


def delta(context: StepContext, order: DeltaOrder) -> DeltaOutcome:
    """Requests a batch of spans from the exchange, several at once within the shared rate limit.

    A span that fails does not stop the others. But where the exchange refuses this address, or asks us to wait for
    long, nothing more is requested. What was answered is kept in any case: a repeated run continues from there.

    Raises:
        LakehouseError: Some spans were not answered.
    """
    mark = BronzeLog(context.storage).mark(order.dataset)
    requests = _Requests(context, dataset_of_name(order.dataset), mark, order.unseen)
    errors = _carry_out_all(requests, order)
    requests.commit()
    if errors:
        raise _worst(errors)
    return DeltaOutcome(replace(requests.figures, spans=len(order.spans)))


def _carry_out_all(requests: _Requests, order: DeltaOrder) -> list[LakehouseError]:
    errors: list[LakehouseError] = []
    with ThreadPoolExecutor(requests.context.settings.exchange.workers, "delta") as pool:
        futures: list[Future[None]] = [pool.submit(requests.carry_out, wanted) for wanted in order.spans]
        for done, future in enumerate(as_completed(futures), 1):
            try:
                future.result()
            except LakehouseError as error:
                errors.append(error)
                # A wrong name is a fault of one span: the others are carried out.
                if isinstance(error, PermanentError | RateLimited) and not isinstance(error, UnknownSymbol):
                    requests.stop.set()
            requests.context.progress("spans", done, len(futures))
    return errors


def _worst(errors: list[LakehouseError]) -> LakehouseError:
    permanent = [error for error in errors if isinstance(error, PermanentError)]
    return (permanent or errors)[0]
