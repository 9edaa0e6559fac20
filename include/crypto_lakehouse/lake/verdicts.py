"""The verdict log: the verdict of the gate on every candidate. The catalog can be rebuilt from it."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import polars as pl

from crypto_lakehouse.lake.log import SEQUENCE, AppendLog
from crypto_lakehouse.lake.partition import table_folder
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.spec import Table
from crypto_lakehouse.vocabulary import Condition

_TIME = pl.Datetime("us", "UTC")
_SCHEMA = pl.Schema(
    {
        "dataset": pl.String(),
        "partition": pl.String(),
        "location": pl.String(),
        "file": pl.String(),
        "sha256": pl.String(),
        "bytes": pl.Int64(),
        "rows": pl.Int64(),
        "inputs_digest": pl.String(),
        "first_time": _TIME,
        "last_time": _TIME,
        "condition": pl.String(),
        "reasons": pl.String(),
        "run_id": pl.String(),
        "at": _TIME,
    }
)


class LoggedVerdict(NamedTuple):
    """A verdict, the run that brought it, and when."""

    verdict: Verdict
    run_id: str
    at: datetime


class VerdictLog:
    """Every verdict of the lake, a log per table."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def head(self, table: Table) -> int:
        """Returns the number of the newest commit of the table's log."""
        return self._log(table).head()

    def append(
        self, table: Table, run_id: str, verdicts: Sequence[Verdict], at: datetime, since: int | None = None
    ) -> set[str]:
        """Records the verdicts of a batch, all or none, and returns the partitions that another run has judged.

        Args:
            table: The table.
            run_id: The run.
            verdicts: The verdicts.
            at: The time, for people: the order of the log decides which verdict is the newest.
            since: The number of the newest commit when the run looked at the inputs; the newest one by default. A
                partition that got another verdict since then is left out.
        """
        mark = self.head(table) if since is None else since
        rows = pl.DataFrame([_row(verdict, run_id, at) for verdict in verdicts], schema=_SCHEMA)
        return self._log(table).append_unless_overtaken(rows, "partition", mark)

    def latest(self, table: Table) -> dict[str, LoggedVerdict]:
        """Returns the newest verdict of every partition that has one.

        A partition whose verdict is lost by damage is judged again.
        """
        return _by_partition(self._log(table).read(skip_damage=True))

    def latest_publishable(self, table: Table, *, skip_damage: bool = False) -> dict[str, LoggedVerdict]:
        """Returns the newest verdict of every partition that let it be published.

        Args:
            table: The table.
            skip_damage: Whether to take the newest sound verdict where files of the log are damaged.

        Raises:
            CorruptObject: The log is damaged: an older verdict could pass for the newest.
        """
        rows = self._log(table).read(skip_damage=skip_damage)
        return _by_partition(
            rows.filter(
                pl.col("condition").is_in([condition.value for condition in Condition if condition.is_published])
            )
        )

    def versions(self, table: Table) -> set[tuple[str, str]]:
        """Returns partition and sha256 of every verdict that can be read, old and new."""
        return set(self._log(table).read(skip_damage=True).select("partition", "sha256").iter_rows())

    def compact(self, table: Table) -> int:
        """Folds the table's log into one file where it has grown; returns how many files were replaced."""
        return self._log(table).compact()

    def restore(self, table: Table, verdicts: Sequence[LoggedVerdict] = ()) -> None:
        """Replaces a damaged log by its valid rows and by verdicts that were found elsewhere, which are the newest.

        Args:
            table: The table.
            verdicts: The newest verdicts of partitions of which the log has none, or an older one.
        """
        restored_rows = pl.DataFrame([_row(*logged) for logged in verdicts], schema=_SCHEMA)

        def restored(rows: pl.DataFrame) -> pl.DataFrame:
            newest = rows.select(pl.col(SEQUENCE).max()).item() or 0
            return pl.concat([rows, restored_rows.with_columns(pl.lit(newest, pl.Int64()).alias(SEQUENCE))])

        self._log(table).rewrite(restored)

    def _log(self, table: Table) -> AppendLog:
        return AppendLog(self._storage, f"{table_folder(table)}/verdicts/", _SCHEMA)


def _row(verdict: Verdict, run_id: str, at: datetime) -> dict[str, object]:
    candidate = {name: getattr(verdict.candidate, name) for name in Candidate.__slots__}
    reasons = json.dumps(verdict.reasons, ensure_ascii=False)
    return {**candidate, "condition": verdict.condition.value, "reasons": reasons, "run_id": run_id, "at": at}


def _by_partition(rows: pl.DataFrame) -> dict[str, LoggedVerdict]:
    # In the order of commits: no clock decides what is the newest.
    newest = rows.filter(pl.col("partition").is_last_distinct()).sort("partition")
    return {row["partition"]: _logged(row) for row in newest.iter_rows(named=True)}


def _logged(row: dict[str, object]) -> LoggedVerdict:
    candidate = Candidate(**{name: row[name] for name in Candidate.__slots__})  # type: ignore[arg-type]
    verdict = Verdict(candidate, Condition(str(row["condition"])), tuple(json.loads(str(row["reasons"]))))
    return LoggedVerdict(verdict, str(row["run_id"]), row["at"])  # type: ignore[arg-type]
