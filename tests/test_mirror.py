"""Every module has its test in the mirrored place, or one list says where else it is tested and why.

`include/crypto_lakehouse/lake/log.py` is tested by `tests/crypto_lakehouse/lake/test_log.py`. A package's own
`__init__.py` needs a test only where it defines something.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
INCLUDE = TESTS.parent / "include"

ONE_SUITE = "one suite holds every implementation to the same behaviour"
ON_AWS = "the applied Terraform is looked at, not the text alone"
DECLARATIONS = "declarations: types and tables of data, held by the tests of what reads them"
WHOLE_COMMANDS = "a command is tried through the command line, with its output and exit code"
WHOLE_DEMO = "the demonstration is tried as a whole"
OVER_HTTP = "answers are asked for over HTTP from the fake exchange"
BY_FILES = "the rows of whole files are compared with an independent reading of them"

ELSEWHERE: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("crypto_lakehouse/lake/storage.py", "crypto_lakehouse/lake/s3.py"), ("contract/test_storage.py", ONE_SUITE)
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/catalog/catalog.py",
            "crypto_lakehouse/catalog/embedded.py",
            "crypto_lakehouse/catalog/glue.py",
            "crypto_lakehouse/catalog/glue_tables.py",
            "crypto_lakehouse/catalog/rebuilding.py",
        ),
        ("contract/test_catalog.py", ONE_SUITE),
    ),
    "crypto_lakehouse/catalog/terraform.py": ("terraform/test_tree.py", ON_AWS),
    **dict.fromkeys(
        ("crypto_lakehouse/catalog/opening.py", "crypto_lakehouse/lake/opening.py"),
        ("crypto_lakehouse/settings/test_loading.py", "opening only follows what the settings name"),
    ),
    **dict.fromkeys(
        ("crypto_lakehouse/archive/listing.py", "crypto_lakehouse/archive/s5cmd.py"),
        ("crypto_lakehouse/archive/test_pulling.py", "listing and transfer are tried against a server that fails"),
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/spec.py",
            "crypto_lakehouse/columns.py",
            "crypto_lakehouse/expectations.py",
            "crypto_lakehouse/layouts.py",
            "crypto_lakehouse/datasets/__init__.py",
            "crypto_lakehouse/datasets/binance.py",
            "crypto_lakehouse/datasets/binance_futures.py",
            "crypto_lakehouse/datasets/coinbase.py",
            "crypto_lakehouse/datasets/kraken.py",
            "crypto_lakehouse/datasets/parts.py",
            "crypto_lakehouse/vocabulary.py",
        ),
        ("crypto_lakehouse/test_datasets.py", DECLARATIONS),
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/endpoints/__init__.py",
            "crypto_lakehouse/endpoints/coinbase.py",
            "crypto_lakehouse/endpoints/kraken.py",
            "crypto_lakehouse/endpoints/spec.py",
        ),
        ("crypto_lakehouse/endpoints/test_binance.py", DECLARATIONS),
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/cli/__init__.py",
            "crypto_lakehouse/cli/__main__.py",
            "crypto_lakehouse/cli/admin.py",
            "crypto_lakehouse/cli/backfill.py",
            "crypto_lakehouse/cli/query.py",
            "crypto_lakehouse/cli/step.py",
        ),
        ("crypto_lakehouse/cli/test_commands.py", WHOLE_COMMANDS),
    ),
    "crypto_lakehouse/quality/data_docs_views.py": (
        "crypto_lakehouse/quality/test_validation.py",
        "the views are GX's own; what they share shows in the pages of a validation",
    ),
    "crypto_lakehouse/cli/arguments.py": ("crypto_lakehouse/cli/test_options.py", WHOLE_COMMANDS),
    "crypto_lakehouse/cli/gaps.py": ("crypto_lakehouse/cli/test_coverage.py", WHOLE_COMMANDS),
    **dict.fromkeys(
        (
            "crypto_lakehouse/demo/__main__.py",
            "crypto_lakehouse/demo/airflow_home.py",
            "crypto_lakehouse/demo/requests.py",
            "crypto_lakehouse/demo/serving.py",
        ),
        ("crypto_lakehouse/demo/test_run.py", WHOLE_DEMO),
    ),
    "crypto_lakehouse/demo/records.py": ("crypto_lakehouse/demo/test_synthetic.py", WHOLE_DEMO),
    **dict.fromkeys(
        (
            "crypto_lakehouse/exchange/binance.py",
            "crypto_lakehouse/exchange/rows.py",
        ),
        ("crypto_lakehouse/exchange/test_fetching.py", OVER_HTTP),
    ),
    **dict.fromkeys(
        ("crypto_lakehouse/exchange/coinbase.py", "crypto_lakehouse/exchange/kraken.py"),
        ("crypto_lakehouse/exchange/test_other_exchanges.py", OVER_HTTP),
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/gold/build.py",
            "crypto_lakehouse/gold/inputs.py",
            "crypto_lakehouse/marts.py",
            "crypto_lakehouse/steps/build.py",
            "crypto_lakehouse/steps/inputs.py",
            "crypto_lakehouse/steps/plan_mart.py",
        ),
        ("crypto_lakehouse/gold/test_mart_runs.py", "a mart of the tests goes through whole runs"),
    ),
    "crypto_lakehouse/runs/listing.py": (
        "crypto_lakehouse/runs/test_history.py",
        "runs are read one by one and listed from the same files",
    ),
    "crypto_lakehouse/runs/outcomes.py": ("crypto_lakehouse/runs/test_results.py", DECLARATIONS),
    "crypto_lakehouse/exchange/session.py": ("crypto_lakehouse/test_http_limits.py", OVER_HTTP),
    "crypto_lakehouse/instruments/fetching.py": ("crypto_lakehouse/instruments/test_updating.py", OVER_HTTP),
    **dict.fromkeys(
        ("crypto_lakehouse/instruments/instrument.py", "crypto_lakehouse/instruments/known_events.py"),
        ("crypto_lakehouse/instruments/test_master.py", DECLARATIONS),
    ),
    "crypto_lakehouse/lake/bronze_schema.py": ("crypto_lakehouse/lake/test_bronze.py", DECLARATIONS),
    "crypto_lakehouse/query/__init__.py": (
        "crypto_lakehouse/query/test_public_names.py",
        "it only has the public names",
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/query/child.py",
            "crypto_lakehouse/query/limits.py",
            "crypto_lakehouse/query/question.py",
            "crypto_lakehouse/settings/query.py",
        ),
        ("crypto_lakehouse/query/test_process.py", "both ends of a process are tried together"),
    ),
    **dict.fromkeys(
        (
            "crypto_lakehouse/healing.py",
            "crypto_lakehouse/lake/faults.py",
            "crypto_lakehouse/maintenance/evidence.py",
            "crypto_lakehouse/maintenance/logs.py",
            "crypto_lakehouse/maintenance/objects.py",
            "crypto_lakehouse/maintenance/published.py",
            "crypto_lakehouse/maintenance/repairing.py",
            "crypto_lakehouse/maintenance/restoring.py",
            "crypto_lakehouse/maintenance/surviving.py",
            "crypto_lakehouse/maintenance/traces.py",
            "crypto_lakehouse/maintenance/verifying.py",
            "crypto_lakehouse/runs/sums.py",
        ),
        ("faults/test_damage.py", "every kind of file of a lake is damaged, found and repaired"),
    ),
    "crypto_lakehouse/maintenance/collecting.py": ("crypto_lakehouse/steps/test_collect.py", "it is tried as a step"),
    "crypto_lakehouse/maintenance/scrubbing.py": ("crypto_lakehouse/steps/test_scrub.py", "it is tried as a step"),
    "crypto_lakehouse/settings/maintenance.py": ("crypto_lakehouse/steps/test_collect.py", DECLARATIONS),
    "crypto_lakehouse/settings/part.py": ("crypto_lakehouse/settings/test_loading.py", DECLARATIONS),
    "crypto_lakehouse/steps/context.py": ("crypto_lakehouse/steps/test_steps.py", DECLARATIONS),
    "lakehouse_airflow/runners/docker_runner.py": (
        "containers/test_docker_runner.py",
        "it needs an engine: `make test-containers`",
    ),
    "lakehouse_airflow/runners/operator_runner.py": (
        "lakehouse_airflow/runners/test_ecs_runner.py",
        "the base of two runners, whose tests it is in",
    ),
    "lakehouse_airflow/pages/__init__.py": ("lakehouse_airflow/test_plugin.py", "the plugin declares what it has"),
    **dict.fromkeys(
        ("lakehouse_airflow/pages/answering.py", "lakehouse_airflow/pages/reading.py"),
        ("lakehouse_airflow/pages/test_routes.py", "pages are asked for over HTTP, with Airflow's login"),
    ),
    "lakehouse_airflow/sqlite_options.py": ("dags/test_whole_runs.py", DECLARATIONS),
}
"""Modules without a test in the mirrored place: the test file that holds them, relative to `tests`, and the reason."""


def mirrored(module: Path) -> Path:
    """Returns where the test of a module belongs."""
    place = TESTS / module.relative_to(INCLUDE).parent
    return place / f"test_{place.name if module.name == '__init__.py' else module.stem}.py"


def needs_a_test(module: Path) -> bool:
    """Returns whether there is something to test: a package's own file often only re-exports."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return module.name != "__init__.py" or any(isinstance(node, definitions) for node in tree.body)


