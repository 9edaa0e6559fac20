"""A deployment for the command line: an empty lake that the environment names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto_lakehouse.settings import PREFIX, load_settings


@pytest.fixture
def lake_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a deployment's lake; the archive is an address where nobody answers."""
    folder = tmp_path / "lake"
    monkeypatch.setenv(f"{PREFIX}LAKE", str(folder))
    monkeypatch.setenv(f"{PREFIX}ARCHIVE__ENDPOINT_URL", "http://127.0.0.1:9")
    load_settings.cache_clear()
    yield folder
    load_settings.cache_clear()
