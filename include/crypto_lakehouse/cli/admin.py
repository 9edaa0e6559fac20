"""`crypto-lakehouse admin`: prepare a lake, and show its state."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crypto_lakehouse import marts
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json, print_table
from crypto_lakehouse.counting import several
from crypto_lakehouse.exit_codes import EXIT_PERMANENT
from crypto_lakehouse.vocabulary import Step

if TYPE_CHECKING:
    from datetime import datetime

    from crypto_lakehouse.catalog.catalog import Catalog
    from crypto_lakehouse.lake.records import PublishedPartition
    from crypto_lakehouse.lake.storage import Storage
    from crypto_lakehouse.runs.history import RunRecord
    from crypto_lakehouse.settings import Settings

app = typer.Typer(help="Prepare a lake, and show its state.", rich_markup_mode=None)

LAST_RUNS = 5

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count what would be removed, and change nothing.")]


@app.command(epilog=examples("admin setup", "admin setup --json"))
def setup(*, as_json: JsonOption = False) -> None:
    """Check that the lake can be written, and create the tables of the catalog. May be repeated at any time."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    storage, catalog = open_storage(settings), open_catalog(settings)
    storage.write("setup/proof.txt", b"The lake can be written.\n")
    tables = marts.tables()
    for table in tables:
        catalog.ensure_table(table)
    facts = {"lake": storage.uri, "catalog": settings.catalog.kind.value, "tables": len(tables)}
    if as_json:
        print_json({"status": "succeeded", **facts})
    else:
        print(f"lake {facts['lake']} is ready: {facts['tables']} tables in the {facts['catalog']} catalog")


@app.command(epilog=examples("admin status", "admin status --json"))
def status(*, as_json: JsonOption = False) -> None:
    """Show the lake, its catalog, free disk space, the content of each table, and the last runs."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    storage = open_storage(settings)
    facts = {
        "lake": storage.uri,
        "catalog": settings.catalog.kind.value,
        "disk_free_bytes": _free_bytes(settings),
        **_published_facts(storage, open_catalog(settings)),
    }
    if as_json:
        print_json(facts)
    else:
        _print_status(facts)


def _free_bytes(settings: "Settings") -> int | None:
    """Returns the free bytes on the disk of the lake's folder. None if the lake is not a folder."""
    if "://" in settings.lake.removeprefix("file://"):
        return None
    folder = Path(settings.lake.removeprefix("file://")).resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _published_facts(storage: "Storage", catalog: "Catalog") -> dict[str, Any]:
    known = set(catalog.tables())
    published = {table.name: catalog.partitions(table) for table in marts.tables() if table.name in known}
    newest: dict[tuple[str, str], datetime] = {}
    for name, records in published.items():
        for record in records:
            at = record.published_at
            newest[name, record.run_id] = max(at, newest.get((name, record.run_id), at))
    runs = sorted(((at, *key) for key, at in newest.items()), reverse=True)[:LAST_RUNS]
    return {
        "tables": len(known),
        "datasets": [_dataset_facts(name, records) for name, records in published.items() if records],
        "last_runs": [
            {"published_at": at, "dataset": name, "run_id": run_id, **_run_facts(storage, name, run_id)}
            for at, name, run_id in runs
        ],
    }


def _run_facts(storage: "Storage", table_name: str, run_id: str) -> dict[str, Any]:
    """Returns how a run ended; empty values where its files are no longer there."""
    from crypto_lakehouse.errors import LakehouseError
    from crypto_lakehouse.runs.history import read_run
    from crypto_lakehouse.runs.orders import first_order_key

    try:
        record = read_run(storage, first_order_key(Step.PLAN, table_name, run_id))
    except LakehouseError:
        return {"status": None, "rows": None, "seconds": None}
    rows = record.figures.publish.rows_published
    return {"status": record.status.value, "rows": rows, "seconds": round(record.seconds, 1)}


def _dataset_facts(name: str, records: "list[PublishedPartition]") -> dict[str, Any]:
    last = [record.last_time for record in records if record.last_time is not None]
    return {
        "dataset": name,
        "partitions": len(records),
        "degraded": sum(record.condition == "degraded" for record in records),
        "rows": sum(record.rows for record in records),
        "bytes": sum(record.bytes for record in records),
        "last_time": max(last, default=None),
    }


