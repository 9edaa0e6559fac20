"""The instruments step: the instrument master of one market, brought up to date."""

from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.instruments.exchange_info import ExchangeInfoBody, server_time
from crypto_lakehouse.instruments.fetching import fetch_exchange_info
from crypto_lakehouse.instruments.updating import update_instruments
from crypto_lakehouse.runs.figures import InstrumentsFigures
from crypto_lakehouse.runs.orders import InstrumentsOrder
from crypto_lakehouse.runs.outcomes import InstrumentsOutcome
from crypto_lakehouse.steps.context import StepContext


def instruments(context: StepContext, order: InstrumentsOrder) -> InstrumentsOutcome:
    """Lists the archive, takes the exchange's own list of instruments, and adds a version of the master if it changed.

    Raises:
        LakehouseError: The archive or the exchange did not answer, or the archive lists fewer symbols than before.
    """
    bodies = [_given_body(context, order, key) for key in order.exchange_info]
    if order.ask and not bodies:
        bodies = fetch_exchange_info(order.market, context.settings)
    update = update_instruments(
        order.market, context.settings, storage=context.storage, bodies=bodies, progress=context.progress
    )
    figures = InstrumentsFigures(
        symbols=update.symbols,
        instruments=update.instruments,
        added=update.added,
        removed=update.removed,
        changed=update.changed,
        exchange_info_rows=update.exchange_info_rows,
    )
    return InstrumentsOutcome(figures, update.is_new_version)


def _given_body(context: StepContext, order: InstrumentsOrder, key: str) -> ExchangeInfoBody:
    text = context.storage.read(key).decode()
    # The answer may be old: it contains the exchange's own time.
    return ExchangeInfoBody(text, server_time(text, order.market) or utc_now())
