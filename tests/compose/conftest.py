"""Fixtures of the tests of the stack on one machine."""

import sys

from tests.containers.conftest import engine, images
from tests.containers.engine import REPOSITORY

__all__ = ["engine", "images"]

sys.path[:0] = [str(REPOSITORY / "plugins")]
