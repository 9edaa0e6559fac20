import subprocess
from pathlib import Path

import httpx
import pytest

from crypto_lakehouse.archive.s5cmd import binary
from crypto_lakehouse.demo.airflow_home import airflow_environment
from crypto_lakehouse.demo.requests import FIRST_DAY, LAST_DAY, synthetic_runs
from crypto_lakehouse.demo.run import chosen_source
from crypto_lakehouse.demo.serving import serve_bucket
from crypto_lakehouse.errors import InvalidRequest


def test_a_served_folder_is_a_public_bucket_that_s5cmd_reads(tmp_path: Path) -> None:
    (tmp_path / "archive" / "data").mkdir(parents=True)
    (tmp_path / "archive" / "data" / "a.zip").write_bytes(b"zip")
    with serve_bucket(tmp_path / "archive") as endpoint:
        assert endpoint.startswith("http://127.0.0.1:")
        done = subprocess.run(
            [
                *(str(binary()), "--no-sign-request", "--endpoint-url", endpoint),
                *("cp", "s3://data.binance.vision/data/a.zip", str(tmp_path / "b.zip")),
            ],
            capture_output=True,
            check=False,
        )
    assert done.returncode == 0
    assert (tmp_path / "b.zip").read_bytes() == b"zip"


def test_the_demonstration_crosses_a_month_and_the_day_of_the_new_unit() -> None:
    assert FIRST_DAY.month != LAST_DAY.month
    assert (FIRST_DAY.year, LAST_DAY.year) == (2024, 2025)
    assert {run.conf["start_date"] for run in synthetic_runs()} == {str(FIRST_DAY)}


def test_a_folder_s_runs_are_all_that_it_holds(real_archive: Path) -> None:
    source = chosen_source(str(real_archive), {})
    runs = {run.dataset: run.conf for run in source.runs}
    assert sorted(runs) == [
        "binance_cm_agg_trades",
        "binance_cm_klines",
        "binance_option_bvol_index",
        "binance_option_eoh_summary",
        "binance_spot_klines",
        "binance_um_funding_rate",
        "binance_um_klines",
    ]
    assert runs["binance_spot_klines"] == {
        "symbols": ["BTCUSDT", "ETHUSDT"],
        "intervals": ["1h", "1m"],
        "start_date": "2020-01-01",
        "end_date": "2026-05-08",
    }


@pytest.mark.parametrize(
    ("hosts", "direct"),
    [
        ({}, "localhost,127.0.0.1"),
        ({"NO_PROXY": "a.example"}, "a.example,localhost,127.0.0.1"),
        ({"no_proxy": "b.example", "NO_PROXY": "a.example"}, "b.example,localhost,127.0.0.1"),
        ({"NO_PROXY": "*"}, "*"),
    ],
)
def test_the_programs_of_airflow_reach_each_other_without_the_proxy_of_the_user(
    hosts: dict[str, str], direct: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, text in {"HTTP_PROXY": "http://127.0.0.1:9", **hosts}.items():
        monkeypatch.setenv(name, text)
    environment = airflow_environment(tmp_path, "lake")
    assert {environment[name] for name in ("NO_PROXY", "no_proxy")} == {direct}
    assert environment["HTTP_PROXY"] == "http://127.0.0.1:9", "the archive and the exchange are behind it"
    monkeypatch.setenv("NO_PROXY", environment["NO_PROXY"])
    monkeypatch.setenv("no_proxy", environment["no_proxy"])
    with httpx.Client() as client:
        proxied = client._transport_for_url(httpx.URL("http://127.0.0.1:8080/execution/")) is not client._transport
    assert not proxied


def test_a_bucket_needs_symbols_and_days() -> None:
    options = {"SYMBOLS": "BTCUSDT,ETHUSDT", "START": "2024-12-30", "END": "2025-01-02"}
    source = chosen_source("s3://data.binance.vision", options)
    assert source.place.folder is None
    assert source.place.bucket == "data.binance.vision"
    assert all(run.conf["symbols"] == ["BTCUSDT", "ETHUSDT"] for run in source.runs)
    for missing in options:
        with pytest.raises(InvalidRequest):
            chosen_source("s3://data.binance.vision", {**options, missing: ""})


@pytest.mark.parametrize("archive", ["/does/not/exist", "empty"])
def test_a_folder_without_archive_objects_is_refused(archive: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidRequest):
        chosen_source(str(tmp_path / archive), {})
