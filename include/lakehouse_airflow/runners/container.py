"""The parts of a step's container: image, command, mounts, environment, limits. This module calls no engine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from crypto_lakehouse.settings import PREFIX, Settings, StepLimits
from crypto_lakehouse.verbs import verb_of
from crypto_lakehouse.vocabulary import Step

LAKE, WORK = "/lake", "/work"
_NOT_FOR_STEPS = frozenset({"runner", "runners", "sizes", "docker", "kubernetes", "ecs", "work_folder", "lake"})


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """A folder of the engine's machine, or a volume, and its path in the container."""

    source: str
    target: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class ContainerPlan:
    """The container of one step and one order.

    Args:
        name: The same for every try of the order, so that two tries never run at once.
        environment: Names and values; may contain secrets and is never logged.
        mounts: Folders and volumes that the container sees.
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    mounts: tuple[ContainerMount, ...]
    network: str
    limits: StepLimits


def container_plan(step: Step, order_key: str, settings: Settings, worker: Mapping[str, str]) -> ContainerPlan:
    """Returns the container that carries out an order.

    Args:
        step: The verb.
        order_key: The order's key in the lake.
        settings: The deployment's settings. The step gets the same values.
        worker: Environment of the task; the settings list the variables that are passed on.
    """
    docker, folder = settings.docker, _lake_folder(settings)
    mounts = [] if folder is None else [ContainerMount(docker.lake_source or str(folder), LAKE)]
    passed = {name: worker[name] for name in docker.pass_environment if name in worker}
    return ContainerPlan(
        name=step_name(step, order_key, settings),
        image=docker.image(step),
        command=("step", step.value, "--work-order", order_key),
        environment={**passed, **_with_secrets(step_environment(settings), settings)},
        mounts=(*mounts, *(_mount(text) for text in docker.mounts)),
        # Where the lake is a folder, a step that opens no connection to anything else gets no network at all.
        network=docker.network if verb_of(step).is_online or folder is None else "none",
        limits=docker.limits_of(step),
    )


def _lake_folder(settings: Settings) -> Path | None:
    if settings.lake.startswith("s3://"):
        return None
    return Path(settings.lake.removeprefix("file://")).absolute()


def _mount(text: str) -> ContainerMount:
    source, target, *rest = text.split(":")
    return ContainerMount(source, target, is_read_only=rest == ["ro"])


def step_name(step: Step, order_key: str, settings: Settings) -> str:
    """Returns the name of every try of the order, for all runners."""
    folder = _lake_folder(settings)
    place = settings.docker.lake_source or str(folder or settings.lake)
    return f"lakehouse-{step}-{hashlib.sha256(f'{place} {order_key}'.encode()).hexdigest()[:20]}"


def has_lake_folder(settings: Settings) -> bool:
    """Returns whether the lake is a folder, which must be mounted into the step's container."""
    return _lake_folder(settings) is not None


def step_environment(settings: Settings) -> dict[str, str]:
    """Returns the settings as environment variables of a step, without secrets."""
    values = settings.model_dump(mode="json", exclude=set(_NOT_FOR_STEPS), exclude_none=True)
    for path in _secrets(settings):
        part, _, name = path.partition(".")
        # It is masked: the step would take the asterisks for the key.
        del values[part][name]
    is_mounted = has_lake_folder(settings)
    if is_mounted and settings.exchange.limits_file is None:
        # All steps share the exchange's limits, and a container's temporary folder is not shared.
        values["exchange"]["limits_file"] = f"{LAKE}/exchange/limits.sqlite"
    environment = {
        f"{PREFIX}{name.upper()}": value if isinstance(value, str) else json.dumps(value)
        for name, value in values.items()
    }
    lake = LAKE if is_mounted else settings.lake
    return {**environment, f"{PREFIX}LAKE": lake, f"{PREFIX}WORK_FOLDER": WORK}


def _with_secrets(environment: dict[str, str], settings: Settings) -> dict[str, str]:
    for path, secret in _secrets(settings).items():
        part, _, name = path.partition(".")
        variable = f"{PREFIX}{part.upper()}"
        environment[variable] = json.dumps({**json.loads(environment[variable]), name: secret.get_secret_value()})
    return environment


def _secrets(settings: Settings) -> dict[str, SecretStr]:
    return {
        f"{part}.{name}": value
        for part in ("storage", "exchange")
        for name, value in getattr(settings, part)
        if isinstance(value, SecretStr)
    }
