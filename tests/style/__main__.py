"""`python -m tests.style`: prints each place that breaks a rule, and exits with 1 if there is one."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.style.docstrings import check_strings
from tests.style.names import check_names
from tests.style.prose import Finding, check_markdown

PROJECT = Path(__file__).parents[2]
CODE = ("include", "dags", "plugins")
GENERATED = {"docs/performance.md"}
"""Pages whose text comes from measurements."""


def findings(project: Path) -> Iterator[Finding]:
    """Yields all findings in the documentation and the code of a project."""
    for page in [project / "README.md", *sorted((project / "docs").glob("*.md"))]:
        path = page.relative_to(project).as_posix()
        if path not in GENERATED:
            yield from check_markdown(path, page.read_text(encoding="utf-8"))
    for folder in CODE:
        for module in sorted((project / folder).rglob("*.py")):
            path = module.relative_to(project).as_posix()
            tree = ast.parse(module.read_text(encoding="utf-8"))
            yield from check_names(path, tree)
            yield from check_strings(path, tree)


def main() -> int:
    """Prints the findings and returns the exit code."""
    all_findings = list(findings(PROJECT))
    for finding in all_findings:
        print(finding)
    print(f"style: {len(all_findings)} findings", file=sys.stderr)
    return 1 if all_findings else 0


if __name__ == "__main__":
    sys.exit(main())
