"""What a lake found wrong with its sources: partitions with reasons, and the command that shows more."""

import shlex
from collections import Counter
from collections.abc import Iterable

from crypto_lakehouse.demo.requests import BROKEN
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Verdict
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.lake.verdicts import LoggedVerdict, VerdictLog
from crypto_lakehouse.marts import table
from crypto_lakehouse.vocabulary import Condition

_SHOWN = 3
"""Partitions of a dataset that are listed one by one."""
_CONSEQUENCES = {
    Condition.DEGRADED: "degraded: readers see its {rows:,} rows, and the reason",
    Condition.QUARANTINED: "quarantined: readers keep the previous version, if there is one",
}


def findings(storage: Storage, datasets: Iterable[str], start: str) -> list[str]:
    """Returns lines about the partitions of datasets that are degraded or quarantined. They are empty if none is.

    Args:
        storage: The lake.
        datasets: Names of datasets.
        start: The start of a command line: `crypto-lakehouse query`, with the lake.
    """
    lines: list[str] = []
    for name in datasets:
        lines += _dataset_lines(name, VerdictLog(storage).latest(table(name)), start)
    if any(BROKEN.key in line for line in lines):
        lines.append("The synthetic archive has this fault on purpose.")
    return lines


def _dataset_lines(name: str, verdicts: dict[str, LoggedVerdict], start: str) -> list[str]:
    notable = {
        partition: logged.verdict
        for partition, logged in sorted(verdicts.items())
        if logged.verdict.condition in _CONSEQUENCES
    }
    if not notable:
        return []
    counts = Counter(logged.verdict.condition for logged in verdicts.values())
    figures = ", ".join(f"{counts[condition]} {condition}" for condition in Condition if counts[condition])
    lines = [f"{name}: of its partitions {figures}"]
    for partition, verdict in list(notable.items())[:_SHOWN]:
        consequence = _CONSEQUENCES[verdict.condition].format(rows=verdict.candidate.rows)
        lines += [f"  {partition} is {consequence}", *(f"    {reason}" for reason in verdict.reasons)]
    if len(notable) > _SHOWN:
        lines.append(f"  and {len(notable) - _SHOWN} more")
    return [*lines, f"  {start} {_shown_by(name, notable)}"]


def _shown_by(name: str, notable: dict[str, Verdict]) -> str:
    """Returns the command that shows why the partitions are not as they should be."""
    partitions = [Partition.parse(name, partition) for partition in notable]
    symbols = " ".join(shlex.quote(symbol) for symbol in sorted({partition.symbol for partition in partitions}))
    if any(reason.startswith("rows_refused:") for verdict in notable.values() for reason in verdict.reasons):
        return f"refused-rows --data-type {name} --symbols {symbols}"
    first, last = min(one.first_day for one in partitions), max(one.last_day for one in partitions)
    return f"coverage --data-type {name} --symbols {symbols} --start-date {first} --end-date {last}"
