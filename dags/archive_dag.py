"""From the exchange's public archive and its API to gated Silver, one DAG per dataset.

**What it does.** `plan` compares the bucket with the lake, `pull` brings what is new, `delta` asks the exchange for
what its archive does not have yet, `conform` builds partitions from both, `gate` judges and `publish` shows them,
`report` writes the quality report and announces the Asset.

**When it fails.** A red `plan`, `pull` or `delta` that was retried: the archive, the exchange or the network; later
runs catch up by themselves, and a red `delta` holds up nothing else. A red `raise_quarantine`: something was published
upstream that the gate refuses; readers keep the former version, the report says why, and the next run leaves it alone
until the exchange replaces it.

**How to rerun.** Clear the run, trigger it with days in its Params, or backfill: every step may be repeated.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, TriggerRule, get_parsing_context, task, task_group

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.schedule import cron
from crypto_lakehouse.spec import Dataset
from lakehouse_airflow.choices import run_params
from lakehouse_airflow.operators import (
    PlanOperator,
    ReportOperator,
    StepOperator,
    handed_on,
    log_failure,
    raise_quarantine,
)

DEFAULTS = {
    "owner": "lakehouse",
    "retries": 3,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": True,
    # A step that hangs gives its place in a pool back; the longest that waiting for an exchange may take.
    "execution_timeout": timedelta(hours=12),
    "on_failure_callback": log_failure,
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
        windows = task(task_id="windows")(handed_on)(plan.output["delta"])
        delta = StepOperator.partial(task_id="delta", step="delta", pool="exchange").expand(work_order=windows)
        batches = task(task_id="batches", trigger_rule=TriggerRule.NONE_FAILED)(handed_on)(plan.output["transform"])

        @task_group(group_id="transform")
        def transform(work_order: str) -> None:
            at_rest = {"work_order": work_order, "pool": "heavy"}
            # The archive's part is worth publishing although the exchange does not answer.
            rule = TriggerRule.ALL_DONE
            conform = StepOperator(task_id="conform", step="conform", trigger_rule=rule, **at_rest)
            gate = StepOperator(task_id="gate", step="gate", **at_rest)
            conform >> gate >> StepOperator(task_id="publish", step="publish", work_order=work_order)

        asset = Asset(name=f"silver/{row.name}", uri=f"x-lakehouse://silver/{row.name}")
        report = ReportOperator(task_id="report", dataset=row.name, outlets=[asset], trigger_rule=TriggerRule.ALL_DONE)
        pull >> batches
        delta >> transform.expand(work_order=batches) >> report
        task(raise_quarantine)(report.output["quarantined"])
    return dag


# A task needs its own DAG alone; who parses the file for the scheduler names none and gets all.
wanted = get_parsing_context().dag_id
for dataset in DATASETS:
    if wanted in (None, dataset.name):
        globals()[dataset.name] = archive_dag(dataset)
