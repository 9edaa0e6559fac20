"""The whole stack, as `docker compose up` gives it, from a first start to the last trace of it.

What differs from what users get: the base of the images, which is made on this machine where no registry of images can
be reached (`tests/containers/base_image.sh`), and the ports. The store, the database and the stand-in for Glue are the
images that users build too. The archive is the demonstration's; the exchange is not asked.
"""

import json
import os
import re
import socket
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from pathlib import Path
from urllib.parse import quote

import boto3
import polars as pl
import pytest
import requests

from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from tests.compose.airflow_api import AirflowApi, token
from tests.compose.browser import chromium, picture
from tests.compose.client import STACK_LABEL, Compose, find_compose
from tests.containers.engine import PREFIX, REPOSITORY, TAG, Engine
from tests.waiting import STANDSTILL_SECONDS, wait_until

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore")]

PORTS = ("AIRFLOW_PORT", "STORE_PORT", "GLUE_PORT")
LASTING = {"api-server", "dag-processor", "database", "glue", "guard", "scheduler", "store", "triggerer"}
SPOT, UM = "binance_spot_klines", "binance_um_klines"
DAYS = (date(2024, 12, 30), date(2025, 1, 2))
CONF = {"symbols": ["BTCUSDT"], "intervals": ["1h"], "start_date": str(DAYS[0]), "end_date": str(DAYS[1])}
SPOT_SERIES = (("BTCUSDT", "1h"), ("ETHUSDT", "1h"), ("BTCUSDT", "1m"), ("ETHUSDT", "1m"))
SECRETS = {
    "api-server": ("login/passwords.json", "airflow/fernet-key", "airflow/jwt-secret", "airflow/api-secret-key"),
    "database": ("database/password",),
    "store": ("lake/credentials", "archive/credentials"),
}


@pytest.fixture(scope="module")
def compose(images: Engine) -> Iterator[Compose]:
    """The stack, not started yet; whatever is left of it goes in the end."""
    command = find_compose(images)
    if isinstance(command, str):
        pytest.skip(command)
    with_demo = dict(re.findall(r"^([A-Z_]+)=(.*)$", (REPOSITORY / ".env.example").read_text(), re.MULTILINE))
    ports = {name: str(free_port()) for name in PORTS}
    stack = Compose(images, command, f"{PREFIX}-stack", {**with_demo, **ports, "REGISTRY": PREFIX, "TAG": TAG})
    stack.run("down", "--volumes")
    assert stack.leftovers() == []
    yield stack
    stack.run("down", "--volumes")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def stack(compose: Compose) -> Compose:
    """The stack after its first start."""
    started = time.monotonic()
    compose.run("up", "--detach")
    wait_until_well(compose)
    print(f"up and well after {time.monotonic() - started:.0f} s")
    return compose


def wait_until_well(compose: Compose) -> None:
    def health() -> dict[str, str]:
        known = compose.containers()
        return {name: known[name]["State"].get("Health", {}).get("Status", "") for name in LASTING}

    try:
        wait_until(lambda: set(health().values()) == {"healthy"}, progress=health, pause=2)
    except AssertionError as error:
        raise AssertionError(compose.logs()) from error


@pytest.fixture
def api(stack: Compose) -> AirflowApi:
    return opened(stack)


def opened(stack: Compose) -> AirflowApi:
    url = f"http://127.0.0.1:{stack.variables['AIRFLOW_PORT']}"
    password = json.loads(stack.execute("api-server", "cat", "/secrets/login/passwords.json"))["admin"]
    return AirflowApi(url, token(url, password))


def lake_of(stack: Compose) -> Lake:
    """Returns the lake as a client on this machine reads it, through the ports on loopback."""
    said = stack.execute("store", "cat", "/secrets/lake/credentials")
    pair = dict(re.findall(r"^(\w+) = (\S+)$", said, re.MULTILINE))
    os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"] = pair.values()
    # The session that tests of other stand-ins used in this process still knows their keys.
    boto3.setup_default_session()
    place = f"http://127.0.0.1:{stack.variables['STORE_PORT']}"
    glue = {"kind": "glue", "glue_endpoint_url": f"http://127.0.0.1:{stack.variables['GLUE_PORT']}"}
    keys = {f"{name.removeprefix('aws_')}": value for name, value in pair.items()}
    given = {"lake": "s3://lakehouse", "storage": {"endpoint_url": place, **keys}, "catalog": glue}
    return Lake(Settings.model_validate(given))


