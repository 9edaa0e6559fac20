"""What a folder as a store promises beyond what tests/contract holds every store to."""

import errno
import os
from pathlib import Path

import pytest

from crypto_lakehouse.errors import SourceUnavailable
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


def test_a_folder_that_cannot_be_read_is_no_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("log/a", b"x")
    real = os.scandir

    def failing(path: str) -> object:
        if Path(path).name == "log":
            raise OSError(errno.EIO, "Input/output error", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", failing)
    with pytest.raises(SourceUnavailable, match="log did not answer"):
        list(storage.list("log/"))
    with pytest.raises(SourceUnavailable):
        list(storage.list(""))
    assert list(storage.list("nothing/")) == []


def test_a_file_from_another_device_is_copied_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.name == "scratch":
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    (tmp_path / "scratch").write_bytes(b"y" * 3_000_000)
    storage = LocalStorage(tmp_path / "lake")
    storage.put_file(tmp_path / "scratch", "a/b/c/d")
    assert storage.read("a/b/c/d") == b"y" * 3_000_000
    assert list(tmp_path.rglob(".unfinished/*")) == []


def test_folders_that_are_there_are_not_synced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = LocalStorage(tmp_path)
    storage.write("a/b/one", b"x")
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(Path(f"/proc/self/fd/{descriptor}").readlink()))
    storage.write("a/b/two", b"x")
    assert [Path(one).name for one in synced if Path(one).is_dir()] == ["b"]
