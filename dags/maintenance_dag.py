"""Once a week: read stored files again, mend what is damaged, and remove what nobody needs any more.

**What it does.** `scrub` reads the next part of the stored files and compares their bytes with their names. `repair`
mends what the scrub found, and what is missing, from another copy or layer. `heal` triggers a run of a dataset's DAG
for objects that must be pulled again. `collect` removes versions that are older than the grace and that no reader
sees, leftovers of crashes, and the records of old runs.

**When it fails.** The lake did not answer, or a log is damaged and `repair` could not mend it: `collect` then removes
nothing. See `crypto-lakehouse catalog verify`.

**How to rerun.** Clear the run, or trigger it: the scrub goes on after the last file that it read.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from crypto_lakehouse.schedule import MAINTENANCE_CRON
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.errors import retrying
from lakehouse_airflow.operators import MaintenanceOperator

with DAG(
    dag_id="maintenance",
    description="Reads stored files again, mends damage, and removes old versions",
    schedule=CronDataIntervalTimetable(MAINTENANCE_CRON, timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=retrying(2, timedelta(minutes=5)),
    tags=["maintenance"],
    doc_md=__doc__,
) as dag:
    scrub = MaintenanceOperator(task_id="scrub", step=Step.SCRUB, pool="heavy")
    repair = MaintenanceOperator(task_id="repair", step=Step.REPAIR, pool="heavy")
    collect = MaintenanceOperator(task_id="collect", step=Step.COLLECT, pool="heavy")
    doc = "Trigger a run of a dataset's DAG that pulls damaged objects again."
    TriggerDagRunOperator.partial(task_id="heal", doc_md=doc).expand_kwargs(repair.output)
    scrub >> repair >> collect
