"""`crypto-lakehouse ingest|plan|process`: whole runs from the command line."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from crypto_lakehouse.cli import options
from crypto_lakehouse.cli.options import GivenOptions, plan_request
from crypto_lakehouse.cli.output import JsonOption, examples, note, note_traceback, print_json, print_table
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.exit_codes import EXIT_PERMANENT
from crypto_lakehouse.progress import shown_progress
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import DataType, market_name

if TYPE_CHECKING:
    from crypto_lakehouse.running import RunSummary, StepFailure
    from crypto_lakehouse.runs.orders import PlanRequest
    from crypto_lakehouse.settings import Settings

MAX_LISTED = 20

ingest_app = typer.Typer(
    help="Bring one kind of data from the archive, and what it lacks from the exchange, to queryable tables.",
    rich_markup_mode=None,
)
process_app = typer.Typer(help="Work on what the lake already holds.", rich_markup_mode=None)

DataTypeArgument = Annotated[str, typer.Argument(help="A data type such as klines or funding-rates, or a dataset.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done. Nothing is written.")]


def _command_name(kind: DataType) -> str:
    plain = kind.slug.replace("_", "-")
    return "funding-rates" if kind is DataType.FUNDING_RATE else plain


def _place(dataset: Dataset) -> str:
    """Returns the options that choose a dataset's exchange and market."""
    exchange = "" if dataset.exchange is DATASETS[0].exchange else f"--exchange {dataset.exchange} "
    return f"{exchange}--market {dataset.market}"


def _add(kind: DataType) -> None:
    def command(
        *,
        symbols: options.SymbolsOption = None,
        start_date: options.StartOption = "",
        end_date: options.EndOption = "",
        exchange: options.ExchangeOption = None,
        market: options.MarketOption = None,
        interval: options.IntervalsOption = None,
        profile: options.ProfileOption = "",
        delta: options.DeltaOption = True,
        as_json: JsonOption = False,
    ) -> None:
        """Runs the datasets of the kind."""
        choice = (kind.slug, market, symbols, interval, start_date, end_date, profile)
        run_and_print(GivenOptions(*choice, delta=delta, exchange=exchange), as_json)

    datasets = [dataset for dataset in DATASETS if dataset.data_type is kind]
    name = _command_name(kind)
    markets = ", ".join(market_name(dataset.exchange, dataset.market) for dataset in datasets)
    interval = " --interval 1h" if datasets[0].has_interval else ""
    lines = [
        f"ingest {name} {_place(dataset)} --symbols {dataset.sample_symbol}{interval}"
        " --start-date 2024-12-01 --end-date 2025-01-31"
        for dataset in datasets
    ]
    lines.append(f"ingest {name} --market {datasets[0].market} --symbols '*' --profile small-memory --json")
    words = kind.slug.replace("_", " ")
    help_text = f"Plan, pull, request, conform, gate and publish {words} ({markets})."
    ingest_app.command(name, help=help_text, short_help=f"{words} ({markets})", epilog=examples(*lines))(command)
    if name != kind.slug.replace("_", "-"):
        ingest_app.command(kind.slug.replace("_", "-"), hidden=True, help=help_text)(command)


for _kind in DataType:
    _add(_kind)


