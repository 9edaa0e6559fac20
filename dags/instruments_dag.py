"""Once a week: update the instrument master, which records what each symbol stands for and since when.

**What it does.** For each market, `update` lists the symbols and days of the archive, requests the exchange's own list
of instruments, and appends a version to the instrument master if anything is new.

**When it fails.** The bucket or the exchange did not answer, even after retries. "No longer listed": the bucket has
fewer symbols than the master; check the bucket before you allow it.

**How to rerun.** Clear the run, or trigger it: nothing is appended if nothing is new.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable

from crypto_lakehouse.schedule import INSTRUMENTS_CRON
from crypto_lakehouse.vocabulary import Market
from lakehouse_airflow.errors import retrying
from lakehouse_airflow.operators import InstrumentsOperator

with DAG(
    dag_id="instruments",
    description="Updates the instrument master of each market",
    schedule=CronDataIntervalTimetable(INSTRUMENTS_CRON, timezone="UTC"),
    start_date=datetime(2017, 8, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=retrying(3, timedelta(minutes=5)),
    tags=["instruments"],
    doc_md=__doc__,
) as dag:
    markets = [market.value for market in Market]
    doc = "Bring the instrument master of each market up to date."
    InstrumentsOperator.partial(task_id="update", pool="exchange", doc_md=doc).expand(market=markets)
