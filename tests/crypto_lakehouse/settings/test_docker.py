"""Images and limits of steps in containers."""

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import DockerSettings, StepLimits
from crypto_lakehouse.vocabulary import Step


def test_an_image_has_the_name_that_its_verb_states_or_one_of_its_own() -> None:
    settings = DockerSettings(
        registry="example.org/lake", tag="1.2.3", images={Step.GATE: "example.org/gate@sha256:00"}
    )
    assert settings.image(Step.PULL) == "example.org/lake/s5cmd:1.2.3"
    assert settings.image(Step.GATE) == "example.org/gate@sha256:00"


def test_a_step_without_limits_has_the_built_in_ones() -> None:
    settings = DockerSettings(limits={Step.CONFORM: StepLimits(memory_mib=8192)})
    assert settings.limits_of(Step.CONFORM).memory_mib == 8192
    assert settings.limits_of(Step.PULL) == StepLimits()


@pytest.mark.parametrize("user", ["0:0", "0", "root", "lakehouse"])
def test_root_and_a_user_without_a_number_are_refused(user: str) -> None:
    with pytest.raises(ValidationError, match="user"):
        DockerSettings(user=user)


@pytest.mark.parametrize("mount", ["data", "data:target", "data:/target:rw"])
def test_a_mount_that_docker_would_read_otherwise_is_refused(mount: str) -> None:
    assert DockerSettings(mounts=("data:/target:ro",)).mounts
    with pytest.raises(ValidationError, match="mounts"):
        DockerSettings(mounts=(mount,))
