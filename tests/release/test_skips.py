"""A skip is a failure where all must run, and a skip elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.tools import PROJECT

SKIPS = {
    "a test": "@pytest.mark.skip(reason='nothing here')\ndef test_one(): pass",
    "in a test": "def test_one(): pytest.skip('nothing here')",
    "in a fixture": "@pytest.fixture\ndef one(): pytest.skip('nothing here')\ndef test_one(one): pass",
    "a whole file": "pytest.importorskip('no_such_module', reason='nothing here')",
}
FINE = {
    "passes": "def test_one(): pass",
    "fails as expected": "@pytest.mark.xfail(reason='known')\ndef test_one(): raise ValueError",
}
SCAN = "tests/release/test_workflows.py::test_the_schema_sees_a_key_that_does_not_exist"


def outcome(*words: str, require_all: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "CHECKS": "/nowhere", "REQUIRE_ALL": require_all}
    # What is said is looked at: whoever runs us may want to hear more.
    environment.pop("PYTEST_ADDOPTS", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.skips", *words]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


@pytest.mark.parametrize("workers", ["0", "1"], ids=["here", "in a worker"])
def test_where_all_must_run_a_skip_fails_and_says_why(tmp_path: Path, workers: str) -> None:
    for number, text in enumerate(SKIPS.values()):
        (tmp_path / f"test_{number}.py").write_text(f"import pytest\n{text}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = ("--rootdir", str(tmp_path), "-c", str(tmp_path / "pytest.ini"), "-rs", "-n", workers, str(tmp_path))
    code, said = outcome(*words, "--continue-on-collection-errors", require_all="1")
    assert code == 1
    assert said.count("allows no skip: Skipped: nothing here") >= len(SKIPS)
    assert " skipped" not in said.splitlines()[-1]
    _, said = outcome(*words, require_all="")
    assert said.splitlines()[-1].startswith("4 skipped in"), "the control"


def test_what_is_no_skip_is_left_alone(tmp_path: Path) -> None:
    for number, text in enumerate(FINE.values()):
        (tmp_path / f"test_{number}.py").write_text(f"import pytest\n{text}\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    words = ("--rootdir", str(tmp_path), "-c", str(tmp_path / "pytest.ini"), str(tmp_path))
    code, said = outcome(*words, require_all="1")
    assert (code, said.splitlines()[-1].split(" in ")[0]) == (0, "1 passed, 1 xfailed")


def test_our_own_tests_are_held_to_it() -> None:
    codes = []
    for word in ("1", ""):
        environment = {**os.environ, "CHECKS": "/nowhere", "REQUIRE_ALL": word}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", SCAN]
        codes.append(subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, check=False).returncode)
    assert codes == [1, 0]
