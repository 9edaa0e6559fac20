"""Which runner a step gets, and what its container is told: no engine is needed to say so."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import ObjectToPull
from crypto_lakehouse.runs.orders import PullOrder, write_order
from crypto_lakehouse.settings import (
    DockerSettings,
    ExchangeSettings,
    RunnerKind,
    Settings,
    StepLimits,
    StepSize,
    StorageSettings,
    load_settings,
)
from crypto_lakehouse.vocabulary import Step

pytestmark = pytest.mark.filterwarnings("ignore")

ORDER = "runs/binance_um_klines/run/pull-000.json"
CANARY = "canary-20d1"


def plan(step: Step = Step.PULL, worker: dict[str, str] | None = None, **settings: object) -> object:
    from lakehouse_airflow.runners.container import container_plan

    given = {"lake": "/data/lake", "runner": RunnerKind.DOCKER, **settings}
    return container_plan(step, ORDER, Settings(**given), worker or {})  # type: ignore[arg-type]


def test_one_setting_picks_the_runner_and_a_step_may_have_another() -> None:
    settings = Settings(runner=RunnerKind.DOCKER, runners={Step.PLAN: RunnerKind.LOCAL})
    assert settings.runner_of(Step.PLAN) is RunnerKind.LOCAL
    assert {settings.runner_of(step) for step in Step if step is not Step.PLAN} == {RunnerKind.DOCKER}


def test_a_variable_overrides_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_RUNNERS__GATE", "docker")
    assert Settings().runner_of(Step.GATE) is RunnerKind.DOCKER
    assert Settings().runner_of(Step.PULL) is RunnerKind.LOCAL


def test_large_orders_may_run_elsewhere_and_get_more() -> None:
    more = StepLimits(memory_mib=16384)
    settings = Settings(
        runner=RunnerKind.LOCAL,
        runners={Step.GATE: RunnerKind.DOCKER},
        sizes={
            "huge": StepSize(from_mib=4096, runner=RunnerKind.ECS),
            "large": StepSize(
                from_mib=512,
                runners={Step.CONFORM: RunnerKind.KUBERNETES},
                limits={Step.CONFORM: more},
                node_selector={"pool": "large"},
            ),
        },
    )
    small, large, huge = (settings.for_order(mib * 2**20) for mib in (511, 512, 4096))
    assert small is settings
    steps = (Step.PULL, Step.GATE, Step.CONFORM)
    runners = [[settings.runner_of(step).value for step in steps] for settings in (small, large, huge)]
    assert runners == [["local", "docker", "local"], ["local", "docker", "kubernetes"], ["ecs", "ecs", "ecs"]]
    limits = [settings.docker.limits_of(Step.CONFORM) for settings in (small, large, huge)]
    assert limits == [StepLimits(), more, more]
    assert [settings.kubernetes.node_selector for settings in (small, large)] == [{}, {"pool": "large"}]


def test_an_operator_asks_the_order_for_its_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lakehouse_airflow import operators

    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(tmp_path))
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_SIZES__LARGE__FROM_MIB", "1")
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_SIZES__LARGE__RUNNER", "kubernetes")
    load_settings.cache_clear()
    runners = []
    for size in (2**20 - 1, 2**20):
        objects = (ObjectToPull("data/x.zip", size, "etag", "2025-01-02T00:00:00+00:00", "c", "new"),)
        write_order(LocalStorage(tmp_path), ORDER, PullOrder("binance_um_klines", "run", "", objects))
        runners.append(operators._settings_for(ORDER, Step.PULL).runner.value)
    assert runners == ["local", "kubernetes"]
    (tmp_path / ORDER).unlink()
    assert operators._settings_for(ORDER, Step.PULL).runner is RunnerKind.LOCAL, "the step reports the missing order"
    load_settings.cache_clear()


def test_each_step_has_the_image_made_for_it() -> None:
    docker = DockerSettings(registry="registry.example/lake", tag="1.2", images={Step.GATE: "own/gate:3"})
    found = {step.value: docker.image(step).removeprefix("registry.example/lake/") for step in Step}
    rest = dict.fromkeys(
        ("plan", "conform", "build", "publish", "report", "gaps", "scrub", "repair", "collect"), "polars:1.2"
    )
    exchange = dict.fromkeys(("delta", "instruments"), "exchange:1.2")
    assert found == {**rest, **exchange, "pull": "s5cmd:1.2", "gate": "own/gate:3"}


def test_only_steps_that_need_the_network_get_one() -> None:
    found = {step for step in Step if plan(step).network != "none"}  # type: ignore[attr-defined]
    assert found == {Step.PLAN, Step.PULL, Step.DELTA, Step.INSTRUMENTS}
    assert {plan(step, lake="s3://lake/x").network for step in Step} == {"bridge"}  # type: ignore[attr-defined]


def test_a_lake_that_is_a_folder_is_mounted_and_one_in_s3_is_not() -> None:
    from lakehouse_airflow.runners.container import ContainerMount

    assert plan().mounts == (ContainerMount("/data/lake", "/lake"),)  # type: ignore[attr-defined]
    named = DockerSettings(lake_source="lake-volume", mounts=("/etc/own.pem:/own.pem", "key:/key:ro"))
    assert plan(docker=named).mounts == (  # type: ignore[attr-defined]
        ContainerMount("lake-volume", "/lake"),
        ContainerMount("/etc/own.pem", "/own.pem"),
        ContainerMount("key", "/key", is_read_only=True),
    )
    assert plan(lake="s3://lake/x").mounts == ()  # type: ignore[attr-defined]


def test_what_a_step_reads_are_the_settings_of_its_task(monkeypatch: pytest.MonkeyPatch) -> None:
    storage = StorageSettings(region="eu-west-1", secret_access_key=CANARY)  # type: ignore[arg-type]
    container = plan(storage=storage, exchange=ExchangeSettings(api_key=CANARY), profile="bad-network")  # type: ignore[arg-type]
    environment = dict(container.environment)  # type: ignore[attr-defined]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    read = Settings()
    assert (read.lake, read.work_folder, read.profile) == ("/lake", Path("/work"), "bad-network")
    assert read.storage == storage
    assert read.exchange.api_key is not None
    assert read.exchange.api_key.get_secret_value() == CANARY
    assert read.exchange.limits_file == Path("/lake/exchange/limits.sqlite")
    assert CANARY not in repr(container)
    assert not [name for name in environment if "DOCKER" in name or "RUNNER" in name]


def test_of_the_worker_s_own_variables_only_named_ones_are_passed_on() -> None:
    docker = DockerSettings(pass_environment=("AWS_REGION", "MISSING"))
    container = plan(docker=docker, worker={"AWS_REGION": "x", "AWS_SECRET_ACCESS_KEY": CANARY})
    assert container.environment["AWS_REGION"] == "x"  # type: ignore[attr-defined]
    assert CANARY not in json.dumps(dict(container.environment))  # type: ignore[attr-defined]


def test_two_tries_of_an_order_share_a_name_and_nothing_else_does() -> None:
    names = [
        plan().name,  # type: ignore[attr-defined]
        plan(Step.PLAN).name,  # type: ignore[attr-defined]
        plan(lake="/other").name,  # type: ignore[attr-defined]
    ]
    assert len(set(names)) == 3
    assert plan().name == names[0]  # type: ignore[attr-defined]


def test_limits_are_the_step_s_own() -> None:
    docker = DockerSettings(limits={Step.PULL: StepLimits(memory_mib=128)})
    assert plan(docker=docker).limits.memory_mib == 128  # type: ignore[attr-defined]
    assert plan(Step.GATE, docker=docker).limits == StepLimits()  # type: ignore[attr-defined]


@pytest.mark.parametrize("user", ["0:0", "root", "10001"])
def test_root_is_refused(user: str) -> None:
    with pytest.raises(ValidationError):
        DockerSettings(user=user)
