"""The entries of the runbook (docs/runbook.md) that messages and pages lead to. Standard library only."""

from enum import StrEnum


class Entry(StrEnum):
    """An entry of the runbook; the value is the anchor of its heading."""

    STEP_FAILED = "a-step-failed"
    PARTITION_REFUSED = "a-partition-is-refused"
    OBJECT_REFUSED = "an-object-is-refused"
    EXCHANGE_REFUSES = "the-exchange-refuses-us"
    EXCHANGE_LIMITS = "the-exchange-asks-us-to-wait"
    EXCHANGE_SILENT = "the-exchange-does-not-answer"


def see(entry: Entry) -> str:
    """Returns the sentence that leads to an entry.

    >>> see(Entry.EXCHANGE_REFUSES)
    'See docs/runbook.md#the-exchange-refuses-us'
    """
    return f"See docs/runbook.md#{entry}"
