"""Fixtures of the tests of the stack on one machine."""

from tests.containers.conftest import engine, images

__all__ = ["engine", "images"]
