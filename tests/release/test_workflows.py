"""The workflows: nothing but targets of the Makefile, pinned actions, least rights; and bad ones are noticed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.release.declared import makefiles_text
from tests.release.tools import PROJECT, tool
from tests.release.workflow_rules import faults, make_targets, run_lines

WORKFLOWS = sorted((PROJECT / ".github" / "workflows").glob("*.yml"))
TARGETS = make_targets(makefiles_text())
GOOD = """\
name: Good
on:
  pull_request:
permissions: {}
concurrency:
  group: good-${{ github.ref }}
  cancel-in-progress: true
jobs:
  one:
    name: One
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # to check out
    strategy:
      matrix:
        python: ["3.11"]
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
        with:
          persist-credentials: false
      - run: make lint
"""
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
BAD = {
    "an action by tag": (CHECKOUT, "actions/checkout@v6", "not pinned"),
    "an action by a short commit": (CHECKOUT, "actions/checkout@de0fac2 # v6.0.2", "not pinned"),
    "a pin that says no version": (CHECKOUT, CHECKOUT.partition(" ")[0], "not pinned"),
    "somebody else's action": ("actions/checkout@de0f", "somebody/checkout@de0f", "nobody decided"),
    "rights for all": ("permissions: {}", "permissions: write-all", "rights for all jobs"),
    "rights by default": ("permissions: {}\n", "", "rights for all jobs"),
    "a job that says no rights": ("    permissions:\n      contents: read # to check out\n", "", "not said one by one"),
    "no end": ("    timeout-minutes: 5\n", "", "no timeout"),
    "a token that stays": ("persist-credentials: false", "persist-credentials: true", "token stays"),
    "a command of its own": ("make lint", "ruff check .", "not a target"),
    "a proof that may be skipped": ("make lint", "make terraform", "stay green"),
    "all tests without an engine": (
        "make lint\n",
        "make unit\n        env:\n          REQUIRE_ALL: '1'\n",
        "would fail",
    ),
    "a base of its own": ("name: One", "name: ${{ vars.BASE_IMAGE || 'python:3.12' }}", "means nothing"),
    "a target that is not there": ("make lint", "make nonsense", "not a target"),
    "more than a target": ("make lint", "make lint && true", "not a target"),
    "a stranger's code with our rights": ("pull_request:", "pull_request_target:", "code of a stranger"),
    "a stranger's words": ("group: good", "group: ${{ github.event.pull_request.title }}", "stranger's words"),
    "an axis that is not there": ("name: One", "name: One on ${{ matrix.pyhton }}", "means nothing"),
    "a misspelled word": ("name: One", "name: One at ${{ github.reff }}", "means nothing"),
    "a job that is not there": ("    name: One\n", "    name: One\n    needs: two\n", "which is no job"),
    "runs that pile up": ("concurrency:\n  group: good-${{ github.ref }}\n  cancel-in-progress: true\n", "", "no conc"),
}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_keeps_the_rules(path: Path) -> None:
    assert faults(path.read_text(encoding="utf-8"), TARGETS) == []


def test_the_rules_have_nothing_against_a_good_workflow() -> None:
    assert faults(GOOD, TARGETS) == []


@pytest.mark.parametrize("place", ["    strategy:\n", "      - run: make lint\n"], ids=["of the job", "of the step"])
def test_a_proof_that_must_not_be_skipped_is_fine(place: str) -> None:
    indent = "    " if place.startswith("    strategy") else "        "
    said = f"{indent}env:\n{indent}  REQUIRE_ALL: '1'\n"
    text = GOOD.replace(place, said + place if "strategy" in place else place + said)
    assert faults(text.replace("make lint", "make terraform"), TARGETS) == []


@pytest.mark.parametrize(("good", "bad", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_workflow_is_noticed(good: str, bad: str, message: str) -> None:
    assert good in GOOD
    assert any(message in fault for fault in faults(GOOD.replace(good, bad), TARGETS))


def test_together_they_run_all_that_was_promised() -> None:
    ran = {line.removeprefix("make ") for path in WORKFLOWS for line in run_lines(path.read_text(encoding="utf-8"))}
    assert ran >= {"lint", "types", "contracts", "unit", "images", "test-containers", "terraform", "terraform-scan"}
    assert ran >= {"test-slow", "images-lint", "images-audit", "images-sbom", "security", "workflows-lint"}
    assert ran >= {"release-check", "dist", "images-push", "images-sign", "release-publish"}


PROOFS = {
    *("release-check", "test", "security", "images-lint", "images-audit"),
    *("test-containers", "terraform", "terraform-scan", "manifests"),
}


def ran_before(jobs: Mapping[str, Any], name: str) -> set[str]:
    """Returns the targets that the jobs have run without which a job does not begin."""
    needs = jobs[name].get("needs", [])
    found: set[str] = set()
    for one in [needs] if isinstance(needs, str) else needs:
        found |= {step["run"].removeprefix("make ") for step in jobs[one]["steps"] if "run" in step}
        found |= ran_before(jobs, one)
    return found


@pytest.mark.parametrize("name", ["images", "package", "publish"])
def test_nothing_is_published_that_a_proof_did_not_see(name: str) -> None:
    jobs = yaml.safe_load((PROJECT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8"))["jobs"]
    assert ran_before(jobs, name) >= PROOFS
    parts = [part for job in jobs.values() for part in (job, *job["steps"])]
    bases = [part["env"]["BASE_IMAGE"] for part in parts if "BASE_IMAGE" in part.get("env", {})]
    assert bases == ["${{ vars.BASE_IMAGE }}"] * 3, "what is checked, tested and published is one base"


def test_the_slow_set_runs_every_night_and_make_test_leaves_it_out() -> None:
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "nightly.yml").read_text(encoding="utf-8"))
    # YAML reads the key `on` as a boolean.
    (schedule,) = workflow[True]["schedule"]
    minute, hour, *days = schedule["cron"].split()
    assert (minute.isdigit(), hour.isdigit(), days) == (True, True, ["*", "*", "*"])
    assert [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step] == [
        "make test-slow"
    ]
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    assert "pytest -n 4 --dist worksteal -m 'not slow'" in makefile
    assert "pytest -m slow" in makefile


def test_the_tests_run_on_every_python_that_we_promise() -> None:
    text = (PROJECT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert 'python: ["3.11", "3.12", "3.13"]' in text
    assert 'requires-python = ">=3.11"' in (PROJECT / "pyproject.toml").read_text(encoding="utf-8")


INJECTION = ("run: make lint", 'run: echo "${{ github.event.pull_request.title }}"')


def test_the_linter_sees_words_of_a_stranger_in_a_command(tmp_path: Path) -> None:
    zizmor = tool("zizmor")
    workflows = tmp_path / ".github" / "workflows"
    workflows.mkdir(parents=True)
    codes = {}
    for name, text in (("good", GOOD), ("bad", GOOD.replace(*INJECTION))):
        (workflows / "one.yml").write_text(text)
        command = [zizmor, "--offline", "--persona", "pedantic", "--no-progress", str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        codes[name] = done.returncode
    assert codes["good"] == 0
    assert codes["bad"] != 0
    assert "template-injection" in done.stdout


def test_the_schema_sees_a_key_that_does_not_exist(tmp_path: Path) -> None:
    check = tool("check-jsonschema")
    path = tmp_path / "one.yml"
    codes = []
    for text in (GOOD, GOOD.replace("timeout-minutes", "timeout-minuets")):
        path.write_text(text)
        command = [check, "--builtin-schema", "vendor.github-workflows", str(path)]
        codes.append(subprocess.run(command, capture_output=True, check=False).returncode)
    assert codes[0] == 0
    assert codes[1] != 0
