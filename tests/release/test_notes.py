"""The notes of a release: tag, version and changelog agree, or nothing is released."""

import os
import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from crypto_lakehouse import __version__
from crypto_lakehouse.catalog.terraform import VARIABLES
from tests.release.declared import MAKEFILES
from tests.release.tools import PROJECT

NOTES = runpy.run_path(str(PROJECT / "release" / "notes.py"))
CHANGELOG = """\
# Changelog

## [Unreleased]

### Added

- What is not out yet.

## [1.2.0] - 2026-11-21

### Added

- A thing.

## [1.1.0] - 2026-10-01

### Fixed

- Another.
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    package = tmp_path / "include" / "crypto_lakehouse"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('"""A package."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    return tmp_path


def test_the_notes_are_the_section_of_the_version(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert NOTES["main"]("v1.2.0", project) == 0
    assert capsys.readouterr().out == "### Added\n\n- A thing.\n"


@pytest.mark.parametrize(
    ("tag", "old", "new", "message"),
    [
        ("v1.3.0", "", "", "the tag is v1.3.0, the package says 1.2.0"),
        ("1.2.0", "", "", "tag v1.2.0"),
        ("v1.2.0", "## [1.2.0] - 2026-11-21", "## [1.2.0]", "has no day"),
        ("v1.2.0", "## [1.2.0] - 2026-11-21", "## [1.3.0] - 2026-11-21", "newest section is 1.3.0"),
        ("v1.2.0", "### Added\n\n- A thing.\n", "", "says nothing of 1.2.0"),
        ("", CHANGELOG, "# Changelog\n", "newest section is none"),
    ],
)
def test_what_does_not_agree_is_not_released(
    project: Path, capsys: pytest.CaptureFixture[str], tag: str, old: str, new: str, message: str
) -> None:
    (project / "CHANGELOG.md").write_text(CHANGELOG.replace(old, new) if old else CHANGELOG)
    assert NOTES["main"](tag, project) == 1
    assert message in capsys.readouterr().err


def test_a_package_without_a_version_is_not_released(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "include" / "crypto_lakehouse" / "__init__.py").write_text("")
    assert NOTES["main"]("", project) == 1
    assert "has no __version__" in capsys.readouterr().err


def test_our_own_changelog_can_be_released(capsys: pytest.CaptureFixture[str]) -> None:
    assert NOTES["main"](f"v{__version__}") == 0
    assert capsys.readouterr().out.startswith("### ")


def test_the_version_is_said_in_one_place() -> None:
    package = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    assert package["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "crypto_lakehouse.__version__"}
    assert NOTES["package_version"](PROJECT) == __version__
    sources = [*MAKEFILES, PROJECT / "pyproject.toml", PROJECT / "terraform" / "variables.tf"]
    for path in (*sources, *PROJECT.glob("images/*/Dockerfile"), *PROJECT.glob(".github/workflows/*.yml")):
        said = re.findall(r"(?i)version\"?\W+" + re.escape(__version__), path.read_text(encoding="utf-8"))
        assert said == [], f"{path} says the version too: leave it to the Makefile, which passes it"
    assert f'"image_tag": "{__version__}"' in (PROJECT / VARIABLES).read_text(encoding="utf-8"), "run `make docs`"


@pytest.mark.parametrize(
    ("base", "code"),
    [
        (f"python:3.12-slim-bookworm@sha256:{1:064x}", 0),
        (f"host/python@sha256:{1:064x}", 0),
        ("python:3.12-slim-bookworm", 1),
        ("python:3.12-slim-bookworm@sha256:abc", 1),
        (f"@sha256:{1:064x}", 1),
        ("", 1),
    ],
)
def test_a_base_without_a_digest_is_not_released(base: str, code: int) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "TAG_NAME": f"v{__version__}", "BASE_IMAGE": base}
    done = subprocess.run(
        ["make", "release-check"], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
    assert bool(done.returncode) == bool(code), done.stderr
    assert ("give BASE_IMAGE=" in done.stderr) == bool(code)
