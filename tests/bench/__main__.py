"""Runs benches by hand: `python -m tests.bench [NAME ...]`, or renders `docs/performance.md` anew: `... render`.

Without names: all but `large` (50 million trades) and those that need a Docker engine (`runners`, `throughput`,
`builds`). Each result is kept in `tests/bench/results/NAME.json`.
"""

import json
import sys
from collections.abc import Sequence

from tests.bench.machine import machine
from tests.bench.render import RESULTS, write_page
from tests.bench.suite import BENCHES, BY_HAND, WITH_ENGINE, run_alone


def main(arguments: Sequence[str]) -> None:
    """Runs what is asked for and writes the page."""
    match arguments:
        case ["_alone", name, *sizes]:
            print(json.dumps(run_alone(name, [int(one) for one in sizes])))
            return
        case ["render"]:
            names: Sequence[str] = ()
        case _:
            names = arguments or tuple(BENCHES)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        kept = {"machine": machine(), "result": (BENCHES | BY_HAND | WITH_ENGINE)[name]()}
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1) + "\n")
    write_page()


if __name__ == "__main__":
    main(sys.argv[1:])
