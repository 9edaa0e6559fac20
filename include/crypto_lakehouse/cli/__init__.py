"""The command line, `crypto-lakehouse`: what people type and what the DAGs run.

Nothing here computes. Engines are imported inside the commands, so that `--help` and a step's start stay quick.
"""

import gc
import sys
from collections.abc import Sequence

import typer

from crypto_lakehouse.cli import admin, backfill, catalog, gaps, ingest, instruments, query, step
from crypto_lakehouse.cli.edge import run

__all__ = ["build_app", "main"]

PROGRAM = "crypto-lakehouse"


def build_app() -> typer.Typer:
    """Returns the program with all its commands."""
    app = typer.Typer(
        help="A lakehouse for crypto market data: from the public archive to gated, queryable tables.",
        rich_markup_mode=None,
        add_completion=False,
    )
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
    """Runs the command line and returns its exit code; see `edge` for what the codes mean."""
    code = run(build_app(), PROGRAM, arguments)
    # DuckDB complains at exit of objects that were kept from the collector.
    if arguments is None and "duckdb" not in sys.modules:
        # The process ends here: taking a gate's many objects apart one by one cost 0.7 s at exit.
        gc.freeze()
    return code
