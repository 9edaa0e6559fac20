"""Measures what containers cost: a step by each runner beside a bare `docker run`, a DAG run, a cold build."""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment, prepare
from crypto_lakehouse.demo.synthetic import synthetic_csv
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest, run_folder
from crypto_lakehouse.settings import RunnerKind, Settings
from crypto_lakehouse.vocabulary import Frequency, Interval, Step
from tests.containers.engine import (
    IMAGES,
    OTHER_IMAGES,
    STRICT,
    UID,
    Engine,
    build_all,
    build_arguments,
    dockerfile,
    find_engine,
    image,
)
from tests.containers.engine_pods import EnginePods
from tests.containers.ministack import find_ministack, ministack
from tests.crypto_lakehouse.archive.objects import put_object, settings_for
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.kubernetes.api_server import kube_config
from tests.fakes.kubernetes.api_server import serving as serving_pods
from tests.lakehouse_airflow.runners.conftest import first_event, task_context

NAME = "binance_um_klines"
FIRST = date(2025, 1, 1)
IMAGE_OF = {Step.PULL: "s5cmd", Step.DELTA: "exchange", Step.GATE: "quality"}
STEP = (sys.executable, "-m", "crypto_lakehouse.cli", "step")


def engine() -> Engine:
    """Returns the engine, with all images built.

    Raises:
        RuntimeError: There is none.
    """
    found = find_engine()
    if isinstance(found, str):
        raise RuntimeError(found)
    build_all(found)
    return found


def docker_settings(lake: Path) -> dict[str, Any]:
    """Returns how steps run in the images built here, beside a lake that is a folder."""
    images = {step.value: image(IMAGE_OF.get(step, "polars")) for step in Step}
    return {"images": images, "network": "host", "lake_source": str(lake), "user": f"{UID}:{UID}"}


def run_runners(repeats: int) -> dict[str, Any]:
    """Returns the seconds from a runner's call to the finished conform of one day, in turns with bare starts.

    Kubernetes and ECS are stand-ins that run the containers on this engine at once: what is measured is what runner,
    operator and client add. Both are asked every second. Deferred, the trigger runs here at once, without the time that
    Airflow takes to hand a task to its triggerer and back.
    """
    used = engine()
    with _archive(1, 1) as bucket, _open_folder() as folder, ExitStack() as open_until_the_end:
        settings = settings_for(bucket, folder)
        order = _order_to_conform(settings)
        lake = Path(settings.lake)
        os.environ["CRYPTO_LAKEHOUSE_LAKE"] = settings.lake
        # Nothing of the machine's own configuration: Airflow is first imported below.
        os.environ["AIRFLOW_HOME"] = str(folder / "airflow")
        ways = {"process": lambda: _process(order), "docker_run": lambda: _bare(used, order, settings)}
        for kind, changed in {
            RunnerKind.LOCAL: {},
            RunnerKind.DOCKER: {"docker": docker_settings(lake)},
            RunnerKind.KUBERNETES: open_until_the_end.enter_context(_cluster(lake, folder)),
            RunnerKind.ECS: open_until_the_end.enter_context(_ecs(used, lake, folder)),
        }.items():
            of_kind = Settings.model_validate({**settings.model_dump(), **changed})
            ways[kind.value] = partial(_by_runner, kind, order, of_kind)
            if kind.value in changed and "deferrable" in changed[kind.value]:
                deferring = {**changed, kind.value: {**changed[kind.value], "deferrable": True}}
                of_kind = Settings.model_validate({**settings.model_dump(), **deferring})
                ways[f"{kind}_deferred"] = partial(_by_runner, kind, order, of_kind)
        seconds = _in_turns(ways, repeats)
    found = {f"{name}_seconds": round(statistics.median(all_of), 3) for name, all_of in seconds.items()}
    over = {
        f"{name}_over_docker_run_seconds": round(found[f"{name}_seconds"] - found["docker_run_seconds"], 3)
        for name in ways
        if name not in {"process", "docker_run", RunnerKind.LOCAL.value}
    }
    return {"repeats": repeats, **found, **over}


