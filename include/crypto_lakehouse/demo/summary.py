"""The end of a demonstration: a table of the runs, the result of a query, and the paths of lake and report."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import polars as pl
from rich.console import Console
from rich.table import Table

from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.demo.findings import findings
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.instants import utc_now
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.marts import table
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
    """A finished DAG run."""

    dataset: str
    state: str
    run_id: str
    seconds: float


def show_summary(lake: Path, finished: Sequence[FinishedRun], console: Console) -> bool:
    """Prints the summary and writes the report of the lake. Returns whether every run succeeded."""
    storage = LocalStorage(lake)
    sections = [_section(storage, run) for run in sorted(finished, key=lambda run: run.dataset)]
    states = {run.dataset: run.state for run in finished}
    has_work = any(section.objects or section.partitions for section in sections)
    if sections and not has_work and set(states.values()) == {"success"}:
        console.print(
            f"\n[green]Nothing to do[/]: the lake already has everything that the archive and the exchange have of "
            f"{len(sections)} datasets.\nNo object was pulled, nothing was requested, and no partition was built."
        )
    else:
        console.print(_table(sections, states))
    for line in reasons(sections, states):
        console.print(line, markup=False, highlight=False)
    _show_findings(storage, lake, [section.dataset for section in sections], console)
    _show_query(lake, [section.dataset for section in sections], console)
    report = lake / "quality" / "report.html"
    about = [("Lake", str(lake)), ("Written", f"{utc_now():%Y-%m-%d %H:%M:%S} UTC")]
    write_report(report, "Quality of the lake", about, [_published_section(storage, section) for section in sections])
    console.print(f"\nLake            {lake}")
    console.print(f"Quality report  {report}")
    console.print("\n[bold]Next[/], to paste:")
    for command in next_commands(lake):
        # Paths and SQL are printed as they are, so that a copy works.
        console.print(f"  {command}", markup=False, highlight=False, soft_wrap=True)
    return all(state == "success" for state in states.values())


def _show_findings(storage: LocalStorage, lake: Path, datasets: Sequence[str], console: Console) -> None:
    lines = findings(storage, datasets, _query_command(lake))
    if lines:
        console.print("\n[bold]What is not as it should be[/], and what shows it:")
    for line in lines:
        console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def reasons(sections: Sequence[DatasetSection], states: Mapping[str, str]) -> list[str]:
    """Returns a line for each reason of a failed run, and for each object that was refused."""
    lines = []
    for section in sections:
        texts = [*section.failed, *section.refused]
        if states[section.dataset] != "success" and not texts:
            texts = ["the run failed and left no reason in the lake; the logs of Airflow are next to the lake"]
        lines += [f"{section.dataset}: {text}" for text in texts]
    return lines


def next_commands(lake: Path) -> list[str]:
    """Returns commands for a shell in the current folder: they show the lake, query a table, and start the UI."""
    start = _query_command(lake)
    try:
        names = Lake.open(Settings(lake=str(lake))).datasets()
    except LakehouseError:
        # No run has written anything.
        return ["make up"]
    name = next((name for name in (*_PREFERRED, *names) if name in names), None)
    query = [f'{start} sql "FROM {name} LIMIT 5"'] if name else []
    return [f"{start} info", *query, "make up"]


def _query_command(lake: Path) -> str:
    """Returns the start of a command that reads the lake, for a shell in the current folder."""
    here = Path.cwd()
    program, root = (_shown_from(here, path) for path in (Path(sys.executable).parent / "crypto-lakehouse", lake))
    return f"CRYPTO_LAKEHOUSE_LAKE={shlex.quote(root)} {shlex.quote(program)} query"


def _shown_from(here: Path, path: Path) -> str:
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _section(storage: LocalStorage, run: FinishedRun) -> DatasetSection:
    try:
        record = read_run(storage, first_order_key(Step.PLAN, run.dataset, run.run_id))
    except LakehouseError:
        return DatasetSection(run.dataset, 0, 0, run.seconds, ())
    return dataset_section(record)


def _published_section(storage: LocalStorage, run: DatasetSection) -> DatasetSection:
    """Returns the latest verdict of each partition of a dataset, with the figures of the run."""
    lines = [
        PartitionLine(name, record.verdict.candidate.rows, record.verdict.condition, record.verdict.reasons)
        for name, record in sorted(VerdictLog(storage).latest(table(run.dataset)).items())
    ]
    log = CoverageLog(storage)
    known = CoverageFrames(
        log.days(run.dataset), log.holes(run.dataset), log.reconciliations(run.dataset), log.refused_rows(run.dataset)
    )
    return DatasetSection(run.dataset, run.objects, run.bytes, run.seconds, tuple(lines), run.refused, coverage=known)


def _table(sections: Sequence[DatasetSection], states: dict[str, str]) -> Table:
    table = Table(title="Results of this run", title_justify="left")
    table.add_column("dataset")
    for name in ("objects", "bytes", "requests", "rows", "partitions"):
        table.add_column(name, justify="right")
    table.add_column("gate")
    table.add_column("seconds", justify="right")
    for section in sections:
        counts = (section.objects, section.bytes, section.requests, section.rows, len(section.partitions))
        figures = [f"{count:,}" for count in counts]
        gate = _gate(section, states[section.dataset])
        table.add_row(section.dataset, *figures, gate, f"{section.seconds:.1f}")
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
    counts = [(condition, section.count(condition)) for condition in Condition]
    texts = [f"[{colours[condition]}]{count} {condition}[/]" for condition, count in counts if count]
    return ", ".join(texts) or "[dim]up to date[/]"


def _show_query(lake: Path, datasets: Sequence[str], console: Console) -> None:
    name = next((name for name in _PREFERRED if name in datasets), None)
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
