"""The SDK and the command line take what Python people pass, or refuse it in words, and readers make no file."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.cli.arguments import gathered
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.arguments import checked_instant
from crypto_lakehouse.settings import Settings
from tests.published_lake import build_published_lake

KLINES = "binance_um_klines"
DAY = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for all questions."""
    return build_published_lake(tmp_path_factory.mktemp("given") / "lake")


@pytest.mark.parametrize(
    "given",
    [
        "2025-01-01", date(2025, 1, 1), DAY, np.datetime64("2025-01-01"), np.datetime64("2025-01-01T00:00:00", "ns"),
        pa.scalar(DAY), pa.scalar(date(2025, 1, 1)), "20250101", "2025-01-01T01:00+01:00",
    ],
)  # fmt: skip
def test_times_of_every_library_are_the_same_time(given: object) -> None:
    assert checked_instant(given) == DAY  # type: ignore[arg-type]


def test_symbols_and_kinds_are_one_text_or_a_list(lake: Lake) -> None:
    assert lake.info(symbols="BTCUSDT").equals(lake.info(symbols=["BTCUSDT"]))
    assert lake.info(symbols="BTCUSDT").height == 3
    assert lake.scan(KLINES, symbols=None).collect().height == lake.scan(KLINES).collect().height  # type: ignore[arg-type]
    assert lake.gaps(KLINES, symbols=None, intervals=None).is_empty()  # type: ignore[arg-type]


REFUSED: tuple[Callable[[Lake], object], ...] = (
    lambda lake: lake.scan(KLINES, start="2025-02-01", end="2025-01-01"),
    lambda lake: lake.scan(KLINES, start=1735689600),  # type: ignore[arg-type]
    lambda lake: lake.scan(KLINES, start=np.datetime64("NaT")),  # type: ignore[arg-type]
    lambda lake: lake.scan(KLINES, symbols=5),  # type: ignore[arg-type]
    lambda lake: lake.scan(KLINES, symbols=[5]),  # type: ignore[list-item]
    lambda lake: lake.scan(KLINES, symbols=b"BTCUSDT"),  # type: ignore[arg-type]
    lambda lake: lake.scan(KLINES, interval=["1h"]),  # type: ignore[arg-type]
    lambda lake: lake.coverage(KLINES, days="2025-01-01"),  # type: ignore[arg-type]
    lambda lake: lake.coverage(KLINES, days=(5, None)),  # type: ignore[arg-type]
    lambda lake: lake.universe("um", "2025-01-01", kinds="stock"),
    lambda lake: Lake.open(5),  # type: ignore[arg-type]
)


@pytest.mark.parametrize("ask", REFUSED)
def test_what_cannot_be_meant_is_refused_in_words(lake: Lake, ask: Callable[[Lake], object]) -> None:
    with pytest.raises(InvalidRequest):
        ask(lake)


def test_a_lake_is_opened_by_path_and_at_home_and_a_file_is_none(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(lake._root)
    monkeypatch.setenv("HOME", str(root.parent))
    for where in (root, "~/lake", Path("~/lake")):
        assert Lake.open(where).datasets() == lake.datasets()
    assert Settings(lake="~/lake").lake == str(root)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidRequest, match="is a file"):
        Lake.open(tmp_path / "file")


def test_reading_where_no_lake_is_makes_no_file_and_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=f"there is no lake in {tmp_path}"):
        Lake.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["none/a.csv", "there"])
def test_an_output_that_cannot_be_written_is_refused_before_the_query(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "there").mkdir()
    assert main(["query", "sql", "SELECT 1", "--format", "csv", "--output", str(tmp_path / name)]) == 64
    assert name.split("/", maxsplit=1)[0] in capsys.readouterr().err


def test_a_statement_may_begin_with_a_comment() -> None:
    for text in ("-- all\nSELECT 1", "--all\nSELECT 1"):
        assert gathered(["query", "sql", text, "--json"]) == ["query", "sql", f" {text}", "--json"]
    assert gathered(["--output=a b", "--json"]) == ["--output=a b", "--json"]


@pytest.mark.parametrize(
    "command", [("query", "coverage"), ("query", "refused-rows"), ("gaps", "list"), ("gaps", "fill")]
)
def test_what_names_a_data_type_takes_an_exchange(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--data-type", "metrics", "--exchange", "kraken"]) == 64
    assert "kraken has no metrics" in capsys.readouterr().err
