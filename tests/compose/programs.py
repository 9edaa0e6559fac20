"""Loads a program of an image, which is a file and no module of the package."""

import importlib.util
import sys
from types import ModuleType

from tests.containers.engine import REPOSITORY


def program(path: str) -> ModuleType:
    """Returns the program as a module, without running it."""
    file = REPOSITORY / "images" / path
    specification = importlib.util.spec_from_file_location(file.stem, file)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    # Dataclasses look their module up.
    sys.modules[file.stem] = module
    specification.loader.exec_module(module)
    return module
