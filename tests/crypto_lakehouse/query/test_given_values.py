"""The SDK and the command line take what Python people pass, or refuse it in words, and readers make no file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.cli.arguments import gathered
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from tests.published_lake import build_published_lake

KLINES = "binance_um_klines"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for all questions."""
    return build_published_lake(tmp_path_factory.mktemp("given") / "lake")


def test_symbols_and_kinds_are_one_text_or_a_list(lake: Lake) -> None:
    assert lake.info(symbols="BTCUSDT").equals(lake.info(symbols=["BTCUSDT"]))
    assert lake.info(symbols="BTCUSDT").height == 3
    assert lake.scan(KLINES, symbols=None).collect().height == lake.scan(KLINES).collect().height
    assert lake.gaps(KLINES, symbols=None, intervals=None).is_empty()


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
)


@pytest.mark.parametrize("ask", REFUSED)
def test_what_cannot_be_meant_is_refused_in_words(lake: Lake, ask: Callable[[Lake], object]) -> None:
    with pytest.raises(InvalidRequest):
        ask(lake)


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
