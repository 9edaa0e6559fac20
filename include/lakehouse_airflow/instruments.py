"""What the weekly DAG of instruments does for one market."""

from crypto_lakehouse.vocabulary import Market
from lakehouse_airflow.errors import translated_errors


def update_market(market: str) -> dict[str, int]:
    """Brings one market's instrument master up to date; returns what is new.

    Raises:
        AirflowException: Trying again may help.
        AirflowFailException: It cannot be, and trying again changes nothing.
    """
    # The engines are loaded where the task runs, not where the DAG file is parsed.
    from crypto_lakehouse.instruments.fetching import fetch_exchange_info
    from crypto_lakehouse.instruments.updating import update_instruments
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    with translated_errors():
        settings, chosen = load_settings(), Market(market)
        bodies = fetch_exchange_info(chosen, settings)
        found = update_instruments(chosen, settings, storage=open_storage(settings), bodies=bodies)
    return {"instruments": found.instruments, "added": found.added, "changed": found.changed, "removed": found.removed}
