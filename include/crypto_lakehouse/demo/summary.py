"""What a demonstration ends with: a table, the answer to a query, and where to look."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import polars as pl
from rich.console import Console
from rich.table import Table

from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.lake.coverage import CoverageFrames, CoverageLog
from crypto_lakehouse.lake.local_storage import LocalStorage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.query import Lake
from crypto_lakehouse.reports.quality_report import DatasetSection, PartitionLine, write_report
from crypto_lakehouse.runs.history import read_run
from crypto_lakehouse.runs.orders import first_order_key
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps.report import dataset_section
from crypto_lakehouse.vocabulary import Condition, Step

_SQL = """SELECT symbol, kline_interval, count(*) AS rows, min(open_time) AS first, max(open_time) AS last,
       max(high) AS highest, min(low) AS lowest FROM {} GROUP BY ALL ORDER BY ALL"""
_PREFERRED = ("binance_spot_klines", "binance_um_klines", "binance_cm_klines")


class FinishedRun(Protocol):
    """A DAG run that ended."""

    dataset: str
    state: str
    run_id: str
    seconds: float


def show_summary(lake: Path, finished: Sequence[FinishedRun], console: Console) -> bool:
    """Prints the summary and writes the lake's report; returns whether every run succeeded."""
    storage = LocalStorage(lake)
    sections = [_section(storage, one) for one in sorted(finished, key=lambda one: one.dataset)]
    states = {one.dataset: one.state for one in finished}
    if sections and not any(one.objects or one.partitions for one in sections) and set(states.values()) == {"success"}:
        console.print("\n[green]Nothing to do[/]: the lake already holds all that the archive and the exchange have.")
    console.print(_table(sections, states))
    _show_query(lake, [one.dataset for one in sections], console)
    report = lake / "quality" / "report.html"
    write_report(report, "Quality of the lake", [_published_section(storage, one) for one in sections])
    console.print(f"\nLake            {lake}")
    console.print(f"Quality report  {report}")
    return all(state == "success" for state in states.values())


def _section(storage: LocalStorage, one: FinishedRun) -> DatasetSection:
    try:
        run = read_run(storage, first_order_key(Step.PLAN, one.dataset, one.run_id))
    except LakehouseError:
        return DatasetSection(one.dataset, 0, 0, one.seconds, ())
    return dataset_section(run)


def _published_section(storage: LocalStorage, run: DatasetSection) -> DatasetSection:
    """Returns the latest verdict of every partition of a dataset, with the run's figures."""
    lines = [
        PartitionLine(name, one.verdict.candidate.rows, one.verdict.condition, one.verdict.reasons)
        for name, one in sorted(VerdictLog(storage).latest(run.dataset).items())
    ]
    log = CoverageLog(storage)
    known = CoverageFrames(log.days(run.dataset), log.holes(run.dataset), log.reconciliations(run.dataset))
    return DatasetSection(run.dataset, run.objects, run.bytes, run.seconds, tuple(lines), run.refused, coverage=known)


def _table(sections: Sequence[DatasetSection], states: dict[str, str]) -> Table:
    table = Table(title="What this run did", title_justify="left")
    table.add_column("dataset")
    for name in ("objects", "bytes", "requests", "rows", "partitions"):
        table.add_column(name, justify="right")
    table.add_column("gate")
    table.add_column("seconds", justify="right")
    for one in sections:
        figures = (
            f"{one.objects:,}",
            f"{one.bytes:,}",
            f"{one.requests:,}",
            f"{one.rows:,}",
            f"{len(one.partitions):,}",
        )
        table.add_row(one.dataset, *figures, _gate(one, states[one.dataset]), f"{one.seconds:.1f}")
    return table


def _gate(section: DatasetSection, state: str) -> str:
    if state != "success" and not section.partitions:
        return "[red]failed[/]"
    colours = {
        Condition.AVAILABLE: "green",
        Condition.DEGRADED: "yellow",
        Condition.QUARANTINED: "red",
        Condition.EMPTY: "dim",
    }
    counts = ((one, section.count(one)) for one in Condition)
    return ", ".join(f"[{colours[one]}]{count} {one}[/]" for one, count in counts if count) or "[dim]up to date[/]"


def _show_query(lake: Path, datasets: Sequence[str], console: Console) -> None:
    name = next((one for one in _PREFERRED if one in datasets), None)
    if name is None:
        return
    sql = _SQL.format(name)
    console.print(f"\n[bold]SQL[/] {sql}")
    try:
        answer = Lake.open(Settings(lake=str(lake))).sql(sql)
    except LakehouseError as error:
        console.print(f"[red]{error}[/]")
        return
    with pl.Config(tbl_rows=20, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True, tbl_width_chars=140):
        console.print(str(answer), highlight=False)
