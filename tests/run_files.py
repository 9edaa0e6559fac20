"""Runs as they lie in a lake, written without the pipeline: orders, results, reports and Data Docs."""

from dataclasses import dataclass

from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.quality.data_docs import self_contained
from crypto_lakehouse.reports.quality_report import DatasetSection, quality_report
from crypto_lakehouse.runs.figures import PlanFigures, PublishFigures, RunFigures
from crypto_lakehouse.runs.history import report_key
from crypto_lakehouse.runs.orders import PlanRequest, first_order_key, write_order
from crypto_lakehouse.runs.outcomes import FailedStep, Outcome, PlanOutcome, ReportOutcome
from crypto_lakehouse.runs.results import Status, StepError, StepResult, result_key, write_result
from crypto_lakehouse.vocabulary import Step
from tests.step_results import STARTED

KLINES, TRADES = "binance_um_klines", "binance_um_trades"
DOCS = "transform-000/data_docs"
GX_INDEX = '<head><script src="https://unpkg.com/x.js"></script></head><body><p>Data Docs</p></body>'
PUBLISHED = RunFigures(publish=PublishFigures(partitions_published=2, rows_published=1_440))
GREEN = ReportOutcome(PUBLISHED, "report.html")
REFUSED = ReportOutcome(
    PUBLISHED, "report.html", refused_partitions=("symbol_key=A: high below low",), refused_objects=("a.zip: odd",)
)
RED = ReportOutcome(
    PUBLISHED, "report.html", failed=(FailedStep(Step.DELTA, "delta-000.json", "451", "ExchangeRefused"),)
)


@dataclass(frozen=True)
class RunFiles:
    """Writes runs of a table into a lake."""

    storage: Storage
    table: str = KLINES

    def ordered(self, run_id: str) -> str:
        """Orders a run, and returns the key of its plan."""
        key = first_order_key(Step.PLAN, self.table, run_id)
        write_order(self.storage, key, PlanRequest(self.table, run_id, "2025-01-01", "2025-01-02"))
        return key

    def planned(self, run_id: str, status: Status = Status.SUCCEEDED, still_refused: int = 0) -> str:
        """Plans a run."""
        key = self.ordered(run_id)
        error = StepError("SourceUnavailable", "the bucket did not answer") if status is Status.FAILED else None
        self._write(
            key,
            Step.PLAN,
            run_id,
            status,
            None if error else PlanOutcome(PlanFigures(objects_known_bad=still_refused)),
            error,
        )
        return key

    def reported(self, run_id: str, outcome: ReportOutcome = GREEN) -> str:
        """Ends a run with its report and Data Docs."""
        key = self.planned(run_id)
        self._write(key, Step.REPORT, run_id, Status.SUCCEEDED, outcome)
        section = DatasetSection(self.table, 1, 1, 1.0, (), docs=(f"{DOCS}/index.html",))
        page = quality_report(f"{self.table}, a day", [("Run", run_id)], [section])
        self.storage.write(report_key(key), page.encode())
        folder = report_key(key).rpartition("/")[0]
        self.storage.write(f"{folder}/{DOCS}/index.html", self_contained(GX_INDEX).encode())
        return key

    def damaged(self, run_id: str) -> None:
        """Ends a run whose result is not what was written."""
        self.storage.write(result_key(self.reported(run_id), Step.REPORT), b"{}")

    def _write(
        self, key: str, step: Step, run_id: str, status: Status, outcome: Outcome | None, error: StepError | None = None
    ) -> None:
        write_result(self.storage, key, StepResult(step, self.table, run_id, status, STARTED, 0.5, outcome, error))
