"""The masters of a demonstration: of its markets only, and a failure is told."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from crypto_lakehouse.demo.masters import main, update_masters
from crypto_lakehouse.instruments.log import InstrumentLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Market
from tests.small_lake import small_lake

KLINES = "binance_spot_klines"


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", "http://127.0.0.1:9")
    load_settings.cache_clear()
    return tmp_path / "lake"


def test_only_the_markets_of_the_datasets_are_listed(
    tmp_path: Path, deployment: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_lake(tmp_path) as small:
        small.publish(KLINES, "2025-01-01")
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", small.bucket.endpoint)
        # Funding rates have no symbols that are listed, so their market is left out.
        assert main([KLINES, "binance_um_funding_rate"]) == 0
    assert capsys.readouterr().out == "spot 1\n"
    master = InstrumentLog(LocalStorage(deployment)).latest(Market.SPOT)
    assert master["symbol"].to_list() == ["BTCUSDT"]


def test_a_failure_is_told_with_its_reason(tmp_path: Path, deployment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    with small_lake(tmp_path) as small:
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", small.bucket.endpoint)
        assert not update_masters([KLINES], os.environ, Console(file=output, width=300))
    assert "Instruments in the master: none" in output.getvalue()
    assert "the bucket lists no symbol of spot" in output.getvalue()
    assert not (deployment / "instruments").exists()
