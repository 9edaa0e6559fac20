"""What is prepared once for all tests of a run: of its workers the first one makes it, and the others wait."""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def prepared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Returns a folder that all workers of a run share, and that no test may change.

    Args:
        factory: Knows the folders of the run.
        name: The folder's name; what else is made under this name must be the same.
        make: Fills the new folder. What it began and did not end is made anew by the next worker.
    """
    base = factory.getbasetemp()
    # The workers of one run have folders beside each other.
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, is_ready = shared / f"prepared-{name}", shared / f"prepared-{name}.ready"
    with (shared / f"prepared-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_ready.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            is_ready.touch()
    return folder
