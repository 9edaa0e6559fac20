"""Task definitions, networks and logs of steps on ECS."""

from collections.abc import Callable

import pytest

from crypto_lakehouse.settings import EcsNetwork, EcsSettings, Settings
from crypto_lakehouse.vocabulary import Step


@pytest.mark.parametrize("text", ["subnet-a,subnet-b", '["subnet-a", "subnet-b"]'])
def test_a_variable_has_names_with_commas_or_as_json(configure: Callable[..., Settings], text: str) -> None:
    settings = configure("", ECS__SUBNETS=text, ECS__SPOT="conform,gate")
    assert settings.ecs.subnets == ("subnet-a", "subnet-b")
    assert settings.ecs.spot == (Step.CONFORM, Step.GATE)


def test_a_task_definition_has_the_prefix_and_the_step_or_a_name_of_its_own() -> None:
    settings = EcsSettings(family_prefix="lake", task_definitions={Step.GATE: "gate:7"})
    assert [settings.task_definition(step) for step in (Step.PULL, Step.GATE)] == ["lake-pull", "gate:7"]


def test_a_step_may_have_a_network_of_its_own() -> None:
    network = EcsNetwork(subnets=("subnet-b",))
    settings = EcsSettings(subnets=("subnet-a",), networks={Step.DELTA: network})
    assert settings.network(Step.DELTA) is network
    assert settings.network(Step.PULL).subnets == ("subnet-a",)


def test_a_group_of_logs_may_name_the_step() -> None:
    assert EcsSettings().logs_group_of(Step.PULL) is None
    assert EcsSettings(logs_group="/lake/{step}").logs_group_of(Step.PULL) == "/lake/pull"
