"""A missing optional library leads to a message that names the extra, and no other failed import does."""

from importlib.metadata import PackageNotFoundError

import pytest

from crypto_lakehouse import extras
from crypto_lakehouse.errors import MissingExtra

DECLARED = [
    "duckdb>=2.0",
    "not-there>=1.0; extra == 'pull'",
    'not_there_either; extra == "gate"',
    'polars>=2.1; python_version < "4" and extra == "gate"',
    "pillow; extra == 'reports'",
    "boto3; extra == 's3'",
    "boto3; extra == 'glue'",
    "boto3; extra == 'airflow'",
    "airflow; extra == 'airflow'",
]


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "requires", lambda _name: DECLARED)


def failed_import(module: str) -> ModuleNotFoundError:
    return ModuleNotFoundError(f"No module named {module!r}", name=module)


def test_an_extra_whose_libraries_are_installed_is_there() -> None:
    extras.require("s3", "glue")
    extras.require()


def test_what_is_missing_of_several_extras_is_named_at_once() -> None:
    with pytest.raises(MissingExtra) as refusal:
        extras.require("pull", "gate", "s3")
    assert refusal.value.what == "not installed: not-there, not-there-either"
    assert refusal.value.advice == 'Run: pip install "crypto-lakehouse[gate,pull]"'


def test_a_failed_import_of_an_optional_library_names_its_extra() -> None:
    error = extras.as_missing_extra(failed_import("not_there.inner"))
    assert isinstance(error, MissingExtra)
    assert error.advice == 'Run: pip install "crypto-lakehouse[pull]"'


def test_a_library_with_a_module_of_another_name_is_known() -> None:
    assert "[reports]" in str(extras.as_missing_extra(failed_import("PIL")))


def test_a_library_of_several_extras_names_the_smallest_ones() -> None:
    assert "[s3,glue]" in str(extras.as_missing_extra(failed_import("boto3")))


@pytest.mark.parametrize(
    "error", [failed_import("crypto_lakehouse.nowhere"), failed_import("duckdb"), ValueError("boto3")], ids=str
)
def test_any_other_error_stays_as_it_is(error: Exception) -> None:
    assert extras.as_missing_extra(error) is error


def test_a_package_without_metadata_has_no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(extras, "requires", absent)
    extras.require("pull")
    error = failed_import("not_there")
    assert extras.as_missing_extra(error) is error
