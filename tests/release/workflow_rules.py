"""What a workflow of this repository must keep to, so that nobody's code but ours runs with our rights."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import yaml

PINNED = re.compile(r"uses: (?P<action>[\w.-]+/[\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+")
USED = re.compile(r"^\s*(?:- )?uses:.*$", re.MULTILINE)
RUN = re.compile(r"make (?P<target>[a-z-]+)")
ACTIONS = frozenset(
    {
        "actions/checkout",
        "actions/setup-python",
        "actions/upload-artifact",
        "actions/download-artifact",
        "actions/attest",
        "hashicorp/setup-terraform",
        "sigstore/cosign-installer",
    }
)
"""Whose code may run beside ours; another is a decision to be made here."""
NO_SKIPS = frozenset({"test-containers", "terraform", "terraform-scan", "manifests", "security", "workflows-lint"})
"""Targets whose tests are skipped where a program is missing: in a workflow such a skip is a failure."""
UNTRUSTED = re.compile(r"\$\{\{\s*github\.(?:event|head_ref)")
EXPRESSION = re.compile(r"\$\{\{\s*(?P<said>.*?)\s*\}\}")
KNOWN = re.compile(
    r"github\.(?:ref|ref_name|actor|token|server_url|repository)"
    r"|vars\.[A-Z_]+"
    r"|matrix\.(?P<axis>\w+)"
)
"""What an expression may say: a name that is misspelled would be an empty word, and no error."""


def faults(text: str, targets: Collection[str]) -> list[str]:
    """Returns what is wrong with a workflow, in words."""
    workflow = yaml.safe_load(text)
    return [*_pin_faults(text), *_workflow_faults(workflow, text), *_job_faults(workflow, targets)]


def make_targets(makefile: str) -> set[str]:
    """Returns the targets that the Makefile explains."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def run_lines(text: str) -> list[str]:
    """Returns what the steps of a workflow run."""
    return [step["run"] for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"] if "run" in step]


def _pin_faults(text: str) -> Iterator[str]:
    for line in USED.findall(text):
        found = PINNED.search(line)
        if found is None:
            yield f"not pinned by a full commit with its version beside it: {line.strip()}"
        elif found["action"] not in ACTIONS:
            yield f"an action that nobody decided on: {found['action']}"


def _workflow_faults(workflow: Mapping[Any, Any], text: str) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield "rights for all jobs: permissions must be {} at the top"
    if "concurrency" not in workflow:
        yield "no concurrency"
    # YAML reads the key `on` as a boolean.
    if "pull_request_target" in workflow[True]:
        yield "runs the code of a stranger with our rights"
    if UNTRUSTED.search(text):
        yield "a stranger's words are used"


def _job_faults(workflow: Mapping[Any, Any], targets: Collection[str]) -> Iterator[str]:
    for name, job in workflow["jobs"].items():
        if not isinstance(job.get("timeout-minutes"), int):
            yield f"{name}: no timeout"
        if not isinstance(job.get("permissions"), dict):
            yield f"{name}: its rights are not said one by one"
        yield from (f"{name}: needs {one}, which is no job" for one in _needs(job) if one not in workflow["jobs"])
        for said in EXPRESSION.findall(yaml.safe_dump(job, width=10_000)):
            found = KNOWN.fullmatch(said.replace("''", "'"))
            if found is None or (found["axis"] and found["axis"] not in job["strategy"]["matrix"]):
                yield f"{name}: an expression that means nothing here: {said}"
        for step in job["steps"]:
            environment = {**job.get("env", {}), **step.get("env", {})}
            faults = [*_step_faults(step, targets), *_skip_faults(step.get("run", ""), environment)]
            yield from (f"{name}: {fault}" for fault in faults)


def _needs(job: Mapping[str, Any]) -> list[str]:
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def _step_faults(step: Mapping[str, Any], targets: Collection[str]) -> Iterator[str]:
    if "run" in step:
        found = RUN.fullmatch(step["run"])
        if found is None or found["target"] not in targets:
            yield f"not a target of the Makefile: {step['run']}"
    elif step["uses"].startswith("actions/checkout@") and step.get("with", {}).get("persist-credentials") is not False:
        yield "the token stays in the checkout"


def _skip_faults(line: str, environment: Mapping[str, str]) -> Iterator[str]:
    target, all_must_run = line.removeprefix("make "), environment.get("REQUIRE_ALL") == "1"
    if target in NO_SKIPS and not all_must_run:
        yield f"may skip what it is for and stay green: {line} without REQUIRE_ALL"
    if target in {"test", "unit"} and all_must_run:
        yield f"skips what needs an engine, and would fail: {line} with REQUIRE_ALL"