def rows(stack: Compose, dataset: str) -> list[int]:
    return [day["rows"] for day in lake_of(stack).coverage(dataset, days=DAYS).to_dicts()]


def test_nobody_has_rights_and_every_process_is_nobody_in_particular(stack: Compose) -> None:
    for service, found in stack.containers().items():
        host = found["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["Memory"], service
        assert 0 < host["PidsLimit"] <= 512, service
        for ports in (found["NetworkSettings"]["Ports"] or {}).values():
            assert {port["HostIp"] for port in ports or []} <= {"127.0.0.1"}, service
    for service in LASTING:
        # The health check of the guard starts as root, and gives its rights up as the guard does.
        wait_until(partial(has_no_rights, stack, service))


def has_no_rights(stack: Compose, service: str) -> bool:
    said = stack.engine.run("top", stack.container(service)["Id"], "-eo", "uid,pid,comm").stdout
    return {line.split()[0] for line in said.splitlines()[1:]} == {"10001"}


def test_an_airflow_without_a_password_tells_nothing(stack: Compose) -> None:
    url = f"http://127.0.0.1:{stack.variables['AIRFLOW_PORT']}"
    assert requests.get(f"{url}/api/v2/dags", timeout=STANDSTILL_SECONDS).status_code == 401
    assert requests.get(f"{url}/lakehouse/reports/", timeout=STANDSTILL_SECONDS).status_code == 401
    assert requests.get(f"{url}/auth/token", timeout=STANDSTILL_SECONDS).status_code >= 400
    for password in ("", "admin", "airflow"):
        body = {"username": "admin", "password": password}
        assert requests.post(f"{url}/auth/token", json=body, timeout=STANDSTILL_SECONDS).status_code >= 400, password


def test_the_lake_and_its_catalog_tell_nothing_without_the_key(stack: Compose) -> None:
    store = f"http://127.0.0.1:{stack.variables['STORE_PORT']}"
    assert requests.get(f"{store}/lakehouse?list-type=2", timeout=STANDSTILL_SECONDS).status_code == 403
    assert requests.put(f"{store}/data.binance.vision/x", data=b"x", timeout=STANDSTILL_SECONDS).status_code == 403
    assert requests.get(f"{store}/data.binance.vision?list-type=2", timeout=STANDSTILL_SECONDS).status_code == 200, (
        "the control"
    )
    glue = f"http://127.0.0.1:{stack.variables['GLUE_PORT']}"
    target = {"X-Amz-Target": "AWSGlue.GetDatabases", "Content-Type": "application/x-amz-json-1.1"}
    assert requests.post(glue, data="{}", headers=target, timeout=STANDSTILL_SECONDS).status_code == 403


def test_a_run_triggered_over_the_api_publishes(stack: Compose, api: AirflowApi) -> None:
    started = time.monotonic()
    api.parsed(UM)
    run = api.trigger(UM, CONF)
    assert api.finished(UM, run) == "success", api.tasks(UM, run)
    print(f"first run finished {time.monotonic() - started:.0f} s after the stack was well")
    assert rows(stack, UM) == [24, 24, 24, 24]
    answer = lake_of(stack).sql(f"SELECT count(*) AS rows, min(low) > 0 AS sane FROM {UM} WHERE kline_interval = '1h'")
    assert answer.to_dicts() == [{"rows": 31 * 24 + 2 * 24, "sane": True}]
    report = api.page(f"lakehouse/reports/{UM}/{quote(run, safe='')}/report.html")
    assert run in report and "s3://lakehouse" in report


def test_the_command_line_reads_the_lake_from_a_container_of_its_own(stack: Compose) -> None:
    output = command_line(stack, "query", "sql", f"SELECT count(*) AS n FROM {UM}", "--json")
    assert "792" in output


def command_line(stack: Compose, *words: str) -> str:
    """Returns the output of a command of `crypto-lakehouse` in the stack."""
    return stack.run("run", "--rm", "-T", "cli", *words)


def test_a_killed_step_and_a_killed_scheduler_are_made_good(stack: Compose, api: AirflowApi) -> None:
    chosen = ({**CONF, "symbols": [symbol], "intervals": [interval]} for symbol, interval in SPOT_SERIES)
    first, step = caught(stack, api, "plan", api.trigger(SPOT, next(chosen)), chosen)
    assert found_secrets(secrets_of(stack), stack.engine.run("inspect", step).stdout) == []
    stack.engine.run("kill", step)
    assert died(stack, step) == "137", "the fault: the step was killed while it ran"

    second, step = caught(stack, api, "conform", first, chosen)
    before = stack.container("scheduler")
    # The kernel spares the first process, a mere parent; the scheduler and its workers go at once.
    stack.engine.run("exec", before["Id"], "python", "-I", "-c", "import os; os.kill(-1, 9)", check=False)
    wait_until(lambda: stack.container("scheduler")["RestartCount"] > before["RestartCount"])
    after = stack.container("scheduler")
    assert after["Id"] == before["Id"]
    assert stack.steps("conform", second) == [step], "the fault: a worker died while its step was under way"

    for run, task in ((first, "plan"), (second, "transform.conform")):
        assert api.finished(SPOT, run) == "success", api.tasks(SPOT, run)
        assert {name: number for name, _, _, number in api.tasks(SPOT, run)}[task] >= 2
    assert stack.engine.run("inspect", step, check=False).returncode != 0, "the step that stood still is gone"
    days = lake_of(stack).coverage(SPOT, days=DAYS)
    for run in (first, second):
        conf = api.ask("GET", f"dags/{SPOT}/dagRuns/{run}")["conf"]
        (symbol,), (interval,) = conf["symbols"], conf["intervals"]
        of_run = days.filter((pl.col("symbol") == symbol) & (pl.col("kline_interval") == interval))
        assert of_run["rows"].to_list() == [24 * 60 if interval == "1m" else 24] * 4
    command_line(stack, "catalog", "verify", SPOT, "--deep")


def caught(
    stack: Compose, api: AirflowApi, step: str, run: str, others: Iterator[dict[str, object]]
) -> tuple[str, str]:
    """Returns a run and the container of one of its steps, which stands still and would never finish by itself.

    A step takes a second or two, and may have ended before anybody can reach for it: then another run is triggered.
    """
    while not (container := paused(stack, api, step, run)):
        run = api.trigger(SPOT, next(others))
    return run, container


def paused(stack: Compose, api: AirflowApi, step: str, run: str) -> str:
    """Returns the container of a run's step, paused; an empty word where the step ended first."""
    task = {"plan": "plan", "conform": "transform.conform"}[step]

    def is_over() -> bool:
        ended = {"success", "failed", "skipped"}
        return any(name == task and state in ended for name, _, state, _ in api.tasks(SPOT, run))

    # Where it is over, a name that no container has takes the place of its own.
    container = wait_until(lambda: stack.steps(step, run) or (is_over() and ["over"]))[0]
    if stack.engine.run("pause", container, check=False).returncode != 0:
        return ""
    assert stack.engine.inspect(container)["State"]["Status"] == "paused"
    return container


def died(stack: Compose, container: str) -> str:
    """Returns the exit code that the engine noted when a container ended; the container itself may be gone."""
    said = stack.engine.run(
        *("events", "--since", "10m", "--until", str(int(time.time()) + 1)),
        *("--filter", f"container={container}", "--filter", "event=die", "--format", "{{json .Actor.Attributes}}"),
    ).stdout
    return str(json.loads(said.splitlines()[-1])["exitCode"])


def test_the_ui_shows_the_finished_run(stack: Compose, api: AirflowApi) -> None:
    if chromium() is None:
        pytest.skip("there is no Chromium to look with")
    (run,) = [run["dag_run_id"] for run in api.ask("GET", f"dags/{UM}/dagRuns")["dag_runs"] if run["conf"] == CONF]
    page = f"{api.url}/dags/{UM}/runs/{quote(run)}"
    shot, text = picture(page, ("_token", api.token), [run, "Success", "transform.publish"])
    place = Path(os.environ.get("PICTURES", REPOSITORY / ".demo"))
    place.mkdir(parents=True, exist_ok=True)
    (place / "airflow.png").write_bytes(shot)
    assert len(shot) > 20_000
    assert "Sign in" not in text


def test_a_second_up_changes_nothing(stack: Compose) -> None:
    def lasting() -> dict[str, tuple[str, str]]:
        containers = stack.containers()
        return {name: (found["Id"], found["State"]["StartedAt"]) for name, found in containers.items()}

    before = lasting()
    stack.run("up", "--detach")
    wait_until_well(stack)
    after = lasting()
    assert {name: number for name, (number, _) in after.items()} == {
        name: number for name, (number, _) in before.items()
    }
    assert {name: after[name] for name in LASTING} == {name: before[name] for name in LASTING}


def test_no_secret_is_in_what_the_engine_shows_or_in_a_log(stack: Compose) -> None:
    secrets = secrets_of(stack)
    shown = [stack.engine.run("inspect", container["Id"]).stdout for container in stack.containers().values()]
    said = [stack.engine.run("logs", container["Id"]) for container in stack.containers().values()]
    tasks = stack.execute("scheduler", "sh", "-c", "cat $(find /logs -type f)")
    assert "conform" in tasks, "the control: the logs of tasks are there"
    everything = [*shown, *(output.stdout + output.stderr for output in said), tasks]
    assert [name for text in everything for name in found_secrets(secrets, text)] == []
    leak = stack.execute("api-server", "cat", "/secrets/login/passwords.json")
    assert found_secrets(secrets, leak) == ["login/passwords.json"], "the control: a leak is found"


def secrets_of(stack: Compose) -> dict[str, list[str]]:
    """Returns the words of each secret that give something away."""
    content = {
        name: stack.execute(service, "cat", f"/secrets/{name}") for service, names in SECRETS.items() for name in names
    }
    words = {name: re.findall(r"[A-Za-z0-9_=+/-]{20,}", text) for name, text in content.items()}
    return {name: [word for word in found if not word.startswith("aws_")] for name, found in words.items()}


def found_secrets(secrets: dict[str, list[str]], text: str) -> list[str]:
    return [name for name, words in secrets.items() if any(word in text for word in words)]


def test_a_glue_that_came_back_is_filled_from_the_lake(stack: Compose) -> None:
    before = rows(stack, UM)
    stack.engine.run("restart", stack.container("glue")["Id"])
    wait_until_well(stack)
    assert rows(stack, UM) == before


def test_what_was_published_survives_a_down_in_the_middle_of_a_run(stack: Compose) -> None:
    login = stack.execute("api-server", "cat", "/secrets/login/passwords.json")
    opened(stack).trigger(UM, {**CONF, "symbols": ["ETHUSDT"]})
    wait_until(stack.steps)
    stack.run("down")
    assert {line.split()[0] for line in stack.leftovers()} == {"volume"}, "a step that was left would hold the network"
    stack.run("up", "--detach")
    wait_until_well(stack)
    assert stack.execute("api-server", "cat", "/secrets/login/passwords.json") == login
    assert rows(stack, UM)[:4] == [24, 24, 24, 24]


def test_down_with_its_volumes_leaves_nothing(stack: Compose) -> None:
    stack.run("down", "--volumes")
    assert stack.leftovers() == []
    named = stack.engine.run("volume", "ls", "--quiet", "--filter", f"name={stack.project}").stdout
    assert named == ""
    assert stack.engine.run("ps", "--all", "--quiet", "--filter", f"label={STACK_LABEL}={stack.project}").stdout == ""
