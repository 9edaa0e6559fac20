"""A whole run from the command line, on files that the exchange itself published."""

import json
from pathlib import Path

import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.demo.serving import serve_bucket
from crypto_lakehouse.settings import PREFIX, load_settings

FUNDING = ["funding-rates", "--market", "um", "--symbols", "BTCUSDT"]
DAYS = ["--start-date", "2026-04-01", "--end-date", "2026-04-30"]


def test_real_funding_rates_are_planned_ingested_once_and_answer_a_question(
    real_archive: Path, lake_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serve_bucket(real_archive) as url:
        monkeypatch.setenv(f"{PREFIX}ARCHIVE__ENDPOINT_URL", url)
        load_settings.cache_clear()
        assert main(["plan", *FUNDING, *DAYS, "--dry-run", "--json"]) == 0
        planned = json.loads(capsys.readouterr().out)
        assert planned["counts"]["objects_to_pull"] == planned["counts"]["partitions"] == 1
        assert not lake_folder.exists(), "a dry run writes nothing, not even an empty catalog"

        assert main(["ingest", *FUNDING, *DAYS, "--json"]) == 0
        first = json.loads(capsys.readouterr().out)
        assert first["counts"]["publish"]["rows_published"] == 90
        assert Path(first["report"]).is_file()

        assert main(["ingest", *FUNDING, *DAYS, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["status"] == "nothing_to_do"

    assert main(["admin", "runs", "binance_um_funding_rate", "--json"]) == 0
    idle, ingested = json.loads(capsys.readouterr().out)
    assert (idle["status"], ingested["status"]) == ("nothing_to_do", "succeeded")
    assert ingested["counts"]["publish"]["rows_published"] == 90
    assert (ingested["request"]["first_day"], ingested["failures"]) == ("2026-04-01", [])
    assert ingested["report"] == first["report"]
    assert main(["admin", "runs", "binance_um_funding_rate", "--last", "1"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["admin", "runs", "binance_um_klines"]) == 0
    assert "there are no runs" in capsys.readouterr().out
    assert main(["admin", "status", "--json"]) == 0
    (last,) = json.loads(capsys.readouterr().out)["last_runs"]
    assert (last["run_id"], last["status"], last["rows"]) == (ingested["request"]["run_id"], "succeeded", 90)

    assert main(["query", "sql", "SELECT count(*) AS n FROM binance_um_funding_rate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == [{"n": 90}]
