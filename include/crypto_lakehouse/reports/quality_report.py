"""The quality report: one HTML file that needs no network, for a run or for a whole lake."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.coverage.log import CoverageFrames
from crypto_lakehouse.reports.calendar_page import LEGEND
from crypto_lakehouse.reports.coverage_tables import CoveragePart, coverage_part
from crypto_lakehouse.reports.rendering import render
from crypto_lakehouse.runbook import Entry, entry_of_partition
from crypto_lakehouse.vocabulary import Condition

_MEANINGS = {
    Condition.AVAILABLE: "passed every check",
    Condition.DEGRADED: "readable, with reasons",
    Condition.QUARANTINED: "rejected; readers keep the previous version",
    Condition.EMPTY: "valid objects without rows",
}
Facts = Sequence[tuple[str, str]]
"""Names with their values."""
_QUIET = (Condition.AVAILABLE, Condition.EMPTY)


@dataclass(frozen=True, slots=True)
class PartitionLine:
    """One partition in the report: its name, rows, condition and the reasons for it."""

    name: str
    rows: int
    condition: Condition
    reasons: tuple[str, ...] = ()

    @property
    def is_notable(self) -> bool:
        """Whether the report lists it: it has reasons, or its condition is neither available nor empty."""
        return bool(self.reasons) or self.condition not in _QUIET


@dataclass(frozen=True, slots=True)
class DatasetSection:
    """One dataset in the report.

    Args:
        dataset: Name of the dataset.
        objects: Number of archive objects that were pulled.
        bytes: Size of the pulled objects.
        seconds: Wall time of all steps.
        partitions: Its partitions.
        refused: Objects that were left out or quarantined, with reasons.
        docs: Links to the Data Docs of Great Expectations, relative to the report.
        requests: Number of requests to the exchange.
        coverage: What is known about its days.
        failed: Steps that failed or did not finish, with reasons.
    """

    dataset: str
    objects: int
    bytes: int
    seconds: float
    partitions: tuple[PartitionLine, ...]
    refused: tuple[str, ...] = ()
    docs: tuple[str, ...] = ()
    requests: int = 0
    coverage: CoverageFrames | None = None
    failed: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of its partitions that are published."""
        return sum(partition.rows for partition in self.partitions if partition.condition.is_published)

    @property
    def notable_partitions(self) -> list[PartitionLine]:
        """The partitions that the report lists by name."""
        return [partition for partition in self.partitions if partition.is_notable]

    @property
    def refusal_entries(self) -> list[Entry]:
        """The entries of the runbook about its refused partitions, each once."""
        refused = [each.reasons for each in self.partitions if each.condition is Condition.QUARANTINED]
        return list(dict.fromkeys(entry_of_partition("; ".join(reasons)) for reasons in refused))

    def count(self, condition: Condition) -> int:
        """Returns how many partitions ended in a condition."""
        return sum(partition.condition is condition for partition in self.partitions)

    def coverage_part(self) -> CoveragePart | None:
        """Returns what its section shows about coverage."""
        return None if self.coverage is None else coverage_part(self.coverage)


def quality_report(title: str, about: Facts, sections: Sequence[DatasetSection]) -> str:
    """Returns the report as HTML; every value is escaped.

    Args:
        title: What it is about.
        about: The facts at its top, in their order: the run, the lake, the date.
        sections: The datasets.
    """
    totals = Counter(partition.condition for section in sections for partition in section.partitions)
    return render(
        "quality_report.html.j2",
        title=title,
        about=about,
        sections=sections,
        tiles=[(condition, totals[condition], _MEANINGS[condition]) for condition in Condition],
        legend=LEGEND,
        runbook=Entry,
    )


def write_report(path: Path, title: str, about: Facts, sections: Sequence[DatasetSection]) -> None:
    """Writes the report to a file, and creates the folder of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(quality_report(title, about, sections), encoding="utf-8")
