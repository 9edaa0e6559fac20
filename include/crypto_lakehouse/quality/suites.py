"""The Great Expectations suite of a dataset, derived from its row.

GX judges a small table, one row of facts per partition, so that a whole batch of partitions costs one validation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crypto_lakehouse.quality.facts import FACT_OF_CHECK
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import MergeStrategy

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation on the fact table: a fact's bounds, both inclusive, and what breaking it means."""

    fact: str
    degrades: bool
    minimum: int | None = None
    maximum: int | None = 0


_ALWAYS = (
    # First of all: without rows every other rule would pass.
    Rule("rows", degrades=False, minimum=1, maximum=None),
    Rule("row_difference", degrades=False),
    Rule("nulls", degrades=False),
    Rule("inputs_refused", degrades=True),
    Rule("known_faults_gone", degrades=True),
)


def rules(table: Table) -> list[Rule]:
    """Returns the rules of a dataset's gate, the row count first."""
    own = [Rule(FACT_OF_CHECK[one.check], one.degrades) for one in table.expectations]
    refuses = isinstance(table, Dataset) and table.merge is MergeStrategy.REFUSE_ON_CONFLICT
    conflicts = Rule("conflicts", degrades=not refuses)
    return [*_ALWAYS, conflicts, *own]


def suite(table: Table) -> "ExpectationSuite":
    """Returns the dataset's rules as a Great Expectations suite over the fact table."""
    import great_expectations as gx
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    expectations: list[Any] = [
        ExpectColumnValuesToBeBetween(
            column=rule.fact,
            min_value=rule.minimum,
            max_value=rule.maximum,
            severity="warning" if rule.degrades else "critical",
            meta={"dataset": table.name},
        )
        for rule in rules(table)
    ]
    return gx.ExpectationSuite(name=table.name, expectations=expectations, meta={"dataset": table.name})
