"""What a folder as a store promises beyond what tests/contract holds every store to."""

import os
from pathlib import Path

import pytest

from crypto_lakehouse.lake.local import LocalStorage


def test_every_new_folder_is_synced_into_the_one_above_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(tmp_path)))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    LocalStorage(tmp_path).write("a/b/c/file", b"x")
    assert synced[:3] == [".", "a", "a/b"]
    assert synced[-1] == "a/b/c"


def test_folders_that_are_there_are_not_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/b/one", b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    storage.write("a/b/two", b"x")
    assert [Path(one).name for one in synced if Path(one).is_dir()] == ["b"]
