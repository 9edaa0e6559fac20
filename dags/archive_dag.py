"""From the exchange's public archive to gated Silver, one DAG per dataset.

**What it does.** `plan` compares the bucket with the lake, `pull` brings what is new, `conform` builds partitions from
it, `gate` judges and `publish` shows them, `report` writes the quality report and announces the Asset.

**When it fails.** A red `pull` or `plan` that was retried: the archive or the network; later runs catch up by
themselves. A red `raise_quarantine`: something was published upstream that the gate refuses; readers keep the former
version, the report says why, and the next run leaves it alone until the exchange replaces it.

**How to rerun.** Clear the run, trigger it with days in its Params, or backfill: every step may be repeated.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, Param, TriggerRule, task, task_group

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.schedule import cron
from crypto_lakehouse.settings import default_profiles
from crypto_lakehouse.spec import Dataset
from lakehouse_steps import PlanOperator, ReportOperator, StepOperator, log_failure, raise_quarantine, transform_batches

DEFAULTS = {
    "owner": "lakehouse",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    "on_failure_callback": log_failure,
}


def run_params(row: Dataset) -> dict[str, Param]:
    """Returns the choices of a run; what is left empty comes from the data interval and the configuration."""
    day: Any = {"type": ["null", "string"], "format": "date"}
    names: Any = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    intervals = {"intervals": Param([], description="Kline intervals", **names)} if row.has_interval else {}
    return {
        "symbols": Param([], description="Symbols or globs, such as BTCUSDT or BTC*; empty: as configured", **names),
        **intervals,
        "start_date": Param(None, description="First UTC day; empty: the data interval's", **day),
        "end_date": Param(None, description="Last UTC day, inclusive", **day),
        "profile": Param(None, enum=[None, *sorted(default_profiles())], description="How hard to pull"),
    }


def archive_dag(row: Dataset) -> DAG:
    """Returns the DAG of a dataset."""
    with DAG(
        dag_id=row.name,
        schedule=CronDataIntervalTimetable(cron(row), timezone="UTC"),
        start_date=datetime(2017, 8, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=2,
        default_args=DEFAULTS,
        params=run_params(row),
        tags=["silver", row.exchange.value, row.market.value, row.data_type.slug],
        doc_md=f"# {row.description}\n\nArchive: {row.state}.\n\n{__doc__}",
    ) as dag:
        plan = PlanOperator(task_id="plan", dataset=row.name, pool="exchange")
        pull = StepOperator.partial(task_id="pull", step="pull", pool="exchange").expand(work_order=plan.output)
        batches = task(transform_batches)(plan.output["transform"])

        @task_group(group_id="transform")
        def transform(work_order: str) -> None:
            at_rest = {"work_order": work_order, "pool": "heavy"}
            conform = StepOperator(task_id="conform", step="conform", trigger_rule=TriggerRule.NONE_FAILED, **at_rest)
            gate = StepOperator(task_id="gate", step="gate", **at_rest)
            conform >> gate >> StepOperator(task_id="publish", step="publish", work_order=work_order)

        asset = Asset(name=f"silver/{row.name}", uri=f"lakehouse://silver/{row.name}")
        report = ReportOperator(
            task_id="report", work_order=plan.output["order"], outlets=[asset], trigger_rule=TriggerRule.ALL_DONE
        )
        pull >> transform.expand(work_order=batches) >> report
        task(raise_quarantine)(report.output["quarantined"])
    return dag


for dataset in DATASETS:
    globals()[dataset.name] = archive_dag(dataset)
