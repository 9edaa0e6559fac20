"""What belongs to a process is removed by the next one once its owner is gone, and never before."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crypto_lakehouse import ownership
from crypto_lakehouse.errors import PlaceUnusable
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.ownership import remove_abandoned, scratch_folder

_WORKS = """
import sys, time
from pathlib import Path
from crypto_lakehouse.ownership import scratch_folder
with scratch_folder(Path(sys.argv[1]), "pull") as folder:
    (folder / "deep").mkdir()
    (folder / "deep" / "half.parquet").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""
_WRITES = """
import sys
from pathlib import Path
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake import local
def wait(number):
    print("unfinished", flush=True)
    sys.stdin.read()
local.os.fsync = wait
LocalStorage(Path(sys.argv[1])).write("bronze/one/objects/deep/file", b"half")
"""


@contextmanager
def started(script: str, argument: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Yields a process, and the first line that it printed."""
    arguments = [sys.executable, "-c", script, str(argument)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_scratch_folder_is_gone_after_its_block_and_private_meanwhile(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, "pull") as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_the_scratch_of_a_killed_process_is_removed_at_once_and_that_of_a_living_one_never(tmp_path: Path) -> None:
    with started(_WORKS, tmp_path) as (killed, abandoned), started(_WORKS, tmp_path) as (_, living):
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert Path(abandoned, "deep", "half.parquet").is_file(), "the control: SIGKILL leaves it behind"
        # Its age does not protect or endanger it.
        os.utime(living, (0, 0))
        with scratch_folder(tmp_path, "pull") as own:
            assert sorted(tmp_path.iterdir()) == sorted([own, Path(living)])
        assert Path(living, "deep", "half.parquet").is_file()


def test_an_unfinished_file_of_a_killed_writer_is_removed_and_that_of_a_living_one_never(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    # Its folders are there, so that the first sync is the one of the file.
    storage.write("bronze/one/objects/deep/other", b"")
    with started(_WRITES, tmp_path) as (writer, line):
        assert line == "unfinished"
        (unfinished,) = tmp_path.glob("bronze/one/.unfinished/*")
        assert storage.remove_unfinished() == 0
        assert unfinished.read_bytes() == b"half"
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert unfinished.is_file(), "the control: SIGKILL leaves it behind"
        assert storage.remove_unfinished() == 1
        assert not unfinished.exists()


def test_nothing_is_removed_while_something_arrives(tmp_path: Path) -> None:
    (tmp_path / "lakehouse-old").mkdir()
    with ownership.arriving(tmp_path):
        assert remove_abandoned(tmp_path) == 0
    assert remove_abandoned(tmp_path) == 1


def test_where_there_are_no_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no locks")

    (tmp_path / "lakehouse-old").mkdir()
    monkeypatch.setattr(ownership.fcntl, "flock", refuse)
    with scratch_folder(tmp_path, "pull") as folder:
        assert sorted(tmp_path.iterdir()) == sorted([folder, tmp_path / "lakehouse-old"])


def test_what_is_not_ours_in_the_work_folder_stays(tmp_path: Path) -> None:
    (tmp_path / "someone-elses").mkdir()
    (tmp_path / "lakehouse-link").symlink_to(tmp_path / "someone-elses")
    with scratch_folder(tmp_path, "pull"):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lakehouse-link", "someone-elses"]


def test_without_a_work_folder_it_is_in_a_folder_of_this_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership.tempfile, "gettempdir", lambda: str(tmp_path))
    with scratch_folder(None, "pull") as folder:
        assert folder.parent.parent == tmp_path
        assert folder.parent.stat().st_mode & 0o077 == 0
    folder.parent.rmdir()
    folder.parent.symlink_to(tmp_path)
    with pytest.raises(PlaceUnusable, match="another user"), scratch_folder(None, "pull"):
        pass
