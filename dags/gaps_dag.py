"""Once a day: look for what is missing, and have the datasets' own DAGs fetch what can still be had.

**What it does.** `find` asks the coverage log for gaps that upstream is not known to have, and `fill` triggers one run
of a dataset's DAG over the days of its gaps, with `fill` in its Params: the archive is looked at again, and the
exchange is asked for the rest while it still answers. What was asked for once is not asked for again.

**When it fails.** A red `find`: the lake did not answer. A red run it triggered: see that run.

**How to rerun.** Clear it, or trigger it: it looks at what is missing then.
"""

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, task

from crypto_lakehouse.schedule import GAPS_CRON
from lakehouse_airflow.gaps import runs_to_fill
from lakehouse_airflow.operators import log_failure

with DAG(
    dag_id="fill_gaps",
    schedule=CronDataIntervalTimetable(GAPS_CRON, timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "lakehouse",
        "retries": 2,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "on_failure_callback": log_failure,
    },
    tags=["gaps"],
    doc_md=__doc__,
) as dag:
    runs = task(task_id="find", pool="heavy")(runs_to_fill)()
    TriggerDagRunOperator.partial(task_id="fill").expand_kwargs(runs)
