"""The colour of each condition, the same on every page, picture and list: one colour has one meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.vocabulary import Condition, DayCondition


@dataclass(frozen=True, slots=True)
class Look:
    """The colour of a meaning, and whether text on it is light."""

    colour: str
    is_dark: bool


# From the palette of Okabe and Ito, but for the second: distinct for every kind of colour vision, and in greyscale.
SOUND = Look("#0072b2", is_dark=True)
REFUSED = Look("#8b1a3a", is_dark=True)
"""What was there was not let through."""
REMARKS = Look("#f0e442", is_dark=False)
ABSENT = Look("#d55e00", is_dark=True)
"""What should be there is not."""
NOTHING = Look("#c4cad2", is_dark=False)
"""Nothing is there, and nothing is wrong."""

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        Condition.AVAILABLE.value: SOUND,
        Condition.DEGRADED.value: REMARKS,
        Condition.QUARANTINED.value: REFUSED,
        Condition.EMPTY.value: NOTHING,
        DayCondition.PENDING.value: NOTHING,
        DayCondition.MISSING.value: ABSENT,
        RunStatus.SUCCEEDED.value: SOUND,
        RunStatus.FAILED.value: ABSENT,
        RunStatus.NOTHING_TO_DO.value: NOTHING,
    }
)
"""The look of each condition of a partition, of a day and of a run, by its word: equal words have equal looks."""
