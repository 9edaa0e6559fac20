"""`query coverage` and `gaps list` as somebody types them."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.cli import main
from crypto_lakehouse.coverage.log import CoverageFrames, CoverageLog
from crypto_lakehouse.coverage.records import DayCoverage, Hole, LoggedRefusedRow, PartitionVersion
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import DayCondition, HoleKind

SERIES = ["--data-type", "klines", "--market", "spot", "--symbols", "BTCUSDT", "--interval", "1h"]
DAYS = ["--start-date", "2024-01-01", "--end-date", "2024-01-04"]


@pytest.fixture
def made(lake_folder: Path) -> Path:
    """A lake with a table, of which nothing is known."""
    open_catalog(load_settings()).ensure_table(dataset("binance_spot_klines"))
    return lake_folder


@pytest.fixture
def covered(made: Path) -> Path:
    """A lake that knows of two whole days, one of them with a hole."""
    place = PartitionVersion(
        "binance_spot_klines", "kline_interval=1h/symbol_key=BTCUSDT/period=2024-01", "BTCUSDT", "1h", "v"
    )
    days = [
        DayCoverage(place, date(2024, 1, 1), DayCondition.AVAILABLE, "", 24, 24, 0, "archive_daily"),
        DayCoverage(place, date(2024, 1, 2), DayCondition.DEGRADED, "3 of 24 rows", 21, 24, 3, "archive_daily"),
    ]
    start = datetime(2024, 1, 2, 5, tzinfo=UTC)
    hole = Hole(place, start, start + timedelta(hours=3), 3, HoleKind.GRID, "", "archive_daily")
    known = Hole(place, start - timedelta(days=1), start - timedelta(hours=23), 1, HoleKind.GRID, "halted", "rest")
    refused = LoggedRefusedRow(place, date(2024, 1, 2), "data/a.zip", "00", 7, "a quantity is negative", "1,2,-3")
    frames = CoverageFrames.of(days, [hole, known], refused_rows=[refused])
    CoverageLog(LocalStorage(made)).append("binance_spot_klines", frames, datetime(2024, 1, 5, tzinfo=UTC))
    return made


def test_coverage_is_a_line_per_day(covered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "coverage", *SERIES, *DAYS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:4] == ["symbol", "kline_interval", "day", "condition"]
    assert [line.split()[2:4] for line in lines[1:]] == [
        ["2024-01-01", "available"], ["2024-01-02", "degraded"], ["2024-01-03", "missing"], ["2024-01-04", "missing"]
    ]  # fmt: skip


def test_coverage_as_json_is_one_document(covered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "coverage", *SERIES, *DAYS, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["condition"] for one in said] == ["available", "degraded", "missing", "missing"]
    assert said[1]["day"] == "2024-01-02"


def test_the_calendar_is_drawn_without_colour_where_nobody_looks(
    covered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["query", "coverage", *SERIES, *DAYS, "--calendar"]) == 0
    assert "2024-01  ADMM\n" in capsys.readouterr().out


def test_pictures_are_written_to_new_files_only(
    covered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, image = tmp_path / "c.html", tmp_path / "c.png"
    command = ["query", "coverage", *SERIES, *DAYS, "--html", str(page), "--png", str(image)]
    assert main(command) == 0
    assert "<svg" in page.read_text() and image.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""
    assert main(command) == 64
    assert "nothing is overwritten" in capsys.readouterr().err


def test_a_picture_of_nothing_is_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "coverage", *SERIES, "--html", str(tmp_path / "c.html")]) == 64
    assert "0 years of series" in capsys.readouterr().err
    assert main(["query", "coverage", *SERIES]) == 0
    assert capsys.readouterr().out == "no coverage is known for binance_spot_klines BTCUSDT\n"


def test_gaps_are_listed_with_what_is_known_or_without(covered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaps", "list", *SERIES, *DAYS, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["missing"], one["known"]) for one in said] == [
        ("grid", 1, "halted"), ("grid", 3, ""), ("days", 48, "")
    ]  # fmt: skip
    assert main(["gaps", "list", *SERIES, *DAYS, "--unknown"]) == 0
    shown = capsys.readouterr()
    assert "halted" not in shown.out
    assert shown.err == "2 gaps; missing rows or ids: 51\n"


def test_refused_rows_are_listed_with_line_reason_and_text(covered: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["query", "refused-rows", *SERIES, *DAYS]) == 0
    header, line = capsys.readouterr().out.splitlines()
    assert header.split() == ["symbol", "kline_interval", "day", "key", "line", "reason", "text"]
    assert line.split()[3:5] == ["data/a.zip", "7"]
    assert "a quantity is negative  1,2,-3" in line
    assert main(["query", "refused-rows", *SERIES, *DAYS, "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert (row["key"], row["line"], row["text"]) == ("data/a.zip", 7, "1,2,-3")
    assert main(["query", "refused-rows", *SERIES, "--start-date", "2024-01-03", "--end-date", "2024-01-04"]) == 0
    assert capsys.readouterr().out == "no refused rows are known in binance_spot_klines\n"


def test_no_gap_is_said_in_words(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaps", "list", *SERIES]) == 0
    assert capsys.readouterr().out == "no gaps are known in binance_spot_klines\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--data-type", "candles"],
        ["--data-type", "klines"],
        ["--data-type", "binance_um_klines", "--symbols", "BTC'--"],
        ["--data-type", "binance_um_klines", "--interval", "7m"],
        ["--data-type", "binance_um_klines", "--start-date", "2024-W01"],
        ["--data-type", "binance_um_klines", "--start-date", "2024-01-02", "--end-date", "2024-01-01"],
        [],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", [["query", "coverage"], ["gaps", "list"]], ids=" ".join)
def test_what_cannot_be_meant_is_refused(
    command: list[str], wrong: list[str], lake_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *wrong]) == 64
    assert capsys.readouterr().out == ""
