"""The Great Expectations suite of a table, derived from its row.

GX judges a small table with one row of facts per partition, so that a whole batch of partitions needs one validation.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crypto_lakehouse.expectations import Expectation
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.quality.profile import Facts
from crypto_lakehouse.spec import Dataset, Table
from crypto_lakehouse.vocabulary import MergeStrategy

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a gate: the limits of a fact, and what is wrong where the fact exceeds them.

    Args:
        fact: Name of the fact.
        sentence: What is wrong, as a format string over the facts, `columns` and `limit`.
        degrades: True where a broken rule degrades the partition, False where it quarantines the partition.
        is_remark: True where a broken rule is only a note.
        minimum: The lowest sound value; None for no limit.
        maximum: The highest sound value; None for no limit.
        columns: The columns of the check.
        limit: The limit of the check.
    """

    fact: str
    sentence: str
    degrades: bool
    minimum: int | None = None
    maximum: int | None = 0
    columns: tuple[str, ...] = ()
    limit: float = 0.0
    is_remark: bool = False

    @classmethod
    def of(cls, expectation: Expectation) -> "Rule":
        """Returns the rule of an expectation."""
        definition = CHECKS[expectation.check]
        return cls(
            fact=definition.fact,
            sentence=definition.sentence,
            degrades=expectation.degrades,
            columns=expectation.columns,
            limit=expectation.limit,
            is_remark=expectation.is_remark,
        )

    def reason(self, facts: Facts) -> str:
        """Returns what is wrong with a partition that breaks the rule, beginning with the name of the fact.

        >>> rule = Rule("ids_missing", "{ids_missing} identifiers are missing between {rows} rows", degrades=True)
        >>> rule.reason({"ids_missing": 3, "rows": 100})
        'ids_missing: 3 identifiers are missing between 100 rows'
        """
        columns = ", ".join(self.columns)
        note = "note: " if self.is_remark else ""
        return f"{note}{self.fact}: {self.sentence.format(**facts, columns=columns, limit=self.limit)}"


_GENERAL = (
    # The first rule: without rows every other rule would pass.
    Rule("rows", "it has no rows", degrades=False, minimum=1, maximum=None),
    Rule("row_difference", "{row_difference} rows more or fewer than its manifest records", degrades=False),
    Rule("nulls", "{nulls} of {rows} rows have an empty column that must not be empty", degrades=False),
    Rule("inputs_refused", "{inputs_refused} of its objects were left out", degrades=True),
    Rule(
        "rows_refused",
        "rows that cannot be true and were set aside: {rows_refused}; the first: {rows_refused_first}",
        degrades=True,
    ),
    Rule(
        "known_faults_gone",
        "{known_faults_gone} known faults no longer show: remove them from known_faults.py",
        degrades=True,
    ),
)
_CONFLICTS = "{conflicts} rows of another object differed from the rows that were kept"
_CONTRADICTIONS = "{contradictions} rows repeat the key of a row of the same object and differ from it"


def rules(table: Table) -> list[Rule]:
    """Returns the rules of a table's gate; the row count is the first."""
    refuses = isinstance(table, Dataset) and table.merge is MergeStrategy.REFUSE_ON_CONFLICT
    conflicts = Rule("conflicts", _CONFLICTS, degrades=not refuses)
    contradictions = Rule("contradictions", _CONTRADICTIONS, degrades=not refuses)
    return [*_GENERAL, conflicts, contradictions, *map(Rule.of, table.expectations)]


def suite(table: Table) -> "ExpectationSuite":
    """Returns the rules of a table as a Great Expectations suite over the table of facts."""
    import great_expectations as gx
    from great_expectations.expectations import ExpectColumnValuesToBeBetween

    expectations: list[Any] = [
        ExpectColumnValuesToBeBetween(
            column=rule.fact,
            min_value=rule.minimum,
            max_value=rule.maximum,
            severity="info" if rule.is_remark else "warning" if rule.degrades else "critical",
            meta={"dataset": table.name},
        )
        for rule in rules(table)
    ]
    return gx.ExpectationSuite(name=table.name, expectations=expectations, meta={"dataset": table.name})
