"""The checking programs, which live in an environment of their own."""

import os
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]


def tool(name: str) -> str:
    """Returns where a program is, or skips the test."""
    path = Path(os.environ.get("CHECKS", PROJECT / ".venv-checks" / "bin")) / name
    if not path.is_file():
        pytest.skip(f"{name} is not installed: `make security` and `make workflows-lint` do it")
    return str(path)
