"""Once a week: what every symbol stands for, and since when.

**What it does.** For each market, lists the archive's symbols and days, asks the exchange for its exchange info, and
appends a version of the instrument master if anything is new.

**When it fails.** Retried, then red: the bucket or the exchange did not answer. "No longer listed": the bucket shows
fewer symbols than the master knows; look at it before you allow it.

**How to rerun.** Clear it, or trigger it: nothing is appended when nothing is new.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, task

from crypto_lakehouse.schedule import INSTRUMENTS_CRON
from crypto_lakehouse.vocabulary import Market
from lakehouse_airflow.instruments import update_market
from lakehouse_airflow.operators import log_failure

with DAG(
    dag_id="instruments",
    schedule=CronDataIntervalTimetable(INSTRUMENTS_CRON, timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "lakehouse",
        "retries": 3,
        "retry_delay": timedelta(minutes=5),
        "retry_exponential_backoff": True,
        "on_failure_callback": log_failure,
    },
    tags=["instruments"],
    doc_md=__doc__,
) as dag:
    task(task_id="update", pool="exchange")(update_market).expand(market=[market.value for market in Market])
