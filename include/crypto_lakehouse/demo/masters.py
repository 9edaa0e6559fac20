"""The instrument masters of a demonstration: `python -m crypto_lakehouse.demo.masters DATASET ...`.

Otherwise the DAG `instruments` updates them once a week. Its step runs here without Airflow, which takes longer to
start than the step takes.
"""

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console


def update_masters(datasets: Iterable[str], environment: Mapping[str, str], console: Console) -> bool:
    """Updates the masters of the datasets' markets, prints what they have, and returns whether all went well.

    Args:
        datasets: Names of datasets whose archive has been read.
        environment: The environment of a step.
        console: Gets a line per market, and the reason of a failure.
    """
    done = subprocess.run(  # noqa: S603  our own interpreter and module, an argument list
        [sys.executable, "-m", "crypto_lakehouse.demo.masters", *datasets],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    counts = ", ".join(done.stdout.splitlines())
    console.print(f"Instruments in the master: {counts or 'none'}", markup=False, highlight=False)
    if done.returncode:
        console.print(f"instruments: {done.stderr.strip()[-2000:]}", style="red", markup=False, highlight=False)
    return not done.returncode


def main(datasets: Sequence[str]) -> int:
    """Updates the masters of the datasets' markets, and returns the exit code: 0, or 65 if one failed."""
    # The process that starts this one loads none of them.
    from crypto_lakehouse.errors import LakehouseError
    from crypto_lakehouse.instruments.updating import SOURCES
    from crypto_lakehouse.running import new_run_id, run_alone
    from crypto_lakehouse.runs.orders import InstrumentsOrder
    from crypto_lakehouse.settings import load_settings
    from crypto_lakehouse.vocabulary import Step

    code = 0
    for market in [market for market, names in SOURCES.items() if set(names) & set(datasets)]:
        try:
            result = run_alone(Step.INSTRUMENTS, InstrumentsOrder(market, new_run_id("demo")), load_settings())
        except LakehouseError as error:
            print(f"{market}: {error}", file=sys.stderr)
            code = 65
            continue
        print(f"{market} {result.completed().figures.instruments}")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
