"""Removes files that an image never loads from its environment: `python prune.py UNUSED.txt ENVIRONMENT`.

Each line of the list is a glob pattern below site-packages. A line that starts with `!` keeps what it matches. A line
that matches nothing is an error, so the list cannot become outdated when a library moves its files.
"""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def main(listing: Path, environment: Path) -> int:
    """Removes what the list names from the site-packages of the environment; returns the exit code."""
    lines = [line for line in listing.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    (packages,) = environment.glob("lib/python3.*/site-packages")
    stale = [line for line in lines if not any(packages.glob(line.removeprefix("!")))]
    if stale:
        print(f"{listing}: no file matches {', '.join(stale)}. Remove or correct the line", file=sys.stderr)
        return 1
    for path in unused(packages, lines):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return 0


def unused(packages: Path, lines: Sequence[str]) -> set[Path]:
    """Returns the paths that the lines remove."""
    kept = {path for line in lines if line.startswith("!") for path in packages.glob(line[1:])}
    return {path for line in lines if not line.startswith("!") for path in packages.glob(line)} - kept


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
