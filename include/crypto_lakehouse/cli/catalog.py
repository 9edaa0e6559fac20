"""`crypto-lakehouse catalog`: check the lake and its catalog, and rebuild the catalog."""

from dataclasses import asdict
from typing import Annotated

import typer

from crypto_lakehouse.cli.options import DatasetArgument, chosen_tables
from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json
from crypto_lakehouse.counting import several
from crypto_lakehouse.exit_codes import EXIT_PERMANENT
from crypto_lakehouse.progress import shown_progress

app = typer.Typer(help="Check the lake and its catalog, and rebuild the catalog.", rich_markup_mode=None)

DeepOption = Annotated[bool, typer.Option("--deep", help="Read every file, and compare its bytes with its sha256.")]
RepairOption = Annotated[
    bool, typer.Option("--repair", help="Mend what another copy or layer can mend; pull damaged objects again.")
]
ForgetOption = Annotated[
    bool, typer.Option("--forget", help="Take out of the catalog what no verdict of the lake stands behind.")
]


@app.command(epilog=examples("catalog rebuild", "catalog rebuild binance_um_klines --json", "catalog rebuild --forget"))
def rebuild(dataset: DatasetArgument = "", *, forget: ForgetOption = False, as_json: JsonOption = False) -> None:
    """Rebuild the catalog: publish the newest version of each partition that passed, by the lake's verdict log.

    A damaged catalog file is renamed first, and all tables are rebuilt. Nothing is deleted.
    """
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import rebuild as rebuild_tables
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    with shown_progress(quiet=as_json):
        rebuilt = rebuild_tables(open_catalog(settings), open_storage(settings), chosen_tables(dataset), forget=forget)
    counts = {name: len(table.published) for name, table in rebuilt.tables.items()}
    kept = {name: table.without_verdict for name, table in rebuilt.tables.items() if table.without_verdict}
    gone = {name: table.without_file for name, table in rebuilt.tables.items() if table.without_file}
    if as_json:
        facts = {"partitions": counts, "without_verdict": kept, "without_file": gone}
        print_json({"status": "succeeded", **facts, "set_aside": rebuilt.set_aside})
    else:
        tables = several(sum(map(bool, counts.values())), "table")
        print(f"the catalog has {several(sum(counts.values()), 'partition')} of {tables}")
    if rebuilt.set_aside:
        note(f"the damaged catalog is now {rebuilt.set_aside}")
    for name, partitions in gone.items():
        note(f"{name}: {len(partitions):,} partitions have no file, such as {partitions[0]}: see `catalog verify`")
    for name, partitions in kept.items():
        note(f"{name}: {len(partitions):,} entries have no verdict, such as {partitions[0]}: kept; see --forget")


@app.command(
    epilog=examples(
        "catalog verify", "catalog verify binance_um_klines --deep", "catalog verify --deep --repair --json"
    )
)
def verify(
    dataset: DatasetArgument = "",
    *,
    deep: DeepOption = False,
    repair: RepairOption = False,
    as_json: JsonOption = False,
) -> None:
    """Check the files of the whole lake, and the catalog. Exit code 65 if something is missing or damaged."""
    from crypto_lakehouse.healing import heal
    from crypto_lakehouse.settings import load_settings

    tables = chosen_tables(dataset)
    with shown_progress(quiet=as_json) as progress:
        healed = heal(load_settings(), tables, deep=deep, repair=repair, progress=progress)
    faults = healed.left
    if as_json:
        facts = {"faults": [asdict(fault) for fault in faults], "repaired": [asdict(fault) for fault in healed.healed]}
        print_json({"status": "failed" if faults else "succeeded", **facts, "failures": list(healed.failures)})
    else:
        repaired = f", repaired: {len(healed.healed):,}" if repair else ""
        counts = f"{several(len(faults), 'fault')} in {several(len(tables), 'table')}"
        print(f"{counts}{repaired}")
    for fault in healed.healed:
        note(f"repaired: {fault.place}: {fault.what}")
    for failure in healed.failures:
        note(f"error: {failure}")
    for fault in faults:
        note(f"error: {fault}")
    if faults:
        raise typer.Exit(EXIT_PERMANENT)
