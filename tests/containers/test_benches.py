"""The benches that need an engine, at the smallest size: the figures mean nothing here, that they come about does."""

import pytest

from tests.bench.suite import alone
from tests.containers.engine import OTHER_IMAGES, Engine

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]


def test_every_way_to_run_a_step_has_a_figure(images: Engine) -> None:
    found = alone("runners", 1)
    assert all(
        found[f"{name}_seconds"] > 0
        for name in ("process", "docker_run", "docker", "kubernetes_deferred", "ecs_deferred")
    )


def test_a_dag_run_has_a_throughput_with_each_runner(images: Engine) -> None:
    found = alone("throughput", 2, 2, 1)
    assert (found["objects"], found["partitions"]) == (4, 2)
    assert found["docker_beside_local"] > 0


def test_a_cold_build_has_its_seconds_and_megabytes(images: Engine) -> None:
    found = alone("builds", len(OTHER_IMAGES) - OTHER_IMAGES.index("database"))
    assert found["secrets_seconds"] > 0
    assert found["database_mb_over_its_base"] > 100
