"""Audits locks for known holes: `python audit.py LOCK...`; a lock that could not be audited is a failure.

The exit code is 1 where something has a known hole, and 2 where not everything that is locked could be looked up. Asked
is the package index, or the service of OSV's protocol that AUDIT_OSV_URL names.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from locks import entries, name_and_version


def main(locks: list[str]) -> int:
    """Audits each lock; returns the worst exit code."""
    return max(audit(Path(lock)) for lock in locks)


def audit(lock: Path) -> int:
    """Audits one lock; returns the exit code."""
    # Without markers: what only another Python or machine installs is audited too. Twice the same name with two
    # versions is refused by the auditor, so each version goes into a file of its own.
    pins = sorted({name_and_version(entry) for entry in entries(lock)})
    rounds = _without_twins(pins)
    reports = [_report(one) for one in rounds]
    audited = {(one["name"], one["version"]) for report in reports for one in report if "vulns" in one}
    holes = [(one["name"], hole["id"]) for report in reports for one in report for hole in one.get("vulns", [])]
    for name, hole in holes:
        print(f"{lock}: {name} has {hole}")
    if not pins or len(audited) != len(pins):
        print(f"{lock}: could not audit: {len(audited)} of {len(pins)} locked packages were looked up")
        return 2
    print(f"{lock}: {len(audited)} packages audited, {len(holes)} known holes")
    return 1 if holes else 0


def _without_twins(pins: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    rounds: list[dict[str, str]] = []
    for name, version in pins:
        free = next((one for one in rounds if name not in one), None)
        if free is None:
            rounds.append(free := {})
        free[name] = version
    return [list(one.items()) for one in rounds]


def _report(pins: list[tuple[str, str]]) -> list[dict[str, object]]:
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listing:
        listing.write("".join(f"{name}=={version}\n" for name, version in pins))
        listing.flush()
        options = ["--strict", "--no-deps", "--disable-pip", "--format", "json", "--requirement", listing.name]
        if url := os.environ.get("AUDIT_OSV_URL"):
            options += ["--vulnerability-service", "osv", "--osv-url", url]
        program = str(Path(sys.executable).parent / "pip-audit")
        done = subprocess.run([program, *options], capture_output=True, text=True, check=False)  # noqa: S603  our own
    print(done.stderr.strip()[-300:], file=sys.stderr)
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError):
        # The auditor prints no report when it could not look everything up: then nothing counts as audited.
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
