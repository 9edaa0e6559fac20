"""The verdict log: the verdict of the gate on every candidate. The catalog can be rebuilt from it."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class History:
    """Which version of each partition readers saw when, by a verdict log.

    People ask about a time, so the recorded times of the verdicts answer. Of several verdicts that were recorded by
    then, the last one in the log counts, as it does for readers.

    Args:
        publishable: The verdicts that let a version be published, in the order of the log.
        complete_since: From when on the log is complete; None if it never lost a verdict.
    """

    publishable: pl.DataFrame
    complete_since: datetime | None

    def at(self, instant: datetime) -> dict[str, LoggedVerdict]:
        """Returns the verdict on the version that readers saw at an instant, of each partition that they saw."""
        return _by_partition(self.publishable.filter(pl.col("at") <= instant))

    def seen_until(self) -> dict[str, datetime | None]:
        """Returns until when readers saw each version, by its file; None for the newest version of a partition."""
        # A clock that was ahead or behind does not disturb this: it is the same rule as in `at`.
        until = pl.col("at").cum_min(reverse=True).shift(-1).over("partition")
        seen = self.publishable.with_columns(until.alias("until")).filter(
            pl.col("until").is_null() | (pl.col("until") > pl.col("at"))
        )
        # The same bytes may have been published several times.
        is_newest, last = pl.col("until").is_null().any(), pl.col("until").max()
        per_file = seen.group_by("file").agg(pl.when(is_newest).then(None).otherwise(last).alias("until"))
        return dict(per_file.iter_rows())

    def reach(self, stored: Collection[str]) -> datetime | None:
        """Returns the earliest instant since when every version that readers saw is kept; None if all are kept.

        Args:
            stored: The files of the versions that are kept.
        """
        gone = [until for file, until in self.seen_until().items() if until is not None and file not in stored]
        limits = [*gone, *([self.complete_since] if self.complete_since else [])]
        return max(limits, default=None)


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
        return _by_partition(_publishable(self._log(table).read(skip_damage=skip_damage)))

    def history(self, table: Table) -> History:
        """Returns which version of each partition readers saw when.

        Raises:
            CorruptObject: The log is damaged.
        """
        log = self._log(table)
        # Before the rows: a verdict that is appended meanwhile is no lost one.
        head = log.head()
        rows = log.read()
        lost = max(set(range(1, head + 1)) - set(rows[SEQUENCE]), default=0)
        return History(_publishable(rows), _complete_since(rows, lost) if lost else None)

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


def _complete_since(rows: pl.DataFrame, lost: int) -> datetime | None:
    """Returns since when the rows tell what readers saw, although the commit with the number `lost` has no rows."""
    # A repair restores what readers saw last, and nothing that they saw before.
    restored = rows.filter(pl.col(SEQUENCE) < lost)["at"].max()
    return restored or rows["at"].min()  # type: ignore[return-value]


def _publishable(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(
        pl.col("condition").is_in([condition.value for condition in Condition if condition.is_published])
    )


def _by_partition(rows: pl.DataFrame) -> dict[str, LoggedVerdict]:
    # In the order of commits: no clock decides what is the newest.
    newest = rows.filter(pl.col("partition").is_last_distinct()).sort("partition")
    return {row["partition"]: _logged(row) for row in newest.iter_rows(named=True)}


def _logged(row: dict[str, object]) -> LoggedVerdict:
    candidate = Candidate(**{name: row[name] for name in Candidate.__slots__})  # type: ignore[arg-type]
    verdict = Verdict(candidate, Condition(str(row["condition"])), tuple(json.loads(str(row["reasons"]))))
    return LoggedVerdict(verdict, str(row["run_id"]), row["at"])  # type: ignore[arg-type]
