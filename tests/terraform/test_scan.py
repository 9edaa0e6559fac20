"""The scan for insecure settings: nothing fails, every exception has a reason and an end, and the scan does see."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
BAD = Path(__file__).parent / "bad"
SKIP = re.compile(r"#\s*checkov:skip=(?P<check>CKV2?_AWS_\d+): (?P<reason>.+); expires (?P<end>\d{4}-\d{2}-\d{2})$")
MUST_PASS = frozenset(
    {
        "CKV_AWS_21",
        "CKV_AWS_26",
        "CKV_AWS_51",
        "CKV_AWS_53",
        "CKV_AWS_54",
        "CKV_AWS_55",
        "CKV_AWS_56",
        "CKV_AWS_65",
        "CKV_AWS_70",
        "CKV_AWS_82",
        "CKV_AWS_94",
        "CKV_AWS_107",
        "CKV_AWS_108",
        "CKV_AWS_109",
        "CKV_AWS_110",
        "CKV_AWS_111",
        "CKV_AWS_149",
        "CKV_AWS_158",
        "CKV_AWS_159",
        "CKV_AWS_163",
        "CKV_AWS_223",
        "CKV_AWS_224",
        "CKV_AWS_249",
        "CKV_AWS_300",
        "CKV_AWS_336",
        "CKV_AWS_356",
        "CKV2_AWS_6",
        "CKV2_AWS_11",
        "CKV2_AWS_12",
        "CKV2_AWS_61",
        "CKV2_AWS_65",
    }
)
"""Checks that have to look at something here: were one to find nothing to judge, its silence would mean nothing.

Of those that matter four judge nothing in these sources: 18 and 145 are skipped for the module that makes all buckets,
334 looks for a key that ECS does not have, 379 for ACLs. `test_deployment` holds what was applied to them.
"""

pytestmark = pytest.mark.long


@pytest.fixture(scope="session")
def checkov() -> Path:
    named = os.environ.get("CHECKOV") or shutil.which("checkov") or str(PROJECT / ".venv-checkov" / "bin" / "checkov")
    if not Path(named).is_file():
        pytest.skip("checkov is not here: `make terraform-scan` installs it into .venv-checkov")
    return Path(named)


def scan(checkov: Path, folder: Path) -> dict[str, list[dict[str, str]]]:
    command = [checkov, "--directory", folder, "--framework", "terraform", "--output", "json", "--skip-download"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = json.loads(done.stdout)
    assert said["summary"]["parsing_errors"] == 0, done.stderr
    results: dict[str, list[dict[str, str]]] = said["results"]
    return results


def test_no_check_fails_and_those_that_matter_have_looked(checkov: Path) -> None:
    results = scan(checkov, PROJECT / "terraform")
    assert [(one["check_id"], one["resource"]) for one in results["failed_checks"]] == []
    assert MUST_PASS - {one["check_id"] for one in results["passed_checks"]} == set()
    written = {match["check"] for match in skips()}
    assert {one["check_id"] for one in results["skipped_checks"]} == written


def test_the_scan_sees_a_bad_module(checkov: Path) -> None:
    failed = Counter(one["check_id"] for one in scan(checkov, BAD)["failed_checks"])
    assert len(failed) >= 20, failed
    assert {"CKV_AWS_70", "CKV_AWS_53", "CKV_AWS_336", "CKV_AWS_18", "CKV_AWS_145", "CKV_AWS_62"} <= set(failed)


def skips() -> list[re.Match[str]]:
    found = []
    for path in sorted((PROJECT / "terraform").rglob("*.tf")):
        for line in path.read_text().splitlines():
            if "checkov:skip" in line:
                match = SKIP.search(line.strip())
                assert match, f"{path.name}: give a check, a reason and `expires YYYY-MM-DD`: {line}"
                found.append(match)
    return found


def test_every_exception_has_a_reason_and_has_not_expired() -> None:
    found = skips()
    assert 0 < len(found) < 12
    today = datetime.now(UTC).date()
    for one in found:
        assert len(one["reason"]) > 20
        assert today < date.fromisoformat(one["end"]), f"{one['check']} has expired: {one['reason']}"
