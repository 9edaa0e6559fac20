"""The environments of checks and tests: what is installed is what was locked, byte by byte."""

import re
from pathlib import Path

import pytest

from tests.release.tools import PROJECT

RECIPE = re.compile(r"^\.venv-(\w+)/\.ready: (\S+)\n((?:\t.*\n)+)", re.MULTILINE)
RECIPES = {name: (PROJECT / lock, how) for name, lock, how in RECIPE.findall((PROJECT / "Makefile").read_text())}
PIN = re.compile(r"^[a-z0-9].*(?:\n .*)*", re.MULTILINE)


def faults(lock: str, how: str) -> list[str]:
    """Returns what a lock, or how it is installed, leaves open."""
    unpinned = [
        one.split()[0] for one in PIN.findall(lock) if not re.match(r"\S+==\S+ .*--hash=sha256:", one, re.DOTALL)
    ]
    hosts = re.findall(r"^.*(?:https?:|--index|--extra-index|--find-links).*$", lock, re.MULTILINE)
    return [*unpinned, *hosts, *([] if "--require-hashes --requirement $<" in how else ["installed without hashes"])]


def test_every_environment_is_looked_at() -> None:
    assert set(RECIPES) == {"checks", "manifests", "checkov", "ministack"}


@pytest.mark.parametrize(("lock", "how"), RECIPES.values(), ids=RECIPES.keys())
def test_nothing_is_installed_but_what_was_locked(lock: Path, how: str) -> None:
    text = lock.read_text(encoding="utf-8")
    assert faults(text, how) == []
    asked = re.findall(r"^[a-z][\w-]*", lock.with_suffix(".in").read_text(encoding="utf-8"), re.MULTILINE)
    assert asked
    assert [one for one in asked if f"\n{one}==" not in f"\n{text}"] == [], "run `make lock`"


def test_what_is_not_held_is_noticed() -> None:
    held = (
        "one==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00\n    # via two\ntwo==2 \\\n    --hash=sha256:11\n"
    )
    how = "\tpip install --require-hashes --requirement $<\n"
    assert faults(held, how) == []
    assert faults(held.replace(" \\\n    --hash=sha256:11", ""), how) == ["two==2"]
    assert faults(f"{held}three>=3\n", how) == ["three>=3"]
    assert faults(f"--index-url https://example.org\n{held}", how) == ["--index-url https://example.org"]
    assert faults(held, how.replace("--require-hashes ", "")) == ["installed without hashes"]
