"""`crypto-lakehouse catalog`: the catalog held against the lake."""

from typing import TYPE_CHECKING, Annotated

import typer

from crypto_lakehouse.cli.output import JsonOption, examples, note, print_json
from crypto_lakehouse.cli.progress import listening
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.datasets import dataset as dataset_row
from crypto_lakehouse.exit_codes import EXIT_PERMANENT

if TYPE_CHECKING:
    from crypto_lakehouse.spec import Dataset

app = typer.Typer(help="Hold the catalog against the lake, or make it anew from it.", rich_markup_mode=None)

DatasetArgument = Annotated[str, typer.Argument(help="A dataset such as binance_um_klines; all by default.")]
DeepOption = Annotated[bool, typer.Option("--deep", help="Also read every file and compare its sha256.")]


def _rows(dataset: str) -> "tuple[Dataset, ...]":
    return (dataset_row(dataset),) if dataset else DATASETS


@app.command(epilog=examples("catalog rebuild", "catalog rebuild binance_um_klines --json"))
def rebuild(dataset: DatasetArgument = "", *, as_json: JsonOption = False) -> None:
    """Point the catalog at the newest version of each partition that the lake's verdict log says passed."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import rebuild as rebuild_dataset
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    catalog, storage = open_catalog(settings), open_storage(settings)
    rows, counts = _rows(dataset), {}
    with listening(quiet=as_json) as progress:
        for done, row in enumerate(rows, start=1):
            counts[row.name] = rebuild_dataset(catalog, storage, row)
            progress("datasets rebuilt", done, len(rows))
    if as_json:
        print_json({"status": "succeeded", "partitions": counts})
    else:
        print(f"{sum(counts.values()):,} partitions of {sum(map(bool, counts.values()))} datasets are in the catalog")


@app.command(epilog=examples("catalog verify", "catalog verify binance_um_klines --deep", "catalog verify --json"))
def verify(dataset: DatasetArgument = "", *, deep: DeepOption = False, as_json: JsonOption = False) -> None:
    """Check that every published file is there with its size, and with --deep its bytes; exit code 65 if not."""
    from crypto_lakehouse.catalog.opening import open_catalog
    from crypto_lakehouse.catalog.rebuilding import verify as verify_dataset
    from crypto_lakehouse.lake.opening import open_storage
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    catalog, storage = open_catalog(settings), open_storage(settings)
    rows, faults = _rows(dataset), {}
    with listening(quiet=as_json) as progress:
        for done, row in enumerate(rows, start=1):
            faults[row.name] = [one.what for one in verify_dataset(catalog, storage, row, deep)]
            progress("datasets verified", done, len(rows))
    total = sum(map(len, faults.values()))
    if as_json:
        print_json({"status": "failed" if total else "succeeded", "faults": {k: v for k, v in faults.items() if v}})
    else:
        print(f"{total} faults in {len(rows)} datasets")
    for name, lines in faults.items():
        for line in lines:
            note(f"error: {name}: {line}")
    if total:
        note("Run `crypto-lakehouse catalog rebuild`, or run the partitions again")
        raise typer.Exit(EXIT_PERMANENT)