def _print_status(facts: dict[str, Any]) -> None:
    free = facts["disk_free_bytes"]
    print(f"lake     {facts['lake']}" + (f" ({free / 2**30:,.1f} GiB free)" if free is not None else ""))
    print(f"catalog  {facts['catalog']}, {facts['tables']} tables")
    if not facts["datasets"]:
        print("nothing is published yet; try `crypto-lakehouse ingest --help`")
        return
    print()
    print_table(tuple(facts["datasets"][0]), [tuple(row.values()) for row in facts["datasets"]])
    print()
    print_table(tuple(facts["last_runs"][0]), [tuple(row.values()) for row in facts["last_runs"]])


@app.command(epilog=examples("admin maintain --dry-run", "admin maintain", "admin maintain --json"))
def maintain(
    *,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Scrub the next part of the stored files, repair what is damaged, and remove what is not needed any more.

    Exit code 65 if something is still missing or damaged.
    """
    from crypto_lakehouse.progress import shown_progress
    from crypto_lakehouse.running import new_run_id, run_alone
    from crypto_lakehouse.runs.orders import CollectOrder, RepairOrder, ScrubOrder
    from crypto_lakehouse.settings import load_settings

    settings, run_id = load_settings(), new_run_id("maintain")
    orders = {Step.SCRUB: ScrubOrder(run_id), Step.REPAIR: RepairOrder(run_id)} if not dry_run else {}
    results = {}
    with shown_progress(quiet=as_json) as progress:
        for step, order in {**orders, Step.COLLECT: CollectOrder(run_id, dry_run)}.items():
            results[step] = run_alone(step, order, settings, progress)
    counts = {step.value: result.counts() for step, result in results.items()}
    left = results[Step.REPAIR].completed().left if orders else ()
    reaches = results[Step.COLLECT].completed().reaches
    if as_json:
        facts = {"reaches": {reach.table: reach.as_of.isoformat() for reach in reaches}, "faults": [*map(asdict, left)]}
        print_json({"status": "failed" if left else "succeeded", "counts": counts, **facts})
    else:
        _print_maintenance(counts, dry_run)
        for reach in reaches:
            print(f"reads of {reach.table} then reach back to --as-of {reach.as_of.isoformat()}")
    for fault in left:
        note(f"error: {fault}")
    if left:
        raise typer.Exit(EXIT_PERMANENT)


def _print_maintenance(counts: dict[str, dict[str, int]], dry_run: bool) -> None:
    if not dry_run:
        read, mended = counts[Step.SCRUB], counts[Step.REPAIR]
        files = f"{read['files_read']:,} of {read['files_stored']:,} stored files"
        print(f"read      {files}, {read['bytes_read']:,} bytes")
        print(f"repaired  {mended['faults_mended']:,} of {mended['faults']:,} faults")
    removed = counts[Step.COLLECT]
    print("would remove" if dry_run else "removed")
    kinds = (("versions", "version_bytes"), ("objects", "object_bytes"), ("runs", "run_bytes"))
    for files, size in (*kinds, ("damaged", "damaged_bytes")):
        print(f"  {files:<9} {several(removed[files], 'file')}, {several(removed[size], 'byte')}")


@app.command(epilog=examples("admin runs binance_um_klines", "admin runs binance_um_klines --last 50 --json"))
def runs(
    table_name: Annotated[str, typer.Argument(metavar="TABLE", help="A dataset or a mart.")],
    *,
    last: Annotated[int, typer.Option("--last", min=1, max=1000, help="How many runs at most.")] = 10,
    as_json: JsonOption = False,
) -> None:
    """List the runs of a table, newest first: what was asked for, how the run ended, its figures and its report."""
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.runs.listing import list_runs
    from crypto_lakehouse.settings import load_settings

    storage = open_storage(load_settings())
    records = list_runs(storage, marts.table(table_name).name, last)
    if as_json:
        print_json([_run_document(storage, record) for record in records])
        return
    if not records:
        print(f"there are no runs of {table_name}")
        return
    columns = ("run", "first_day", "last_day", "status", "rows", "quarantined", "seconds")
    print_table(columns, [_run_line(record) for record in records])
    for record in records:
        for failure in record.failures:
            note(f"{record.request.run_id}: {failure}")


def _run_line(record: "RunRecord") -> tuple[object, ...]:
    request, figures = record.request, record.figures
    return (
        request.run_id,
        request.first_day,
        request.last_day,
        record.status.replace("_", " "),
        figures.publish.rows_published,
        figures.quarantined,
        f"{record.seconds:.1f}",
    )


def _run_document(storage: "Storage", record: "RunRecord") -> dict[str, Any]:
    return {
        "request": asdict(record.request),
        "status": record.status.value,
        "counts": record.figures.by_step(),
        "failures": [asdict(failure) for failure in record.failures],
        "seconds": round(record.seconds, 3),
        "report": f"{storage.uri}/{record.report_key}",
    }
