"""`python -m tests.style`: prints each place that breaks a rule, and exits with 1 if there is one."""

import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.style.code import check_comments, check_length, check_names, check_strings, loop_targets
from tests.style.prose import Finding, check_markdown

PROJECT = Path(__file__).parents[2]
CODE = ("include", "dags", "plugins")
MEASURED = frozenset({"docs/performance.md"})
"""Pages that quote measurements and messages of other programs."""
MAX_SHARE_OF_ONE = 0.05
"""Share of the variables of loops and comprehensions that may be called `one`."""


def findings(project: Path) -> Iterator[Finding]:
    """Yields all findings in the documentation and the code of a project."""
    for page in [project / "README.md", *sorted((project / "docs").glob("*.md"))]:
        path = page.relative_to(project).as_posix()
        if path not in MEASURED:
            yield from check_markdown(path, page.read_text(encoding="utf-8"))
    targets: Counter[str] = Counter()
    for module in [module for folder in CODE for module in sorted((project / folder).rglob("*.py"))]:
        path, source = module.relative_to(project).as_posix(), module.read_text(encoding="utf-8")
        tree = ast.parse(source)
        targets.update(loop_targets(tree))
        yield from check_names(path, tree)
        yield from check_strings(path, tree)
        yield from check_comments(path, source)
    for module in [module for folder in (*CODE, "tests") for module in sorted((project / folder).rglob("*.py"))]:
        yield from check_length(module.relative_to(project).as_posix(), module.read_text(encoding="utf-8"))
    if targets["one"] > MAX_SHARE_OF_ONE * targets.total():
        message = f"{targets['one']} of {targets.total()} variables of loops are called 'one': use nouns"
        yield Finding(", ".join(CODE), 0, message)


def main() -> int:
    """Prints the findings and returns the exit code."""
    all_findings = list(findings(PROJECT))
    for finding in all_findings:
        print(finding)
    print(f"style: {len(all_findings)} findings", file=sys.stderr)
    return 1 if all_findings else 0


if __name__ == "__main__":
    sys.exit(main())
