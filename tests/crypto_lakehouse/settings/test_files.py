"""The configuration file is the named one, or the one of the current folder, or the one of the checkout, or none."""

from pathlib import Path

import pytest

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.settings import CONFIG_PATH, PREFIX, config_file, load_settings
from crypto_lakehouse.settings import files as settings_files


def write_config(folder: Path, lake: str) -> Path:
    path = folder / CONFIG_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"lake = '{lake}'")
    return path


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def no_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_files, "find_checkout", lambda: None)


def test_the_file_that_comes_with_the_project_is_valid() -> None:
    assert config_file() == require_checkout() / CONFIG_PATH
    assert load_settings().archive.bucket == "data.binance.vision"


def test_the_named_file_comes_before_the_one_of_the_current_folder(
    empty_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_config(empty_folder, "of-the-folder")
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(write_config(tmp_path / "named", "named")))
    assert load_settings().lake == "named"


def test_the_file_of_the_current_folder_comes_before_the_one_of_the_checkout(empty_folder: Path) -> None:
    assert config_file() == require_checkout() / CONFIG_PATH, "the control: nothing in the folder yet"
    write_config(empty_folder, "of-the-folder")
    assert load_settings().lake == "of-the-folder"


@pytest.mark.usefixtures("empty_folder", "no_checkout")
def test_without_a_file_the_defaults_and_the_environment_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}ARCHIVE__BUCKET", "from-environment")
    assert config_file() is None
    settings = load_settings()
    assert (settings.lake, settings.archive.bucket) == ("lake", "from-environment")


@pytest.mark.usefixtures("empty_folder", "no_checkout")
def test_a_fault_without_a_file_is_attributed_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}RUNNER", "shell")
    with pytest.raises(InvalidRequest) as refusal:
        load_settings()
    assert refusal.value.advice == "Read from the environment"


def test_a_named_file_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(f"{PREFIX}CONFIG", str(tmp_path / "nowhere.toml"))
    with pytest.raises(InvalidRequest, match=r"nowhere\.toml"):
        load_settings()
