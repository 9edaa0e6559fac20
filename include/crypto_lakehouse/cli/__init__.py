"""The command line `crypto-lakehouse`, for people and for the DAGs.

Nothing is computed here. The commands import their engines themselves, so that `--help` and steps start fast.
"""

import gc
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from crypto_lakehouse import __version__
from crypto_lakehouse.cli import admin, backfill, catalog, gaps, ingest, instruments, query, step
from crypto_lakehouse.cli.arguments import LAKE
from crypto_lakehouse.cli.edge import run
from crypto_lakehouse.cli.own_lake import use_lake

__all__ = ["build_app", "main"]

PROGRAM = "crypto-lakehouse"


def _print_version(is_given: bool) -> None:
    if is_given:
        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
]


LakeOption = Annotated[
    str, typer.Option(LAKE, help="Folder or s3://bucket/prefix of the lake, before or after the command. [configured]")
]


def _program(*, lake: LakeOption = "", version: VersionOption = False) -> None:
    """Takes the options that belong to no command."""
    if lake:
        use_lake(lake)


def build_app() -> typer.Typer:
    """Returns the program with all its commands."""
    app = typer.Typer(
        help="A lakehouse for crypto market data: from the public archive to gated, queryable tables.",
        rich_markup_mode=None,
        add_completion=False,
    )
    app.callback()(_program)
    app.add_typer(admin.app, name="admin")
    app.add_typer(ingest.ingest_app, name="ingest")
    app.command("plan", epilog=ingest.PLAN_EXAMPLES)(ingest.plan)
    app.add_typer(backfill.app, name="backfill")
    app.add_typer(ingest.process_app, name="process")
    app.add_typer(query.app, name="query")
    app.add_typer(gaps.app, name="gaps")
    app.add_typer(instruments.app, name="instruments")
    app.add_typer(catalog.app, name="catalog")
    app.add_typer(step.app, name="step")
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code. The module `exit_codes` lists the codes."""
    code = run(build_app(), PROGRAM, arguments)
    # DuckDB reports an error at exit for objects that the garbage collector did not free.
    if arguments is None and "duckdb" not in sys.modules:
        # The process ends here. To free the many objects of a gate one by one took 0.7 s.
        gc.freeze()
    return code
