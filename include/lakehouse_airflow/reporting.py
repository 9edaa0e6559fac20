"""The end of a run: its report, one message that names all that was refused or failed, and the Asset's event."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from airflow.sdk import BaseOperator, BaseOperatorLink, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from crypto_lakehouse.counting import several
from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.runbook import Entry, entry_of_partition, see, with_entry
from crypto_lakehouse.runs.figures import RunFigures
from crypto_lakehouse.runs.history import read_run
from crypto_lakehouse.runs.orders import PlanRequest, first_order_key, read_order
from crypto_lakehouse.runs.outcomes import ReportOutcome
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.errors import told_in_one_message, translated_errors
from lakehouse_airflow.operators import RunOperator, current_settings
from lakehouse_airflow.pages import RUN_ROUTE, base_path
from lakehouse_airflow.run_notes import NOTE_KEY, note_of

MAX_LINES = 10
"""Refused parts and failed steps of a kind that a message names. The report names all."""
MAX_LINE_CHARACTERS = 400


def report_path(dag_id: str, run_id: str) -> str:
    """Returns the path of the tab with a run's report in Airflow's UI.

    >>> report_path("binance_um_klines", "manual__2025-01-01T00:00:00+00:00")
    '/dags/binance_um_klines/runs/manual__2025-01-01T00%3A00%3A00%2B00%3A00/plugin/lakehouse-run-report'
    """
    return f"{base_path()}/dags/{quote(dag_id, safe='')}/runs/{quote(run_id, safe='')}/plugin/{RUN_ROUTE}"


class ReportLink(BaseOperatorLink):
    """The button on a `report` task that opens the report of its run."""

    name = "Quality report"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Returns the path of the tab."""
        return report_path(ti_key.dag_id, ti_key.run_id)


class ReportOperator(RunOperator):
    """Writes the run's report; fails with one message if anything was refused or failed, after all else was published.

    Args:
        dataset: Name of the dataset.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = (ReportLink(),)

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        super().__init__(step=Step.REPORT, subject=dataset, **kwargs)

    def _prepare(self, context: Context) -> None:
        try:
            super()._prepare(context)
            with translated_errors():
                read_order(open_storage(current_settings()), self._order_key(context), PlanRequest)
        except AirflowFailException as error:
            message = with_entry(f"{self.subject}: nothing was planned: {error}", Entry.STEP_FAILED)
            context["ti"].xcom_push(key=NOTE_KEY, value=note_of(message))
            raise AirflowFailException(message) from None

    def _finished(self, result: StepResult[Any], context: Context) -> Any:
        outcome: ReportOutcome = result.completed()
        message = run_message(self.subject, outcome)
        context["ti"].xcom_push(key=NOTE_KEY, value=note_of(message))
        if outcome.failed or outcome.has_refusals:
            raise AirflowFailException(message)
        return outcome.figures.counts()


class AnnounceOperator(BaseOperator):
    """Sends the Asset's event for what a run published, also where steps failed; is skipped if nothing was.

    Args:
        dataset: Name of the dataset.
    """

    def __init__(self, *, dataset: str, **kwargs: Any) -> None:
        doc = "Tell readers of the Asset that partitions were published; skipped if none was."
        super().__init__(**{"doc_md": doc, **kwargs})
        self.dataset = dataset

    def execute(self, context: Context) -> dict[str, int]:
        """Returns the figures of the run.

        Raises:
            AirflowSkipException: The run published nothing.
            TaskFailed: The lake did not answer.
            TaskFailedForGood: The run's files are damaged.
        """
        with told_in_one_message():
            with translated_errors():
                figures = self._figures(context)
            if not figures.publish.partitions_published:
                raise AirflowSkipException("nothing was published")
            for outlet in self.outlets:
                context["outlet_events"][outlet].extra = {**figures.counts()}
            return figures.counts()

    def _figures(self, context: Context) -> RunFigures:
        key = first_order_key(Step.PLAN, self.dataset, context["dag_run"].run_id)
        try:
            return read_run(open_storage(current_settings()), key).figures
        except ArchiveFileMissing:
            # Nothing was planned.
            return RunFigures()


def run_message(dataset: str, outcome: ReportOutcome) -> str:
    """Returns what came of a run: the figures, each refused part and failed step, the report, and what to do."""
    kinds = (
        ("Partition refused", [(part, entry_of_partition(part)) for part in outcome.refused_partitions]),
        ("Object refused", [(part, Entry.OBJECT_REFUSED) for part in outcome.refused_objects]),
        ("Step failed", [(str(failed), failed.entry) for failed in outcome.failed]),
    )
    red = [_count(len(parts), kind) for kind, parts in kinds if parts]
    published = outcome.figures.publish
    done = f"{_count(published.partitions_published, 'partition')} and {published.rows_published:,} rows published"
    lines = [f"{dataset}: {'; '.join([*red, done])}"]
    for kind, parts in kinds:
        shown = [f"{kind}: {_line(part)}" for part, _ in parts[:MAX_LINES]]
        more = [f"and {len(parts) - MAX_LINES:,} more; see the report"] if len(parts) > MAX_LINES else []
        links = dict.fromkeys(see(entry) for _, entry in parts)
        lines += [*shown, *more, *(link for link in links if not any(link in line for line in shown))]
    return "\n".join([*lines, f"Report: {outcome.report}"])


def _count(number: int, kind: str) -> str:
    """Returns a number of things.

    >>> _count(2, "Partition refused"), _count(1, "Step failed"), _count(0, "partition")
    ('2 partitions refused', '1 step failed', '0 partitions')
    """
    noun, space, rest = kind.lower().partition(" ")
    return f"{several(number, noun)}{space}{rest}"


def _line(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= MAX_LINE_CHARACTERS else f"{flat[: MAX_LINE_CHARACTERS - 1]}…"
