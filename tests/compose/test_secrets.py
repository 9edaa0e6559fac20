"""The secrets of a stack: made once, for their owner alone, and never twice the same."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.compose.programs import program

secrets = program("secrets/make_secrets.py")
FOLDERS = ("airflow", "archive", "database", "lake", "login", "reader")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return new_folder(tmp_path / "one")


def new_folder(path: Path) -> Path:
    for name in FOLDERS:
        (path / name).mkdir(parents=True)
    return path


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_every_secret_is_its_owner_s_alone(folder: Path) -> None:
    assert secrets.main(folder) == 0
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert len(files) == 9
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert {(folder / name).stat().st_mode & 0o777 for name in FOLDERS} == {0o700}


def test_a_second_start_changes_nothing_and_says_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secrets.main(folder)
    first = contents(folder)
    said = capsys.readouterr().out
    assert not [secret for secret in first.values() if secret in said]
    secrets.main(folder)
    assert contents(folder) == first
    assert capsys.readouterr().out == ""


def test_two_stacks_have_nothing_in_common(folder: Path, tmp_path: Path) -> None:
    secrets.main(folder)
    other = new_folder(tmp_path / "other")
    secrets.main(other)
    assert all(secret != contents(other)[name] for name, secret in contents(folder).items())


def test_what_an_interrupted_start_left_out_fits_what_it_made(folder: Path) -> None:
    (folder / "database" / "password").write_text("made-before")
    secrets.main(folder)
    made = contents(folder)
    assert made["database/password"] == "made-before"
    assert made["airflow/database-url"] == "postgresql+psycopg2://airflow:made-before@database:5432/airflow"


def test_of_two_starts_at_once_the_first_secret_counts_and_nothing_else_is_left(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets.main(folder)
    first = contents(folder)
    late, said = new_folder(tmp_path / "late"), capsys.readouterr().out
    assert len(said.splitlines()) == len(first)
    link, overtaken = os.link, []

    def link_late(source: str, target: Path) -> None:
        # The other start is through with this one in the moment before.
        target.write_text(first[str(target.relative_to(late))])
        overtaken.append(target)
        link(source, target)

    monkeypatch.setattr(os, "link", link_late)
    assert secrets.main(late) == 0
    assert len(overtaken) == len(first)
    assert contents(late) == first
    assert capsys.readouterr().out == "", "it made none of them"


def test_nothing_is_left_of_a_secret_that_could_not_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="the disk is full"):
            secrets.main(folder)
    assert contents(folder) == {}
    secrets.main(folder)
    assert len(contents(folder)) == 9, "control"


def test_secrets_are_long_and_of_the_kind_that_is_asked_for(folder: Path) -> None:
    from cryptography.fernet import Fernet

    secrets.main(folder)
    made = contents(folder)
    Fernet(made["airflow/fernet-key"].encode())
    assert len(json.loads(made["login/passwords.json"])["admin"]) >= 24
    pair = r"\[default\]\naws_access_key_id = \S{20}\naws_secret_access_key = \S{40}\n"
    assert re.fullmatch(pair, made["lake/credentials"])
    assert len(made["airflow/jwt-secret"]) >= 64
