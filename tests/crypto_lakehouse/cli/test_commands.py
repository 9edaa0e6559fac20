"""The commands as somebody types them, against a lake in a folder."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.catalog.embedded import EmbeddedCatalog
from crypto_lakehouse.cli import main
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import PublishedPartition
from crypto_lakehouse.vocabulary import Condition, Step
from tests.crypto_lakehouse.query.test_as_of import BTC, FIRST, HOUR, PastLake

LEAVES = (
    ["admin", "setup"],
    ["admin", "status"],
    ["admin", "runs"],
    ["plan"],
    ["backfill", "rest"],
    ["gaps", "fill"],
    ["process", "transform"],
    ["query", "info"],
    ["query", "coverage"],
    ["gaps", "list"],
    ["query", "sql"],
    ["query", "universe"],
    ["instruments", "update"],
    ["admin", "maintain"],
    ["catalog", "rebuild"],
    ["catalog", "verify"],
    *(["step", step.value] for step in Step),
    *(["ingest", name] for name in ("klines", "agg-trades", "funding-rates", "metrics", "bvol-index", "eoh-summary")),
)


def publish_funding(folder: Path) -> None:
    """Publishes one file of three rows, one of whose texts a spreadsheet would take for a formula."""
    partition = Partition.parse("binance_um_funding_rate", "symbol_key=BTCUSDT/year=2025")
    file = f"{partition.path}/version=0123456789abcdef/data.parquet"
    (folder / file).parent.mkdir(parents=True)
    times = [datetime(2025, 1, 1, hour, tzinfo=UTC) for hour in (0, 8, 16)]
    frame = pl.DataFrame({"symbol": ["BTCUSDT", "=cmd|' /C calc'!A0", "\x1b[2J"], "funding_time": times})
    frame.write_parquet(folder / file)
    catalog = EmbeddedCatalog(folder / "catalog" / "catalog.sqlite")
    catalog.ensure_table(partition.dataset)
    record = PublishedPartition(
        partition.dataset.name, partition.name, file.rpartition("/")[0], file, "0" * 64, 1, 3, "d", times[0], times[2],
        Condition.AVAILABLE, (), "run", datetime(2025, 2, 1, tzinfo=UTC),
    )  # fmt: skip
    catalog.publish([record])


@pytest.mark.parametrize("command", LEAVES, ids=" ".join)
def test_every_command_shows_examples_that_start_with_itself(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--help"]) == 0
    out = capsys.readouterr().out
    assert f"crypto-lakehouse {' '.join(command)}" in out.split("Examples:")[1]
    assert "--json" in out


@pytest.mark.parametrize("module", ["polars", "duckdb", "pyarrow", "great_expectations", "boto3", "pydantic", "rich"])
def test_help_loads_no_engine(module: str) -> None:
    code = f"import sys; from crypto_lakehouse.cli import main; main(['--help']); sys.exit('{module}' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_setup_creates_every_table_and_may_be_repeated(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["admin", "setup", "--json"]) == main(["admin", "setup", "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == said[1] == {"status": "succeeded", "lake": str(lake_folder), "catalog": "embedded", "tables": 31}
    assert len(EmbeddedCatalog(lake_folder / "catalog" / "catalog.sqlite").tables()) == 31


def test_status_counts_what_is_published(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_funding(lake_folder)
    assert main(["admin", "status", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["datasets"][0]["rows"] == 3
    assert said["last_runs"][0]["run_id"] == "run"
    assert said["last_runs"][0]["status"] is None, "the files of this run are gone"
    assert said["disk_free_bytes"] > 0
    assert said["last_runs"][0]["published_at"] == "2025-02-01T00:00:00+00:00"
    assert main(["admin", "status"]) == 0
    table = capsys.readouterr().out
    assert "binance_um_funding_rate" in table
    assert "2025-02-01 00:00:00  binance_um" in table
    assert "+00:00" not in table


@pytest.mark.parametrize(
    "command",
    [
        ["query", "info"],
        ["query", "sql", "SELECT 1"],
        ["query", "coverage", "--data-type", "klines", "--market", "um"],
        ["query", "universe", "--market", "um", "--at", "2025-01-01"],
    ],
)
def test_a_reader_of_an_empty_folder_says_that_there_is_no_lake_and_makes_none(
    command: list[str], lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for is_there in (False, True):
        assert main(command) == 64
        assert f"there is no lake in {lake_folder}" in capsys.readouterr().err
        assert lake_folder.exists() is is_there
        lake_folder.mkdir(exist_ok=True)
    assert list(lake_folder.iterdir()) == []


def test_info_shows_coverage(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_funding(lake_folder)
    assert main(["query", "info"]) == 0
    out = capsys.readouterr().out
    assert "2025-01-01 00:00:00" in out
    assert "+00:00" not in out
    assert main(["query", "info", "binance_um_funding_rate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == 3
    assert main(["query", "info", "nonsense"]) == 64


def test_an_earlier_instant_is_shown_and_its_limit_is_named(
    lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    past = PastLake(lake_folder)
    old = past.publish(FIRST, 1)
    past.publish(FIRST + HOUR, 2)
    command = ["query", "sql", "SELECT close::INT AS n FROM binance_um_funding_rate", "--format", "csv", "--as-of"]
    for as_of, number in (("2025-03-01T12:30", 1), ("2025-03-01T14:00:00+01:00", 2)):
        assert main([*command, as_of]) == 0
        assert capsys.readouterr().out == f"n\n{number}\n"
    assert main(["query", "info", "--as-of", "2025-03-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["admin", "maintain", "--dry-run"]) == 0
    assert "reach" not in capsys.readouterr().out, "all versions are kept"
    old.unlink()
    limit = "2025-03-01T13:00:00+00:00"
    assert main([*command, "2025-03-01T12:30"]) == 64
    assert f"{BTC}: " in (refusal := capsys.readouterr().err)
    assert f"reach back to as_of {limit}" in refusal
    assert main(["admin", "maintain", "--dry-run"]) == 0
    assert f"reads of binance_um_funding_rate then reach back to --as-of {limit}" in capsys.readouterr().out
    assert main(["admin", "maintain", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reaches"] == {"binance_um_funding_rate": limit}


def test_sql_prints_a_table_from_which_nothing_steers_the_terminal(
    lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_funding(lake_folder)
    assert main(["query", "sql", "SELECT symbol FROM binance_um_funding_rate"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\N{REPLACEMENT CHARACTER}[2J" in out


def test_csv_disarms_formulas_and_is_otherwise_exact(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_funding(lake_folder)
    text = "SELECT symbol, -1.5 AS \"=name\", '+x' AS a, '@x' AS b, NULL AS c, [1, 2] AS d FROM binance_um_funding_rate"
    assert main(["query", "sql", text, "--format", "csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["symbol", "'=name", "a", "b", "c", "d"]
    assert {row[0] for row in rows[1:]} == {"BTCUSDT", "'=cmd|' /C calc'!A0", "\x1b[2J"}
    assert rows[1][1:5] == ["-1.5", "'+x", "'@x", ""]


def test_json_is_one_document_with_exact_decimals(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_funding(lake_folder)
    text = "SELECT 0.10::DECIMAL(18,8) AS price, min(funding_time) AS first FROM binance_um_funding_rate"
    assert main(["query", "sql", text, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == [{"price": "0.10000000", "first": "2025-01-01T00:00:00+00:00"}]
    assert said["truncated"] is False


def test_a_result_beyond_the_limit_is_cut_off_and_says_so(
    lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_funding(lake_folder)
    assert main(["query", "sql", "FROM range(500)"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 101
    assert "cut off after 100 rows" in err


def test_parquet_goes_to_a_new_file_and_nothing_is_overwritten(lake_folder: Path, tmp_path: Path) -> None:
    publish_funding(lake_folder)
    path = tmp_path / "out.parquet"
    command = ["query", "sql", "SELECT 1 AS a", "--format", "parquet"]
    assert main(command) == 64
    assert main([*command, "--output", str(path)]) == 0
    assert pl.read_parquet(path)["a"].to_list() == [1]
    assert main([*command, "--output", str(path)]) == 64


def test_a_wrong_query_is_a_usage_error_of_two_lines(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_funding(lake_folder)
    assert main(["query", "sql", "SELECT nonsense"]) == 64
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["query", "sql", "SELECT * FROM binance_um_klines"]) == 65


@pytest.mark.parametrize(
    "command",
    [
        ["ingest", "klines", "--symbols", "BTCUSDT"],
        ["ingest", "klines", "--market", "um", "--symbols", "../x"],
        ["ingest", "klines", "--market", "um", "--start-date", "2025-01-02", "--end-date", "2025-01-01"],
        ["ingest", "klines", "--market", "um", "--interval", "7m"],
        ["ingest", "klines", "--market", "um", "--profile", "fastest"],
        ["ingest", "klines", "--market", "mars"],
        ["plan", "klines", "--market", "option", "--dry-run"],
        ["process", "transform", "--data-type", "nonsense"],
    ],
)
def test_what_is_not_acceptable_is_refused_before_anything_is_written(lake_folder: Path, command: list[str]) -> None:
    assert main([*command, "--json"]) == 64
    assert not lake_folder.exists()


def test_an_archive_that_does_not_answer_is_a_transient_failure_told_as_json(
    lake_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_PROFILES", '{"default": {"retries": 0, "connect_timeout_seconds": 0.5}}')
    command = ["ingest", "klines", "--market", "um", "--symbols", "BTCUSDT", "--start-date", "2025-01-01"]
    assert main([*command, "--json"]) == 75
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "failed"
    assert said["failures"][0]["class"] == "SourceUnavailable"
    assert list((lake_folder / "runs" / "binance_um_klines").glob("*/plan.plan.result.json"))


def test_transform_of_an_empty_lake_finds_nothing_to_do_and_asks_no_archive(
    lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["process", "transform", "--data-type", "klines", "--market", "um", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "nothing_to_do"


def test_a_step_prints_its_result_without_the_payload(lake_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["process", "transform", "--data-type", "metrics", "--market", "um", "--json"]) == 0
    order = json.loads(capsys.readouterr().out)["order"]
    assert main(["step", "plan", "--work-order", order, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["step"], said["status"], "payload" in said) == ("plan", "nothing_to_do", False)
    assert main(["step", "plan", "--work-order", f"{lake_folder}/{order}"]) == 0
    assert main(["step", "plan", "--work-order", "elsewhere/plan.json"]) == 64
    assert main(["step", "pull", "--work-order", order.replace("plan.json", "pull-000.json")]) == 65
