"""The lake of `make demo`, made without Airflow: the same archive, servers and steps, and the same summary."""

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from crypto_lakehouse.demo import place as places
from crypto_lakehouse.demo.masters import update_masters
from crypto_lakehouse.demo.place import Place, served
from crypto_lakehouse.demo.requests import DagRun, synthetic_requests, synthetic_runs
from crypto_lakehouse.demo.summary import show_summary
from crypto_lakehouse.demo.synthetic import build_archive
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import load_settings
from tests.prepared import prepared

DATASETS = ("binance_spot_klines", "binance_um_funding_rate", "binance_um_klines")
"""What the examples of the pages read. All ten datasets of the demonstration take twice as long."""
HOME = Path(".demo") / "synthetic"


@dataclass(frozen=True)
class _Finished:
    """A finished run; its run id is the only name that the summary needs."""

    dataset: str
    state: str
    run_id: str
    seconds: float


PRINTED = Path(".demo") / "printed.txt"


def demo_folder(factory: pytest.TempPathFactory) -> Path:
    """Returns a folder after a first demonstration, with what it printed; made once for all workers of a run."""
    return prepared(factory, "demo", lambda folder: (folder / PRINTED).write_text(make_demo(folder), encoding="utf-8"))


def make_demo(folder: Path) -> str:
    """Runs the demonstration in a folder that stands for a checkout, and returns what it printed.

    A second call on the same folder is a second demonstration.
    """
    output = io.StringIO()
    console = Console(file=output, width=130, soft_wrap=True)
    archive = folder / HOME / "archive"
    if not archive.exists():
        build_archive(archive, [request for request in synthetic_requests() if request.dataset.name in DATASETS])
    with served_demo(folder) as environment:
        finished = [_run(run) for run in synthetic_runs() if run.dataset in DATASETS]
        has_masters = update_masters(DATASETS, environment, console)
        is_whole = show_summary(folder / HOME / "lake", finished, console)
    assert (has_masters, is_whole) == (True, True), output.getvalue()
    return output.getvalue()


@contextmanager
def served_demo(folder: Path) -> Iterator[Mapping[str, str]]:
    """Serves archive and exchange of a demonstration; the settings of this process are those of its steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(places, "SYNTHETIC_ARCHIVE", folder / HOME / "archive")
        with served(Place("a synthetic archive", folder / HOME, folder / HOME / "archive")) as environment:
            for name in (name for name in environment if name.startswith("CRYPTO_LAKEHOUSE_")):
                patch.setenv(name, environment[name])
            load_settings.cache_clear()
            yield environment
    load_settings.cache_clear()


def _run(run: DagRun) -> _Finished:
    started, conf = time.monotonic(), run.conf
    request = PlanRequest(
        run.dataset,
        new_run_id("demo"),
        conf["start_date"],
        conf["end_date"],
        tuple(conf["symbols"]),
        tuple(conf.get("intervals", ())),
    )
    summary = run_pipeline(request, load_settings())
    state = "failed" if summary.failures else "success"
    return _Finished(run.dataset, state, request.run_id, time.monotonic() - started)
