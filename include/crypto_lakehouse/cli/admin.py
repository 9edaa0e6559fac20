"""`crypto-lakehouse admin`: prepare a lake, and show its state."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from crypto_lakehouse.cli.output import JsonOption, examples, print_json, print_table
from crypto_lakehouse.datasets import DATASETS

if TYPE_CHECKING:
    from crypto_lakehouse.catalog.catalog import Catalog
    from crypto_lakehouse.lake.records import PublishedPartition
    from crypto_lakehouse.settings import Settings

app = typer.Typer(help="Prepare a lake, and show its state.", rich_markup_mode=None)

LAST_RUNS = 5


@app.command(epilog=examples("admin setup", "admin setup --json"))
def setup(*, as_json: JsonOption = False) -> None:
    """Check that the lake can be written, and create the tables of the catalog. May be repeated at any time."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    storage, catalog = open_storage(settings), open_catalog(settings)
    storage.write("setup/proof.txt", b"The lake can be written.\n")
    for dataset in DATASETS:
        catalog.ensure_table(dataset)
    facts = {"lake": storage.uri, "catalog": settings.catalog.kind.value, "tables": len(DATASETS)}
    if as_json:
        print_json({"status": "succeeded", **facts})
    else:
        print(f"lake {facts['lake']} is ready: {facts['tables']} tables in the {facts['catalog']} catalog")


@app.command(epilog=examples("admin status", "admin status --json"))
def status(*, as_json: JsonOption = False) -> None:
    """Show the lake, its catalog, free disk space, what each dataset holds and which runs published last."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    said = {
        "lake": open_storage(settings).uri,
        "catalog": settings.catalog.kind.value,
        "disk_free_bytes": _free_bytes(settings),
        **_published_facts(open_catalog(settings)),
    }
    if as_json:
        print_json(said)
    else:
        _print_status(said)


def _free_bytes(settings: "Settings") -> int | None:
    """Returns what is free where the lake's folder is or will be; None for a lake that is no folder."""
    if "://" in settings.lake.removeprefix("file://"):
        return None
    folder = Path(settings.lake.removeprefix("file://")).resolve()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _published_facts(catalog: "Catalog") -> dict[str, Any]:
    known = set(catalog.tables())
    published = {row.name: catalog.partitions(row) for row in DATASETS if row.name in known}
    newest: dict[tuple[str, str], str] = {}
    for name, records in published.items():
        for one in records:
            at = one.published_at.isoformat()
            newest[name, one.run_id] = max(at, newest.get((name, one.run_id), ""))
    runs = sorted(((at, *key) for key, at in newest.items()), reverse=True)[:LAST_RUNS]
    return {
        "tables": len(known),
        "datasets": [_dataset_facts(name, records) for name, records in published.items() if records],
        "last_runs": [{"published_at": at, "dataset": name, "run_id": run} for at, name, run in runs],
    }


def _dataset_facts(name: str, records: "list[PublishedPartition]") -> dict[str, Any]:
    last = [one.last_time for one in records if one.last_time is not None]
    return {
        "dataset": name,
        "partitions": len(records),
        "degraded": sum(one.condition == "degraded" for one in records),
        "rows": sum(one.rows for one in records),
        "bytes": sum(one.bytes for one in records),
        "last_time": max(last).isoformat() if last else None,
    }


def _print_status(said: dict[str, Any]) -> None:
    free = said["disk_free_bytes"]
    print(f"lake     {said['lake']}" + (f" ({free / 2**30:,.1f} GiB free)" if free is not None else ""))
    print(f"catalog  {said['catalog']}, {said['tables']} tables")
    if not said["datasets"]:
        print("nothing is published yet; try `crypto-lakehouse ingest --help`")
        return
    print()
    print_table(tuple(said["datasets"][0]), [tuple(one.values()) for one in said["datasets"]])
    print()
    print_table(tuple(said["last_runs"][0]), [tuple(one.values()) for one in said["last_runs"]])
