"""The entries of the runbook (docs/runbook.md) that messages and pages lead to. Standard library only."""

from enum import StrEnum

from crypto_lakehouse.vocabulary import Step


class Entry(StrEnum):
    """An entry of the runbook; the value is the anchor of its heading."""

    STEP_FAILED = "a-step-failed"
    STEP_UNFINISHED = "a-step-did-not-finish"
    PARTITION_REFUSED = "a-partition-is-refused"
    PARTITION_HELD_BACK = "a-partition-is-held-back"
    OBJECT_REFUSED = "an-object-is-refused"
    REQUEST_INVALID = "a-request-is-not-valid"
    THING_MISSING = "something-that-was-asked-for-is-not-there"
    ARCHIVE_SILENT = "the-archive-does-not-answer"
    LISTING_SUSPECT = "the-listing-of-the-archive-is-suspect"
    EXCHANGE_REFUSES = "the-exchange-refuses-us"
    EXCHANGE_LIMITS = "the-exchange-asks-us-to-wait"
    EXCHANGE_SILENT = "the-exchange-does-not-answer"
    EXCHANGE_FORGETS = "the-exchange-no-longer-has-the-days"
    MACHINE_FULL = "no-space-memory-or-handles-are-left"
    PLACE_UNUSABLE = "a-file-or-folder-cannot-be-used"
    LIBRARY_MISSING = "a-library-is-missing"
    FILE_DAMAGED = "a-stored-file-is-damaged"
    LAKE_SILENT = "the-lake-does-not-answer"
    OBJECT_ARCHIVED = "an-object-lies-in-an-archive-tier"
    SCHEDULER_DEAD = "the-scheduler-is-dead"
    DATASET_LATE = "a-dataset-is-late"
    DAG_MISSING = "a-dag-is-missing"
    BUG = "an-error-of-the-program"


ENTRIES_OF_ERRORS = {
    "LakehouseError": Entry.STEP_FAILED,
    "TransientError": Entry.STEP_FAILED,
    "SourceUnavailable": Entry.LAKE_SILENT,
    "RateLimited": Entry.EXCHANGE_LIMITS,
    "ResourcesExhausted": Entry.MACHINE_FULL,
    "PermanentError": Entry.STEP_FAILED,
    "ArchiveFileMissing": Entry.THING_MISSING,
    "ChecksumMismatch": Entry.OBJECT_REFUSED,
    "HostileArchive": Entry.OBJECT_REFUSED,
    "DecoderMissing": Entry.OBJECT_REFUSED,
    "SchemaDrift": Entry.OBJECT_REFUSED,
    "ContentRefused": Entry.OBJECT_REFUSED,
    "ListingSuspect": Entry.LISTING_SUSPECT,
    "ExchangeRefused": Entry.EXCHANGE_REFUSES,
    "OutOfReach": Entry.EXCHANGE_FORGETS,
    "MissingExtra": Entry.LIBRARY_MISSING,
    "CorruptObject": Entry.FILE_DAMAGED,
    "ObjectArchived": Entry.OBJECT_ARCHIVED,
    "PlaceUnusable": Entry.PLACE_UNUSABLE,
    "InvalidRequest": Entry.REQUEST_INVALID,
    "UnknownSymbol": Entry.REQUEST_INVALID,
    "SpecificationError": Entry.DAG_MISSING,
    "TaskFailed": Entry.STEP_FAILED,
    "TaskFailedForGood": Entry.STEP_FAILED,
}
"""The entry of each class of errors, by its name."""

_SILENT = {
    **dict.fromkeys((Step.PLAN, Step.PULL), Entry.ARCHIVE_SILENT),
    **dict.fromkeys((Step.DELTA, Step.INSTRUMENTS), Entry.EXCHANGE_SILENT),
}


def entry_of(error: str, step: Step | None = None) -> Entry:
    """Returns the entry of an error. What is not an error of the lake is a bug.

    Args:
        error: The name of its class.
        step: The step that it ended: who did not answer depends on whom the step asks.

    >>> str(entry_of("SourceUnavailable", Step.PULL)), str(entry_of("KeyError"))
    ('the-archive-does-not-answer', 'an-error-of-the-program')
    """
    entry = ENTRIES_OF_ERRORS.get(error, Entry.BUG)
    return _SILENT.get(step, entry) if step and entry is Entry.LAKE_SILENT else entry


def entry_of_partition(reasons: str) -> Entry:
    """Returns the entry of a partition that was refused, by its reasons.

    >>> str(entry_of_partition("held back: readers would lose 1 days"))
    'a-partition-is-held-back'
    """
    return Entry.PARTITION_HELD_BACK if "held back: " in reasons else Entry.PARTITION_REFUSED


def see(entry: Entry) -> str:
    """Returns the sentence that leads to an entry.

    >>> see(Entry.EXCHANGE_REFUSES)
    'See docs/runbook.md#the-exchange-refuses-us'
    """
    return f"See docs/runbook.md#{entry}"


def with_entry(message: str, entry: Entry) -> str:
    """Returns a message that leads to an entry, unless it leads to one already."""
    return message if "docs/runbook.md#" in message else f"{message}\n{see(entry)}"
