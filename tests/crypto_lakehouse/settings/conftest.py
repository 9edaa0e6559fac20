import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.settings import PREFIX, Settings, load_settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No variable of the machine's own, and nothing remembered from or for another test."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Writes a configuration file and variables, and loads what they say."""

    def load(text: str = "", **variables: str) -> Settings:
        path = tmp_path / "lakehouse.toml"
        path.write_text(text)
        monkeypatch.setenv(f"{PREFIX}CONFIG", str(path))
        for name, value in variables.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        return load_settings()

    return load
