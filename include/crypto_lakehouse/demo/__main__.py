"""`python -m crypto_lakehouse.demo [ARCHIVE]`, or with `--up`: Airflow and its UI."""

import os
import sys

from rich.console import Console

from crypto_lakehouse.errors import LakehouseError


def main(arguments: list[str]) -> int:
    """Returns the exit code: 0 for success, 1 if a DAG run or Airflow failed, 65 if it could not start."""
    console = Console(soft_wrap=True) if sys.stdout.isatty() else Console(soft_wrap=True, width=130)
    try:
        # These modules load only in a checkout.
        from crypto_lakehouse.demo.run import chosen_source, run_demo
        from crypto_lakehouse.demo.up import up

        if arguments[:1] == ["--up"]:
            return up(console)
        return run_demo(chosen_source(arguments[0] if arguments else "", os.environ), console)
    except LakehouseError as error:
        console.print(f"[red]{error}[/]")
        return 65


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
