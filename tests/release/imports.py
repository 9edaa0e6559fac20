"""Who imports what: the graph of the packages' imports, down to the libraries."""

import sys
from functools import cache
from importlib.metadata import packages_distributions
from itertools import accumulate
from pathlib import Path

import grimp

from tests.release.declared import distributions
from tests.release.tools import PROJECT

ROOTS = ("crypto_lakehouse", "lakehouse_airflow")


@cache
def graph() -> grimp.ImportGraph:
    """Returns the graph of all imports, inside functions too, but for those that only type checkers read."""
    return grimp.build_graph(*ROOTS, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None)


def modules(prefix: str = "") -> set[str]:
    """Returns our modules at or below a dotted name; all by default."""
    return {name for name in graph().modules if name.split(".")[0] in ROOTS and _is_within(name, prefix)}


def libraries_of(module: str) -> set[str]:
    """Returns the top-level names of the libraries that a module imports, inside functions too."""
    imported = graph().find_modules_directly_imported_by(module)
    return {name for name in imported if name.split(".")[0] not in (*ROOTS, *sys.stdlib_module_names)}


def loaded_with(module: str) -> set[str]:
    """Returns the libraries that are loaded when a module is imported: what functions import is not."""
    seen: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        # Python runs the packages above a module first.
        above = set(accumulate(name.split("."), "{}.{}".format)) & modules()
        waiting |= (above | _loaded_directly(name)) - seen
    return seen - modules()


def distributions_of(library: str) -> set[str]:
    """Returns the distributions that bring a top-level module; several where they share a namespace."""
    return distributions(_distributions_by_module().get(library, [library]))


def _loaded_directly(module: str) -> set[str]:
    if module not in modules():
        return set()
    lines = _source(module)
    details = [
        detail
        for imported in graph().find_modules_directly_imported_by(module)
        for detail in graph().get_import_details(importer=module, imported=imported)
    ]
    # A statement that is not indented runs when the module is imported.
    eager = {detail["imported"] for detail in details if not lines[detail["line_number"] - 1].startswith((" ", "\t"))}
    return {name for name in eager if name.split(".")[0] not in sys.stdlib_module_names}


def _source(module: str) -> list[str]:
    path = PROJECT / "include" / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.read_text(encoding="utf-8").splitlines()


def _is_within(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}.")


@cache
def _distributions_by_module() -> dict[str, list[str]]:
    return dict(packages_distributions())