@process_app.command(
    epilog=examples(
        "process transform --data-type klines --market um",
        "process transform --data-type agg-trades --market spot --symbols BTCUSDT --start-date 2025-01-01 --json",
    )
)
def transform(
    *,
    data_type: options.DataTypeOption,
    symbols: options.SymbolsOption = None,
    start_date: options.StartOption = "",
    end_date: options.EndOption = "",
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    interval: options.IntervalsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Build, gate and publish the partitions that are behind Bronze. Does not list the archive."""
    choice = (data_type, market, symbols, interval, start_date, end_date)
    run_and_print(GivenOptions(*choice, pull=False, delta=False, exchange=exchange), as_json)


def plan(
    *,
    data_type: DataTypeArgument,
    symbols: options.SymbolsOption = None,
    start_date: options.StartOption = "",
    end_date: options.EndOption = "",
    exchange: options.ExchangeOption = None,
    market: options.MarketOption = None,
    interval: options.IntervalsOption = None,
    profile: options.ProfileOption = "",
    delta: options.DeltaOption = True,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare the archive with the lake and write the work orders. With --dry-run only show what they would be."""
    choice = (data_type, market, symbols, interval, start_date, end_date, profile)
    given = GivenOptions(*choice, delta=delta, exchange=exchange)
    settings, request = _request(given)
    with shown_progress(quiet=as_json) as progress:
        from crypto_lakehouse import running

        outcome = (running.explain if dry_run else running.write_plan)(request, settings, progress)
    if as_json:
        print_json(outcome)
        return
    for name, count in outcome["counts"].items():
        print(f"{name.replace('_', ' ')}: {count:,}")
    for name in ("objects", "spans", "partitions", "orders"):
        _print_list(name, outcome.get(name, []))


def _print_list(name: str, lines: list[str]) -> None:
    if lines:
        print(f"{name}:")
    for line in lines[:MAX_LISTED]:
        print(f"  {line}")
    if len(lines) > MAX_LISTED:
        print(f"  ... and {len(lines) - MAX_LISTED:,} more; --json lists all")


PLAN_EXAMPLES = examples(
    "plan klines --market um --symbols BTCUSDT ETHUSDT --interval 1m --start-date 2024-12-01 --dry-run",
    "plan binance_spot_agg_trades --symbols BTCUSDT --start-date 2025-01-01 --end-date 2025-01-31 --json",
)


def _request(given: GivenOptions) -> "tuple[Settings, PlanRequest]":
    from crypto_lakehouse.running import new_run_id
    from crypto_lakehouse.settings import load_settings

    settings = load_settings()
    # An unknown profile is refused here, before anything is written.
    settings.transfer_profile(given.profile)
    return settings, plan_request(given, new_run_id("cli"), settings.start_date)


def run_and_print(given: GivenOptions, as_json: bool) -> None:
    """Carries out a whole run and prints what came of it.

    Raises:
        typer.Exit: Steps failed, or objects or partitions were refused.
    """
    from crypto_lakehouse.running import run_pipeline
    from crypto_lakehouse.runs.history import RunStatus

    settings, request = _request(given)
    with shown_progress(quiet=as_json) as progress:
        summary = run_pipeline(request, settings, progress)
    if as_json:
        print_json(_document(summary))
    else:
        _print_summary(summary)
    for refused in summary.refused[:MAX_LISTED]:
        note(f"refused: {refused}")
    if len(summary.refused) > MAX_LISTED:
        note(f"... and {len(summary.refused) - MAX_LISTED:,} more; the report lists all")
    end_with_failures(summary)
    if summary.status is RunStatus.QUARANTINED:
        note("error: objects or partitions were refused; readers keep what they had of them")
        note(f"See {summary.report}")
        raise typer.Exit(EXIT_PERMANENT)


def end_with_failures(summary: "RunSummary") -> None:
    """Prints why steps of a run failed, if some did, and ends the command.

    Raises:
        typer.Exit: Steps failed. The code is the worst among them.
    """
    for failure in summary.failures:
        if not isinstance(failure.error, LakehouseError):
            note_traceback(failure.error)
        note(f"error: {failure.step} of {failure.order_key}: {_reason(failure)}")
    if summary.failures:
        raise typer.Exit(summary.exit_code)


def _reason(failure: "StepFailure") -> str:
    """Returns why a step failed. The text of a foreign error may quote a secret: it is in the traceback alone."""
    if isinstance(failure.error, LakehouseError):
        return str(failure.error)
    return f"{type(failure.error).__name__}: this is a bug in the program; see the traceback"


def _document(summary: "RunSummary") -> dict[str, Any]:
    return {
        "status": summary.status,
        "dataset": summary.request.dataset,
        "run_id": summary.request.run_id,
        "order": summary.order_key,
        "report": summary.report,
        "counts": summary.counts(),
        "refused": list(summary.refused),
        "failures": [
            {
                "step": failure.step,
                "order": failure.order_key,
                "class": type(failure.error).__name__,
                "message": _reason(failure),
            }
            for failure in summary.failures
        ],
        "seconds": summary.seconds,
    }


def _print_summary(summary: "RunSummary") -> None:
    columns = (
        "dataset",
        "status",
        "pulled",
        "asked",
        "refused",
        "rows",
        "available",
        "degraded",
        "quarantined",
        "seconds",
    )
    figures = summary.figures
    row = (
        summary.request.dataset,
        summary.status.replace("_", " "),
        figures.pull.objects,
        figures.delta.requests,
        len(summary.refused),
        figures.publish.rows_published,
        figures.gate.partitions_available,
        figures.gate.partitions_degraded,
        figures.gate.partitions_quarantined,
        f"{summary.seconds:.1f}",
    )
    print_table(columns, [row])
    print(f"run: {summary.order_key.rpartition('/')[0]}")
    if summary.report:
        print(f"quality report: {summary.report}")
