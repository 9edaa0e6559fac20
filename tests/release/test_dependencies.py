"""What is imported is declared, where it is imported; and what is declared is imported."""

import re
from collections.abc import Iterable, Mapping

import pytest

from crypto_lakehouse.verbs import VERBS, Image, Verb
from tests.release.declared import CORE, EXTRAS, image_packages
from tests.release.imports import distributions_of, libraries_of, loaded_with, modules
from tests.release.tools import PROJECT

EXTRAS_OF_PARTS: Mapping[str, set[str]] = {
    "crypto_lakehouse.archive": {"pull"},
    "crypto_lakehouse.exchange": {"exchange"},
    "crypto_lakehouse.http_limits": {"exchange", "pull"},
    "crypto_lakehouse.silver": {"conform"},
    "crypto_lakehouse.coverage": {"gate"},
    "crypto_lakehouse.quality": {"gate"},
    "crypto_lakehouse.reports": {"reports"},
    "crypto_lakehouse.lake.s3": {"s3"},
    "crypto_lakehouse.catalog.glue": {"glue"},
    "crypto_lakehouse.demo": {"conform", "pull"},
    "lakehouse_airflow": {"airflow"},
}
"""Whose libraries a part of the packages may import, beside the core's; a part that is not here has only the core's."""
# What reads a lake: an installation without extras imports all of it.
READING = ("crypto_lakehouse.cli", "crypto_lakehouse.query", "crypto_lakehouse.settings")
NOT_IMPORTED = {
    "apache-airflow": "its parts are imported, which it depends on",
    "asyncpg": "Airflow loads it by the address of its database",
    "psycopg2-binary": "Airflow loads it by the address of its database",
}
every_verb = pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.step.value)


def declared(extras: Iterable[str]) -> set[str]:
    return CORE.union(*(EXTRAS[extra] for extra in extras))


def undeclared(libraries: Iterable[str], extras: Iterable[str]) -> set[str]:
    """Returns the libraries that neither the core nor the extras declare."""
    known = declared(extras)
    return {library for library in libraries if not distributions_of(library) & known}


def extras_of(module: str) -> set[str]:
    return next((extras for part, extras in EXTRAS_OF_PARTS.items() if f"{module}.".startswith(f"{part}.")), set())


@pytest.mark.parametrize("module", sorted(module for module in modules() if libraries_of(module)))
def test_a_module_imports_what_is_declared_for_its_part(module: str) -> None:
    assert undeclared(libraries_of(module), extras_of(module)) == set()


@pytest.mark.parametrize("part", READING)
def test_what_reads_a_lake_starts_with_the_core_alone(part: str) -> None:
    assert {module: missing for module in modules(part) if (missing := undeclared(loaded_with(module), ()))} == {}


@every_verb
def test_a_verb_starts_with_the_extras_of_its_row(verb: Verb) -> None:
    assert undeclared(loaded_with(f"crypto_lakehouse.steps.{verb.step}"), verb.extras) == set()


@pytest.mark.parametrize("image", Image)
def test_an_image_has_the_extras_of_its_verbs_and_a_lake_in_s3(image: Image) -> None:
    needed = {extra for verb in VERBS if verb.image is image for extra in verb.extras}
    # boto3 comes with `pull`, so its image needs no second extra.
    assert set(image_packages()[image].extras) - {"s3", "glue"} == needed
    assert "boto3" in image_packages()[image].direct()


@every_verb
def test_an_image_installs_what_its_verbs_load(verb: Verb) -> None:
    installed = image_packages()[verb.image].direct()
    # The image of the pull has an entry of its own, which loads no command line.
    entry = set() if verb.image is Image.S5CMD else loaded_with("crypto_lakehouse.cli")
    needed = loaded_with(f"crypto_lakehouse.steps.{verb.step}") | loaded_with("crypto_lakehouse.steps") | entry
    assert {library for library in needed if not distributions_of(library) & installed} == set()


@pytest.mark.parametrize(
    ("image", "part"),
    [("cli", "crypto_lakehouse.cli"), ("cli", "crypto_lakehouse.query"), ("glue", "crypto_lakehouse.cli.catalog")],
)
def test_an_image_without_steps_installs_what_its_command_line_loads(image: str, part: str) -> None:
    installed = image_packages()[image].direct()
    needed = {library for module in modules(part) for library in loaded_with(module)}
    assert {library for library in needed if not distributions_of(library) & installed} == set()


def test_the_image_of_airflow_installs_what_its_side_imports() -> None:
    installed = image_packages()["airflow"].direct()
    ours = modules("lakehouse_airflow")
    # Runners and DAGs import inside functions too, to keep the parsing of DAG files quick.
    needed = {library for module in ours for library in (*libraries_of(module), *loaded_with(module))}
    assert {library for library in needed if not distributions_of(library) & installed} == set()


def test_everything_that_is_declared_is_imported() -> None:
    imported = {name for module in modules() for library in libraries_of(module) for name in distributions_of(library)}
    assert declared(EXTRAS) - imported == set(NOT_IMPORTED)


def test_every_part_is_there_and_needs_its_extras() -> None:
    for part, extras in EXTRAS_OF_PARTS.items():
        libraries = {library for module in modules(part) for library in libraries_of(module)}
        for extra in extras:
            others = set().union(*(distributions_of(library) for library in libraries))
            assert others & (EXTRAS[extra] - CORE), f"{part} imports nothing of {extra}"


def test_the_page_on_installing_names_every_extra() -> None:
    page = (PROJECT / "docs" / "installing.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z0-9]+)` \|", page, re.MULTILINE)) == set(EXTRAS)


def test_control_an_import_that_is_not_declared_is_noticed() -> None:
    assert "isal" in libraries_of("crypto_lakehouse.silver.decode.zips")
    assert undeclared({"isal"}, ()) == {"isal"}
    assert undeclared({"isal"}, {"conform"}) == set()
    assert "s5cmd" in loaded_with("crypto_lakehouse.steps.pull")
    assert "boto3" not in loaded_with("crypto_lakehouse.lake.opening"), "it is imported inside a function"
    assert "boto3" in libraries_of("crypto_lakehouse.lake.s3")
