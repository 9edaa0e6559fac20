"""Once a day: find days whose data is missing from the lake, and let the datasets' own DAGs fetch what still exists.

**What it does.** `find` reads the coverage log and lists the missing days, except those that are known to be missing at
the exchange too. `fill` triggers one run of a dataset's DAG for the days of its gaps, with `fill` in its Params. This
run looks at the archive again, and requests from the exchange what the exchange still has. The lake records each
answer, so nothing is requested twice.

**When it fails.** `find` failed: the lake did not answer. A run that `fill` triggered failed: see that run.

**How to rerun.** Clear the run, or trigger it: it looks for what is missing at that time.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable

from crypto_lakehouse.schedule import GAPS_CRON
from lakehouse_airflow.errors import retrying
from lakehouse_airflow.operators import GapsOperator

with DAG(
    dag_id="fill_gaps",
    description="Triggers runs of the datasets' DAGs for days whose data is missing",
    schedule=CronDataIntervalTimetable(GAPS_CRON, timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=retrying(2, timedelta(minutes=5)),
    tags=["gaps"],
    doc_md=__doc__,
) as dag:
    find = GapsOperator(task_id="find", pool="heavy")
    doc = "Trigger a run of a dataset's DAG for the days of its gaps."
    TriggerDagRunOperator.partial(task_id="fill", doc_md=doc).expand_kwargs(find.output)
