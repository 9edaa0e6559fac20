"""What can be wrong with the files of a lake: one record per file, with what to do."""

from dataclasses import dataclass
from enum import StrEnum


class FileKind(StrEnum):
    """The kinds of files of a lake, by what they hold and by how they heal."""

    BRONZE_OBJECT = "bronze object"
    """The newest version of an archive object."""
    BRONZE_ANSWER = "bronze answer"
    """The newest version of the answers of an exchange."""
    PUBLISHED = "published version"
    """The file that readers see of a partition."""
    FORMER = "former version"
    """A version of an object or a partition that is not the newest one, or that never became part of the lake."""
    LOG = "log"
    """A file of a log: Bronze, quarantine, verdicts, coverage, instruments."""
    CATALOG = "catalog"
    """An entry of the catalog, or its file."""
    EVIDENCE = "evidence"
    """A work order, a result, or what a gate or a report left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is missing or damaged.

    Args:
        kind: The kind of the file.
        table: The dataset, mart or market that it belongs to; empty for the whole lake.
        partition: The partition or object; empty where it is about neither.
        file: The key of the file in the lake.
        what: What is wrong with it.
        action: What to do.
    """

    kind: FileKind
    table: str
    partition: str
    file: str
    what: str
    action: str

    def __str__(self) -> str:
        """One line: kind, table, partition, file, what is wrong, what to do."""
        return f"{self.place} {self.what}. {self.action}"

    @property
    def place(self) -> str:
        """Kind, table, partition and file in words."""
        about = " ".join(part for part in (self.table, self.partition) if part)
        return ": ".join(part for part in (self.kind.value, about, self.file) if part)


REPAIR = "Run `crypto-lakehouse catalog verify --repair`"
REPAIR_DEEP = "Run `crypto-lakehouse catalog verify --deep --repair`"
"""For what is seen in the bytes of a file alone: a repair that does not read them finds nothing to mend."""
INGEST = "Run `crypto-lakehouse ingest` for its days: it is brought again"
REBUILD = "Run `crypto-lakehouse catalog rebuild`"
