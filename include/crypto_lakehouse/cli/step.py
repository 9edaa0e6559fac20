"""`crypto-lakehouse step`: one verb for one work order, as the DAGs run it."""

from typing import Annotated

import typer

from crypto_lakehouse.cli.output import JsonOption, examples, print_json
from crypto_lakehouse.progress import shown_progress
from crypto_lakehouse.verbs import VERBS, Verb
from crypto_lakehouse.vocabulary import Step

app = typer.Typer(help="Carry out one work order; every verb may be run again at any time.", rich_markup_mode=None)

WorkOrder = Annotated[
    str,
    typer.Option("--work-order", help="Key of the order in the lake, runs/<dataset>/<run>/<order>.json, or its URI."),
]


def _add(verb: Verb) -> None:
    order = f"runs/binance_um_klines/RUN/{verb.sample_order}"

    def command(work_order: WorkOrder, as_json: JsonOption = False) -> None:
        """Carries out an order of the verb."""
        _run(verb.step, work_order, as_json)

    lines = (f"step {verb.step} --work-order {order}", f"step {verb.step} --work-order s3://lake/{order} --json")
    app.command(verb.step.value, help=verb.help, epilog=examples(*lines))(command)


def _run(step: Step, work_order: str, as_json: bool) -> None:
    from crypto_lakehouse.settings import load_settings
    from crypto_lakehouse.steps import run_step

    with shown_progress(quiet=as_json) as progress:
        result = run_step(step, work_order, load_settings(), progress)
    if as_json:
        print_json(result.summary())
        return
    print(f"{result.step} of {result.subject}: {result.status.replace('_', ' ')} in {result.seconds:.1f} s")
    for name, count in result.counts().items():
        print(f"  {name.replace('_', ' ')}: {count:,}")


for _verb in VERBS:
    _add(_verb)
