"""The runs of a table, in their order."""

from itertools import islice

import polars as pl

from crypto_lakehouse import telemetry
from crypto_lakehouse.errors import PermanentError
from crypto_lakehouse.lake.log import AppendLog
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.runs.history import RunRecord, read_run
from crypto_lakehouse.telemetry import Level


def run_log(storage: Storage, subject: str) -> AppendLog:
    """Returns the log of the runs of a table, which has their order: a commit for each plan that was started."""
    return AppendLog(storage, f"runs/{subject}/log/", pl.Schema({"plan_key": pl.String()}))


def list_runs(storage: Storage, subject: str, limit: int) -> list[RunRecord]:
    """Returns the runs of a table, newest first; runs that were ordered and not started yet come before all others.

    A run whose order is damaged or of another version is left out, with a warning in the log of the process.

    Args:
        storage: The lake.
        subject: The table's name.
        limit: How many runs at most.

    Raises:
        LakehouseError: The lake did not answer.
    """
    ordered = {stored.key for stored in storage.list(f"runs/{subject}/") if stored.key.endswith("/plan.json")}
    started = run_log(storage, subject).read(skip_damage=True)["plan_key"].unique(maintain_order=True).reverse()
    plan_keys = [*sorted(ordered.difference(started)), *(key for key in started if key in ordered)]
    runs = (run for key in plan_keys if (run := _readable_run(storage, key)) is not None)
    return list(islice(runs, limit))


def _readable_run(storage: Storage, plan_key: str) -> RunRecord | None:
    try:
        return read_run(storage, plan_key)
    except PermanentError as error:
        telemetry.event("run_not_readable", Level.WARNING, file=plan_key, error=type(error).__name__)
        return None
