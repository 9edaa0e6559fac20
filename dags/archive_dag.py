"""From the exchange's public archive and its API to gated Silver partitions: one DAG per dataset.

**What it does.** `plan` compares the archive with the lake and writes work orders. `pull` downloads new files of the
archive. `delta` requests from the exchange what its archive does not have yet. `transform` builds partitions from both
(`conform`), judges them (`gate`) and makes them visible to readers (`publish`). `announce` updates the Asset
if anything was published. `report` writes the quality report.

**When it fails.** Look at `report` first: its message names all that was refused or failed, and has a link to the
report. `plan`, `pull` or `delta` failed after its retries: the archive, the exchange or the network did not answer.
Later runs catch up by themselves, and a failed `delta` stops no other task. If the gate refused new data, readers keep
the former version. The next run skips the refused data until the exchange replaces it. `docs/runbook.md` has the rest.

**How to rerun.** Clear the run, trigger it with days in its Params, or backfill. Every task may run again at any time.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, Asset, CronDataIntervalTimetable, TriggerRule, get_parsing_context, task, task_group

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.schedule import cron
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.choices import run_params
from lakehouse_airflow.errors import retrying
from lakehouse_airflow.operators import PlanOperator, StepOperator, returned
from lakehouse_airflow.reporting import AnnounceOperator, ReportOperator

DEFAULTS = {
    **retrying(3, timedelta(seconds=30)),
    # A step that hangs frees its slot in a pool. No wait for an exchange takes longer.
    "execution_timeout": timedelta(hours=12),
}
HANDED_ON = "Hands on the work orders that `plan` wrote: each becomes a task of the next step."


def archive_dag(dataset: Dataset) -> DAG:
    """Returns the DAG of a dataset."""
    with DAG(
        dag_id=dataset.name,
        description=dataset.description,
        schedule=CronDataIntervalTimetable(cron(dataset), timezone="UTC"),
        start_date=datetime(2017, 8, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=2,
        default_args=DEFAULTS,
        params=run_params(dataset),
        tags=[dataset.layer.value, dataset.exchange.value, dataset.market.value, dataset.data_type.slug],
        doc_md=f"# {dataset.description}\n\nArchive: {dataset.state}.\n\n{__doc__}",
    ) as dag:
        plan = PlanOperator(task_id="plan", dataset=dataset.name, pool="exchange")
        pull = StepOperator.mapped(Step.PULL, plan.output, pool="exchange")
        delta_orders = task(task_id="delta_orders", doc_md=HANDED_ON)(returned)(plan.output["delta"])
        delta = StepOperator.mapped(Step.DELTA, delta_orders, pool="exchange")
        list_orders = task(task_id="transform_orders", trigger_rule=TriggerRule.NONE_FAILED, doc_md=HANDED_ON)
        transform_orders = list_orders(returned)(plan.output["transform"])

        @task_group(group_id="transform")
        def transform(work_order: str) -> None:
            """Builds, judges and publishes the partitions of an order."""
            at_rest = {"work_order": work_order, "pool": "heavy"}
            # The archive's part is worth publishing although the exchange does not answer.
            rule = TriggerRule.ALL_DONE
            conform = StepOperator(task_id="conform", step="conform", trigger_rule=rule, **at_rest)
            gate = StepOperator(task_id="gate", step="gate", **at_rest)
            conform >> gate >> StepOperator(task_id="publish", step="publish", work_order=work_order)

        place = f"{dataset.layer.value}/{dataset.name}"
        asset = Asset(name=place, uri=f"x-lakehouse://{place}")
        last = TriggerRule.ALL_DONE
        announce = AnnounceOperator(task_id="announce", dataset=dataset.name, outlets=[asset], trigger_rule=last)
        report = ReportOperator(task_id="report", dataset=dataset.name, trigger_rule=last)
        pull >> transform_orders
        delta >> transform.expand(work_order=transform_orders) >> [announce, report]
    return dag


# The scheduler's parser names no DAG and gets all of them; a task names its own DAG and gets only that.
wanted = get_parsing_context().dag_id
for dataset_row in DATASETS:
    if wanted in (None, dataset_row.name):
        globals()[dataset_row.name] = archive_dag(dataset_row)
