"""Fixtures of the tests that need a Docker engine; `make test-containers` runs them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.engine import Engine, build_all, find_engine
from tests.containers.ministack import Ministack, find_ministack, ministack


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine; without one, or unasked, the tests are skipped."""
    if os.environ.get("TEST_CONTAINERS") != "1":
        pytest.skip("builds images for minutes: `make test-containers` runs it")
    found = find_engine()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def images(engine: Engine) -> Engine:
    """The engine with all images built."""
    build_all(engine)
    return engine


@pytest.fixture(scope="session")
def ecs(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    """A stand-in for ECS that runs its tasks on the engine."""
    program = find_ministack()
    if program is None:
        pytest.skip("ministack is not here: `make test-containers` installs it into .venv-ministack")
    with ministack(engine, program, tmp_path_factory.mktemp("ministack")) as server:
        yield server


def open_to_all(folder: Path) -> None:
    """Lets the user of the images write where the user of the tests made folders."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
