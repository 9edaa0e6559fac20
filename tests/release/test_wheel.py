"""The wheel, installed into an empty environment with what it declares and nothing else, reads a lake anywhere."""

import json
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from crypto_lakehouse import __version__
from tests.published_lake import build_published_lake
from tests.release.declared import CORE, EXTRAS
from tests.release.installing import Installation, build_wheel, closure, install
from tests.release.tools import PROJECT

SDK = """
import sys
from crypto_lakehouse.query import Lake

lake = Lake.open(sys.argv[1])
frame = lake.scan("binance_um_klines", symbols="BTCUSDT", interval="1h").collect()
print(frame.height, frame["close"].sum(), frame["open_time"].dtype, lake.datasets())
print(lake.sql("SELECT symbol, count(*) AS rows FROM binance_um_klines GROUP BY symbol ORDER BY symbol").rows())
"""
# One process for many commands: an interpreter that starts on a busy machine takes seconds.
COMMANDS = """
import contextlib, io, json, sys
from crypto_lakehouse.cli import main

results = []
for words in json.loads(sys.argv[1]):
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(words)
    results.append((code, output.getvalue(), errors.getvalue()))
print(json.dumps(results))
"""
QUERY = "SELECT symbol, max(open_time) AS last FROM binance_um_klines GROUP BY symbol ORDER BY symbol"
SERIES = ("--market", "um", "--symbols", "BTCUSDT", "--interval", "1h")
READING = (
    ("query", "info"),
    ("query", "sql", QUERY),
    ("query", "sql", QUERY, "--json"),
    ("query", "sql", QUERY, "--format", "parquet", "--output", "result.parquet"),
    ("query", "coverage", "--data-type", "klines", *SERIES),
    ("gaps", "list", "--data-type", "klines", *SERIES),
    ("admin", "status"),
)
RUN = (*SERIES, "--start-date", "2024-12-01")
NOT_INSTALLED = {
    ("ingest", "klines", *RUN): "conform,exchange,gate,pull,reports",
    ("instruments", "update", "--market", "um"): "exchange,pull",
    ("plan", "klines", *RUN, "--dry-run"): "pull",
    ("query", "coverage", "--data-type", "klines", *SERIES, "--html", "page.html"): "reports",
}
PLACES = {"s3": {"CRYPTO_LAKEHOUSE_LAKE": "s3://bucket/lake"}, "glue": {"CRYPTO_LAKEHOUSE_CATALOG__KIND": "glue"}}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return install(wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("lake")
    build_published_lake(root)
    return str(root)


def results_of(installed: Installation, commands: object, lake: str) -> list[tuple[int, str, str]]:
    """Returns exit code, output and errors of each command."""
    done = installed.run("python", "-c", COMMANDS, json.dumps(commands), CRYPTO_LAKEHOUSE_LAKE=lake)
    assert done.returncode == 0, done.stderr
    return [tuple(result) for result in json.loads(done.stdout)]


def test_the_wheel_has_the_packages_and_their_data_and_nothing_of_the_tests(wheel: Path) -> None:
    ours = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert {name.partition("/")[0] for name in ours} == {"crypto_lakehouse", "lakehouse_airflow"}
    files = {path.relative_to(PROJECT / "include") for path in (PROJECT / "include").rglob("*") if path.is_file()}
    assert ours == {file.as_posix() for file in files if "__pycache__" not in file.parts and ".egg" not in str(file)}


def test_the_environment_has_the_core_and_no_extra(installed: Installation) -> None:
    (metadata,) = installed.packages.glob("crypto_lakehouse-*.dist-info")
    names = {library.name.lower().replace("_", "-") for library in closure(Distribution.at(metadata))}
    assert names >= CORE
    assert names & (set().union(*EXTRAS.values()) - CORE) == set()
    checked = installed.run("python", "-c", "import sys, duckdb; print(sys.prefix, *sys.path, sep='\\n')")
    assert str(installed.folder) in checked.stdout
    assert str(PROJECT) not in checked.stdout


def test_the_program_starts_and_knows_its_version(installed: Installation) -> None:
    assert installed.run("crypto-lakehouse", "--version").stdout == f"crypto-lakehouse {__version__}\n"
    shown = installed.run("crypto-lakehouse", "--help")
    assert shown.returncode == 0, shown.stderr
    assert "ingest" in shown.stdout


def test_the_sdk_and_sql_read_a_lake(installed: Installation, lake: str) -> None:
    read = installed.run("python", "-c", SDK, lake)
    assert read.returncode == 0, read.stderr
    rows, counts = read.stdout.splitlines()
    assert rows.startswith("48 552.00000000 Datetime(time_unit='us', time_zone='UTC') ['binance_um_funding_rate',")
    assert counts == "[('BTCUSDT', 72), ('ETHUSDT', 24)]"


def test_the_command_line_reads_a_lake(installed: Installation, lake: str) -> None:
    results = dict(zip(READING, results_of(installed, READING, lake), strict=True))
    assert {words: errors for words, (code, _, errors) in results.items() if code} == {}
    assert [words for words, (_, output, _) in results.items() if not output and "--output" not in words] == []
    assert (installed.home / "result.parquet").stat().st_size
    document = json.loads(results["query", "sql", QUERY, "--json"][1])
    assert [row["symbol"] for row in document["rows"]] == ["BTCUSDT", "ETHUSDT"]


def test_the_configuration_of_the_current_folder_is_read(installed: Installation, lake: str, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "lakehouse.toml").write_text(f'lake = "{lake}"')
    elsewhere = Installation(installed.folder, tmp_path)
    assert json.loads(elsewhere.run("crypto-lakehouse", "admin", "status", "--json").stdout)["lake"] == lake


def test_the_core_verifies_a_lake(installed: Installation, lake: str) -> None:
    ((code, _, errors),) = results_of(installed, [("catalog", "verify")], lake)
    # The files of this lake were written without a pipeline: there is no log, and the files have no manifest.
    assert code == 65, errors
    assert "is gone, and there are published partitions" in errors


def test_a_piece_that_is_not_installed_is_named_with_its_extras_and_nothing_is_done(
    installed: Installation, lake: str
) -> None:
    results = results_of(installed, list(NOT_INSTALLED), lake)
    for (code, output, errors), extras in zip(results, NOT_INSTALLED.values(), strict=True):
        what, advice = errors.splitlines()
        assert (code, output) == (65, "")
        assert what.startswith("error: not installed: ")
        assert advice == f'Run: pip install "crypto-lakehouse[{extras}]"'
    assert not list(Path(lake).rglob("*.json")), "not even a work order"


@pytest.mark.parametrize("extra", PLACES)
def test_a_place_that_is_not_installed_is_named_with_its_extra(installed: Installation, lake: str, extra: str) -> None:
    variables = {"CRYPTO_LAKEHOUSE_LAKE": lake, **PLACES[extra]}
    done = installed.run("crypto-lakehouse", "query", "info", **variables)
    assert done.returncode == 65, done.stderr
    assert done.stderr.splitlines()[1:] == [f'Run: pip install "crypto-lakehouse[{extra}]"']


@pytest.mark.parametrize("module", ["crypto_lakehouse.demo", "crypto_lakehouse.docs"])
def test_what_needs_a_checkout_says_so(installed: Installation, module: str) -> None:
    done = installed.run("python", "-m", module)
    assert done.returncode != 0
    assert "needs a checkout" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        # DuckDB is loaded in the process of a query alone.
        ("duckdb", "the process of the query ended with code 1"),
        ("pydantic-settings", "No module named 'pydantic_settings'"),
    ],
)
def test_control_a_library_that_is_not_declared_is_missed(
    wheel: Path, lake: str, tmp_path: Path, missing: str, words: str
) -> None:
    installation = install(wheel, tmp_path, without={missing})
    assert not (installation.packages / missing.replace("-", "_")).exists(), "the control took it out"
    read = installation.run("python", "-c", SDK, lake)
    assert read.returncode != 0
    assert words in read.stderr
