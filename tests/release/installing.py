"""Installs the wheel as a user does, without a network: a fresh environment with what it declares and no more."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.release.tools import PROJECT


def build_wheel(folder: Path) -> Path:
    """Builds the wheel from a copy of the sources, and returns its path."""
    source = folder / "source"
    shutil.copytree(PROJECT / "include", source / "include", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(PROJECT / "pyproject.toml", source)
    _pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(folder / "dist"), str(source))
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel


@dataclass(frozen=True)
class Installation:
    """An environment that has the wheel and the libraries that it declares.

    Args:
        folder: The environment.
        home: An empty folder, where its programs run.
    """

    folder: Path
    home: Path

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Runs a program of the environment, with nothing of ours in its surroundings."""
        program, *words = command
        return subprocess.run(
            [str(self.folder / "bin" / program), *words],
            cwd=self.home,
            env={"PATH": os.defpath, "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def packages(self) -> Path:
        """Where its libraries are."""
        (packages,) = self.folder.glob("lib/python3.*/site-packages")
        return packages


def install(wheel: Path, folder: Path, without: Collection[str] = ()) -> Installation:
    """Installs a wheel, and links every library that it declares from the environment of the tests.

    Args:
        wheel: The wheel.
        folder: A new folder.
        without: Names of libraries that are taken out of the wheel's declaration first.
    """
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    (folder / "home").mkdir()
    installation = Installation(folder / "environment", folder / "home")
    _pip(
        "--python",
        str(folder / "environment" / "bin" / "python"),
        "install",
        "--no-index",
        "--no-deps",
        "--no-compile",
        str(wheel),
    )
    (metadata,) = installation.packages.glob("crypto_lakehouse-*.dist-info/METADATA")
    lines = metadata.read_text(encoding="utf-8").splitlines(keepends=True)
    metadata.write_text("".join(line for line in lines if _required(line) not in without), encoding="utf-8")
    for library in closure(Distribution.at(metadata.parent)):
        _link(library, installation.packages)
    return installation


def closure(root: Distribution) -> list[Distribution]:
    """Returns the libraries that a distribution requires, and that these require, without extras that nothing names."""
    found: dict[str, Distribution] = {}
    waiting = list(_requirements(root, ()))
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        found[name] = distribution(requirement.name)
        assert found[name].version in requirement.specifier, f"the tests run with {name} {found[name].version}"
        waiting += _requirements(found[name], extras)
    return list(found.values())


def _requirements(library: Distribution, extras: Collection[str]) -> Iterator[Requirement]:
    for requirement in map(Requirement, library.requires or ()):
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _required(line: str) -> str:
    """Returns the library that a line of the metadata requires; empty for other lines."""
    name, _, value = line.partition(": ")
    return canonicalize_name(Requirement(value.strip()).name) if name == "Requires-Dist" else ""


def _link(library: Distribution, packages: Path) -> None:
    names = {file.parts[0] for file in library.files or ()} - {"..", "__pycache__"}
    for name in names:
        if not (packages / name).exists():
            (packages / name).symlink_to(Path(str(library.locate_file(name))).resolve())


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
