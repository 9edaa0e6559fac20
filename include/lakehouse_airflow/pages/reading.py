"""What the pages show, read from the lake through its own storage.

No text of a request becomes a part of a key unchecked. The table is one of the lake's tables. The folder of a run is
derived from its id. The file is a report, or a Data Doc by its whole path.
"""

import re
from functools import cache
from urllib.parse import quote

from crypto_lakehouse.errors import ArchiveFileMissing
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.lake.storage import Storage
from crypto_lakehouse.marts import tables
from crypto_lakehouse.reports.run_pages import Link, Message, message_page, runs_page, with_navigation
from crypto_lakehouse.runbook import Entry
from crypto_lakehouse.runs.history import RunRecord, RunStatus, read_run, report_key
from crypto_lakehouse.runs.orders import first_order_key
from crypto_lakehouse.runs.recent import recent_runs
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.pages.answering import NoPage

REPORT = "report.html"
MAX_RUNS = 100
"""Runs in a list."""
_NAME = r"[A-Za-z0-9_=+-][A-Za-z0-9_.=+-]*"
_DATA_DOC = re.compile(rf"[a-z]+-\d+/data_docs/({_NAME}/){{0,8}}{_NAME}\.html")
"""The pages of Great Expectations below the folder of a run. No name in it starts with a dot."""


def index_page(readable: set[str]) -> str:
    """Returns the list of the newest runs of all tables that a user may read."""
    storage, names = lake(), {table.name for table in tables()} & readable
    runs = recent_runs(storage, names, MAX_RUNS)
    about = [("Lake", storage.uri), ("Runs", f"the newest {MAX_RUNS}" if len(runs) == MAX_RUNS else f"{len(runs)}")]
    return runs_page("Quality reports", about, runs, ())


def table_page(dag_id: str) -> str:
    """Returns the list of the newest runs of a table.

    Raises:
        NoPage: The DAG is not of a table.
    """
    name, storage = known_table(dag_id), lake()
    runs = recent_runs(storage, [name], MAX_RUNS)
    return runs_page(f"Runs of {name}", [("Lake", storage.uri)], runs, (Link("All reports", "../"),))


def run_message(dag_id: str, run_id: str) -> str | None:
    """Returns a page about a run without a report, None where it has one.

    Raises:
        NoPage: The DAG is not of a table, or the lake has no such run.
    """
    name, storage = known_table(dag_id), lake()
    plan_key = first_order_key(Step.PLAN, name, run_id)
    if storage.exists(report_key(plan_key)):
        return None
    about = [("Dataset", name), ("Run", run_id), ("Lake", storage.uri)]
    try:
        run = read_run(storage, plan_key)
    except ArchiveFileMissing:
        raise NoPage(_unknown_run(about), _of_run(name, 0)) from None
    if run.status is RunStatus.NOTHING_TO_DO:
        message = Message("This run found nothing to do", [("State", run.status.value), *about], _idle(run))
    else:
        message = Message(
            "This run has no report yet",
            about,
            (
                "The task report writes it at the end of the run. If the run still goes on, look again later.",
                "If it has ended in Airflow, read the log of its red tasks, mend what they name, and clear them: the "
                "run goes on there and writes its report. The entry is docs/runbook.md#a-step-failed.",
                *(["Without a result until now:"] if run.failures else []),
            ),
            [str(failure) for failure in run.failures],
        )
    return message_page(message, _of_run(name, 0))


def run_file(dag_id: str, run_id: str, path: str) -> str:
    """Returns a page that a run left in the lake: its report or one of its Data Docs.

    Raises:
        NoPage: The lake has no such page, or the path is not of one.
    """
    name, storage = known_table(dag_id), lake()
    about, depth = [("Dataset", name), ("Run", run_id)], path.count("/")
    lists = _of_run(name, depth + 1)
    if path != REPORT and _DATA_DOC.fullmatch(path) is None:
        words = "Only the report of a run and its Data Docs are shown here."
        raise NoPage(Message("There is no such page", about, (words,)), lists)
    folder = report_key(first_order_key(Step.PLAN, name, run_id)).rpartition("/")[0]
    try:
        page = storage.read(f"{folder}/{path}").decode(errors="replace")
    except ArchiveFileMissing:
        words = "The lake does not have this page of the run: it was not written, or it was removed."
        message = Message("There is no such page", [*about, ("Page", path), ("Lake", storage.uri)], (words,))
        raise NoPage(message, lists) from None
    report = (Link("Report of the run", f"{'../' * depth}{REPORT}"),) if depth else ()
    return with_navigation(page, (*report, *lists))


def run_address(run_id: str) -> str:
    """Returns where the report of a run is, relative to the address of the run."""
    return f"./{quote(run_id, safe='')}/{REPORT}"


def known_table(dag_id: str) -> str:
    """Returns the name of the table that a DAG fills.

    Raises:
        NoPage: The DAG is not of a table.
    """
    if dag_id not in {table.name for table in tables()}:
        raise NoPage(
            Message(
                "This DAG writes no quality report",
                [("DAG", dag_id)],
                ("A DAG that fills a table writes a report at the end of each run. This DAG fills none.",),
            )
        )
    return dag_id


@cache
def lake() -> Storage:
    """Returns the lake of the deployment. A client of an object store is made once.

    Raises:
        LakehouseError: The settings are not valid.
    """
    return open_storage(load_settings())


def _unknown_run(about: list[tuple[str, str]]) -> Message:
    return Message(
        "The lake has no such run",
        about,
        (
            "A run begins with the task plan. If it has not ended, look again later. If it is red, read its log.",
            "If it is green, Airflow's API server reads another lake than its tasks: compare CRYPTO_LAKEHOUSE_LAKE.",
        ),
    )


def _idle(run: RunRecord) -> list[str]:
    words = [
        "Nothing that it asked for is new in the archive, and nothing in the lake is out of date.",
        "Such a run writes no report.",
    ]
    if refused := run.figures.plan.objects_known_bad:
        words.append(f"Objects that a pull refused before, and that have not changed since: {refused:,}.")
        words.append(f"What happens by itself, and what to do: docs/runbook.md#{Entry.OBJECT_REFUSED}")
    return words


def _of_run(name: str, depth: int) -> tuple[Link, ...]:
    """Returns the links to the lists, for a page that lies as many folders below the address of its run's table."""
    up = "../" * depth or "./"
    return (Link(f"Runs of {name}", up), Link("All reports", f"{up}../"))
