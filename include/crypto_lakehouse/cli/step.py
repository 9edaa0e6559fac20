"""`crypto-lakehouse step`: one verb for one work order, as the DAGs run it."""

from dataclasses import asdict
from typing import Annotated

import typer

from crypto_lakehouse.cli.output import JsonOption, examples, print_json
from crypto_lakehouse.cli.progress import listening
from crypto_lakehouse.vocabulary import Step

app = typer.Typer(help="Carry out one work order; every verb may be run again at any time.", rich_markup_mode=None)

WorkOrder = Annotated[
    str,
    typer.Option("--work-order", help="Key of the order in the lake, runs/<dataset>/<run>/<order>.json, or its URI."),
]

_HELP = {
    Step.PLAN: "Compare the archive with the lake and write the orders of the other steps.",
    Step.PULL: "Bring a batch of archive objects into Bronze, verified.",
    Step.DELTA: "Ask the exchange for a batch of what the archive does not have yet.",
    Step.CONFORM: "Build a batch of Silver partitions that no reader sees yet.",
    Step.GATE: "Judge the candidates of a batch.",
    Step.PUBLISH: "Point the catalog at the candidates that passed.",
    Step.REPORT: "Write the run's summary and quality report.",
}
_ORDER = {Step.PLAN: "plan", Step.PULL: "pull-000", Step.DELTA: "delta-000", Step.REPORT: "plan"}


def _add(step: Step) -> None:
    order = f"runs/binance_um_klines/RUN/{_ORDER.get(step, 'transform-000')}.json"

    def command(work_order: WorkOrder, as_json: JsonOption = False) -> None:
        _run(step, work_order, as_json)

    lines = (f"step {step} --work-order {order}", f"step {step} --work-order s3://lake/{order} --json")
    app.command(step.value, help=_HELP[step], epilog=examples(*lines))(command)


def _run(step: Step, work_order: str, as_json: bool) -> None:
    from crypto_lakehouse.settings import load_settings
    from crypto_lakehouse.steps import run_step

    with listening(quiet=as_json) as progress:
        outcome = run_step(step, work_order, load_settings(), progress)
    said = asdict(outcome)
    # The payload is for the next step, which reads it from the result file; it can be large.
    del said["payload"]
    if as_json:
        print_json(said)
        return
    print(f"{outcome.step} of {outcome.dataset}: {outcome.status.replace('_', ' ')} in {outcome.seconds:.1f} s")
    for name, count in outcome.counts.items():
        print(f"  {name.replace('_', ' ')}: {count:,}")


for _step in Step:
    _add(_step)