@contextmanager
def _cluster(lake: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields settings that lead to a cluster of the tests, whose pods this engine runs."""
    with closing(EnginePods("bench")) as carrier, serving_pods(carrier) as api:
        api.cluster.claims["lake"] = lake
        os.environ["KUBECONFIG"] = str(kube_config(api, folder / "kubeconfig"))
        kubernetes = {"lake_claim": "lake", "poll_seconds": 1, "deferrable": False}
        yield {"docker": docker_settings(lake), "kubernetes": kubernetes}


@contextmanager
def _ecs(used: Engine, lake: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields settings that lead to a stand-in for ECS, whose tasks this engine runs."""
    program = find_ministack()
    if program is None:
        raise RuntimeError("ministack is not here: `make test-containers` installs it")
    with ministack(used, program, folder) as here:
        os.environ.update(here.variables)
        here.define("crypto-lakehouse-conform", image("polars"), lake)
        ecs = {"has_lake_mount": True, "poll_seconds": 1, "subnets": ["subnet-1"], "deferrable": False}
        yield {"ecs": ecs}


def _process(order: str) -> int:
    return subprocess.run([*STEP, "conform", "--work-order", order], capture_output=True, check=False).returncode


def run_throughput(symbols: int, days: int, repeats: int) -> dict[str, Any]:
    """Returns objects per second of a DAG run on the local and on the Docker runner, in turns, each on an empty lake.

    The archive is on loopback, Airflow is this machine's own in a single process, and each step starts anew.
    """
    engine()
    seconds: dict[str, list[float]] = {"local": [], "docker": []}
    with _archive(symbols, days) as bucket, tempfile.TemporaryDirectory(prefix="bench-airflow-") as home:
        prepare(airflow_environment(Path(home), f"{home}/lake"))
        for _ in range(repeats):
            for runner, all_of in seconds.items():
                all_of.append(_dag_run(runner, bucket, Path(home), symbols, days))
    local, docker = (statistics.median(one) for one in seconds.values())
    return {
        "objects": symbols * days,
        "partitions": symbols,
        "local_seconds": round(local, 1),
        "docker_seconds": round(docker, 1),
        "local_objects_per_second": round(symbols * days / local, 1),
        "docker_objects_per_second": round(symbols * days / docker, 1),
        "docker_beside_local": round(local / docker, 2),
    }


def run_builds(count: int) -> dict[str, Any]:
    """Returns the seconds of building each image without any cache, and what it adds to its base in MB.

    The packages come from whatever index and mirror this machine has, so the seconds are as much theirs.
    """
    used = engine()
    base = re.sub(r".*=", "", build_arguments()[1])
    found: dict[str, Any] = {}
    for name in (*reversed(OTHER_IMAGES), *IMAGES)[:count]:
        # pip's, which outlive a build that is told to use no cache.
        used.run("builder", "prune", "--force", "--filter", "type=exec.cachemount")
        started = time.perf_counter()
        done = used.build(image(f"{name}-cold"), dockerfile(name), REPOSITORY, "--no-cache", *build_arguments())
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        found[f"{name}_seconds"] = round(time.perf_counter() - started, 1)
        added = used.inspect(image(f"{name}-cold"))["Size"] - used.inspect(base)["Size"]
        found[f"{name}_mb_over_its_base"] = round(added / 1e6)
        used.run("rmi", image(f"{name}-cold"))
    return found


def _in_turns(ways: Mapping[str, Callable[[], int]], repeats: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            if code := way():
                raise RuntimeError(f"{name} ended with {code}")
            seconds[name].append(time.perf_counter() - started)
    return seconds


def _by_runner(kind: RunnerKind, order: str, settings: Settings) -> int:
    from airflow.sdk.exceptions import TaskDeferred

    from lakehouse_airflow.operators import COMMAND
    from lakehouse_airflow.runners.choosing import new_runner
    from lakehouse_airflow.runners.runner import DeferrableRunner, RunContext

    def ignore(_line: str) -> None:
        return

    runner, context = new_runner(kind, COMMAND), RunContext(settings, ignore, {}, task_context())
    try:
        return runner.run(Step.CONFORM, order, context)
    except TaskDeferred as deferred:
        assert isinstance(runner, DeferrableRunner)
        return runner.resume(Step.CONFORM, order, context, asyncio.run(first_event(deferred.trigger)))


def _bare(used: Engine, order: str, settings: Settings) -> int:
    return used.run(
        *("run", "--rm", *STRICT, "--network", "none", "--volume", f"{settings.lake}:/lake"),
        *("--env", "CRYPTO_LAKEHOUSE_LAKE=/lake", image("polars"), "step", "conform", "--work-order", order),
    ).returncode


def _order_to_conform(settings: Settings) -> str:
    """Runs the pipeline once, so that there is an order whose objects are in Bronze."""
    request = PlanRequest(NAME, new_run_id("bench"), f"{FIRST}", f"{FIRST}", ("S000USDT",), ("1m",))
    summary = run_pipeline(request, settings)
    if summary.failures:
        raise RuntimeError(str(summary.failures))
    return f"{run_folder(NAME, request.run_id)}/transform-000.json"


def _dag_run(runner: str, bucket: FakeBucket, home: Path, symbols: int, days: int) -> float:
    """Returns the seconds of the run; every object must have become rows that readers see."""
    with _open_folder() as folder:
        settings = settings_for(bucket, folder)
        last = FIRST + timedelta(days=days - 1)
        conf = {"symbols": ["S*USDT"], "intervals": ["1m"], "start_date": f"{FIRST}", "end_date": f"{last}"}
        (folder / "runs.json").write_text(json.dumps([{"dag_id": NAME, "conf": conf}]))
        variables = {
            "CRYPTO_LAKEHOUSE_RUNNER": runner,
            "CRYPTO_LAKEHOUSE_DOCKER": json.dumps(docker_settings(Path(settings.lake))),
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": bucket.endpoint,
            "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false",
        }
        done = subprocess.run(
            [sys.executable, "-m", "lakehouse_airflow.run_dags", str(folder / "runs.json")],
            env=airflow_environment(home, settings.lake, variables),
            capture_output=True,
            text=True,
            check=False,
            umask=0,
        )
        told = [json.loads(line[1:]) for line in done.stdout.splitlines() if line.startswith("@")]
        if done.returncode:
            raise RuntimeError((done.stdout + done.stderr)[-4000:])
        rows = Lake(settings).coverage(NAME, days=(FIRST, last))["rows"].sum()
        if rows != symbols * days * 1440:
            raise RuntimeError(f"{rows:,} rows were published")
    seconds: float = told[-1]["seconds"]
    return seconds


@contextmanager
def _archive(symbols: int, days: int) -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as bucket:
        for number in range(symbols):
            for day in (FIRST + timedelta(days=one) for one in range(days)):
                symbol = f"S{number:03}USDT"
                key = ArchiveKey(dataset(NAME), Frequency.DAILY, symbol, Interval.M1, day)
                put_object(bucket, NAME, day, symbol=symbol, rows=synthetic_csv(key))
        yield bucket


@contextmanager
def _open_folder() -> Iterator[Path]:
    """Yields a folder whose lake the user of the images may write to, whoever made what is in it."""
    before = os.umask(0)
    try:
        with tempfile.TemporaryDirectory(prefix="bench-containers-") as name:
            Path(name).chmod(0o777)
            (Path(name) / "lake").mkdir()
            yield Path(name)
    finally:
        os.umask(before)
