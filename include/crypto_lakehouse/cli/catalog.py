"""`crypto-lakehouse catalog`: compare the catalog with the lake, or rebuild it."""

from typing import Annotated

import typer

from crypto_lakehouse.cli.options import DatasetArgument, chosen_tables
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json
from crypto_lakehouse.exit_codes import EXIT_PERMANENT
from crypto_lakehouse.progress import shown_progress

app = typer.Typer(help="Compare the catalog with the lake, or rebuild it.", rich_markup_mode=None)

DeepOption = Annotated[bool, typer.Option("--deep", help="Read every file and compare its sha256.")]


@app.command(epilog=examples("catalog rebuild", "catalog rebuild binance_um_klines --json"))
def rebuild(dataset: DatasetArgument = "", *, as_json: JsonOption = False) -> None:
    """Rebuild the catalog: publish the newest version of each partition that passed, by the lake's verdict log."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import rebuild as rebuild_dataset
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    catalog, storage = open_catalog(settings), open_storage(settings)
    tables, counts = chosen_tables(dataset), {}
    with shown_progress(quiet=as_json) as progress:
        for done, table in enumerate(tables, start=1):
            counts[table.name] = rebuild_dataset(catalog, storage, table)
            progress("tables rebuilt", done, len(tables))
    if as_json:
        print_json({"status": "succeeded", "partitions": counts})
    else:
        print(f"{sum(counts.values()):,} partitions of {sum(map(bool, counts.values()))} tables are in the catalog")


@app.command(epilog=examples("catalog verify", "catalog verify binance_um_klines --deep", "catalog verify --json"))
def verify(dataset: DatasetArgument = "", *, deep: DeepOption = False, as_json: JsonOption = False) -> None:
    """Check that every published file exists with its size, and with --deep its bytes. Exit code 65 if not."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import verify as verify_dataset
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    catalog, storage = open_catalog(settings), open_storage(settings)
    tables, faults = chosen_tables(dataset), {}
    with shown_progress(quiet=as_json) as progress:
        for done, table in enumerate(tables, start=1):
            faults[table.name] = [fault.what for fault in verify_dataset(catalog, storage, table, deep)]
            progress("tables verified", done, len(tables))
    total = sum(map(len, faults.values()))
    if as_json:
        print_json({"status": "failed" if total else "succeeded", "faults": {k: v for k, v in faults.items() if v}})
    else:
        print(f"{total} faults in {len(tables)} tables")
    for name, messages in faults.items():
        for message in messages:
            note(f"error: {name}: {message}")
    if total:
        note("Run `crypto-lakehouse catalog rebuild`, or build these partitions again")
        raise typer.Exit(EXIT_PERMANENT)