def untested(include: Path = INCLUDE) -> set[str]:
    """Returns the modules that have no test in the mirrored place."""
    modules = (module for module in sorted(include.rglob("*.py")) if needs_a_test(module))
    return {module.relative_to(include).as_posix() for module in modules if not mirrored(module).is_file()}


def test_a_module_has_its_test_in_the_mirrored_place_or_is_in_the_list() -> None:
    assert untested() - set(ELSEWHERE) == set(), "write tests/<package>/test_<module>.py, or say where it is tested"


def test_the_list_has_nothing_that_is_not_needed_any_more() -> None:
    assert set(ELSEWHERE) - untested() == set(), "these have their test in the mirrored place, or are gone"


@pytest.mark.parametrize(("place", "reason"), sorted(set(ELSEWHERE.values())))
def test_where_the_list_points_there_is_a_test(place: str, reason: str) -> None:
    assert (TESTS / place).is_file()
    assert reason


def test_more_than_half_of_the_modules_have_their_test_in_the_mirrored_place() -> None:
    modules = [module for module in INCLUDE.rglob("*.py") if needs_a_test(module)]
    assert len(modules) > 100, "the control: they are found"
    assert len(untested()) < len(modules) / 2


def test_a_module_without_a_test_is_noticed() -> None:
    module = INCLUDE / "crypto_lakehouse" / "lake" / "no_such_module.py"
    assert mirrored(module) == TESTS / "crypto_lakehouse" / "lake" / "test_no_such_module.py"
    assert not mirrored(module).is_file()
