"""A small published lake in the deployment's folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from tests.published_lake import build_published_lake


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A deployment whose lake is a fresh folder."""
    return Settings(lake=str(tmp_path / "lake"))


@pytest.fixture
def build_lake() -> Callable[[Path], Lake]:
    """Builds a lake with five published partitions of two datasets in a folder."""
    return build_published_lake


@pytest.fixture
def lake(settings: Settings, build_lake: Callable[[Path], Lake]) -> Lake:
    """The published lake in the deployment's folder."""
    return build_lake(Path(settings.lake))
