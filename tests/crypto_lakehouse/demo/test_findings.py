"""What a demonstration says about faults: the object, the reason, what it hurts, and a command that shows it."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from crypto_lakehouse.demo.findings import findings
from crypto_lakehouse.demo.requests import BROKEN
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.marts import table
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import new_run_id, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.settings import load_settings
from crypto_lakehouse.vocabulary import Condition
from tests.demo_lake import DATASETS, HOME, PRINTED, make_demo, served_demo

NAME = "binance_um_klines"
HURT = "kline_interval=1h/symbol_key=ETHUSDT/period=2025-01"
NOW = datetime(2025, 1, 4, tzinfo=UTC)


def judged(lake: Path, month: int, condition: Condition, *reasons: str) -> None:
    name = f"kline_interval=1h/symbol_key=BTCUSDT/period=2024-{month:02}"
    candidate = Candidate(NAME, name, "", "", "0" * 64, 1, 700, "", NOW, NOW)
    VerdictLog(LocalStorage(lake)).append(table(NAME), "r", [Verdict(candidate, condition, reasons)], NOW)


def test_the_broken_object_hurts_its_own_partition_and_no_other(demo: Path) -> None:
    verdicts = {
        (name, partition): logged.verdict.condition
        for name in DATASETS
        for partition, logged in VerdictLog(LocalStorage(demo / HOME / "lake")).latest(table(name)).items()
    }
    assert len(verdicts) == 20
    hurt = [place for place, condition in verdicts.items() if condition is not Condition.AVAILABLE]
    assert hurt == [(NAME, HURT)]
    lake = Lake.open(demo / HOME / "lake")
    assert lake.scan(NAME, symbols="ETHUSDT", interval="1h", start="2025-01-01").collect().height == 71
    assert lake.scan(NAME, symbols="BTCUSDT", interval="1h", start="2025-01-01").collect().height == 72


def test_the_summary_names_object_reason_and_harm_and_its_command_shows_the_row(demo: Path) -> None:
    printed = (demo / PRINTED).read_text(encoding="utf-8")
    lines = printed[printed.index("What is not as it should be") :].splitlines()
    assert lines[1].strip() == f"{NAME}: of its partitions 7 available, 1 degraded"
    assert lines[2].strip() == f"{HURT} is degraded: readers see its 71 rows, and the reason"
    assert f"line 14 of {BROKEN.key}: high is not the highest or low not the lowest" in lines[3]
    command = next(line.strip() for line in lines if "refused-rows" in line)
    environment = {name: text for name, text in os.environ.items() if name != "CRYPTO_LAKEHOUSE_LAKE"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=demo, env=environment, capture_output=True, text=True, check=True
    )
    assert BROKEN.key in done.stdout
    assert "  14  high is not the highest" in done.stdout


def test_the_master_has_the_instruments_of_the_exchange(demo: Path) -> None:
    assert "Instruments in the master: spot 2, um 2\n" in (demo / PRINTED).read_text(encoding="utf-8")
    listed = Lake.open(demo / HOME / "lake").universe("um", "2025-01-02")
    assert [(row["symbol"], row["kind"], row["base_asset"]) for row in listed.iter_rows(named=True)] == [
        ("BTCUSDT", "perpetual", "BTC"),
        ("ETHUSDT", "perpetual", "ETH"),
    ]
    assert listed["tick_size"].null_count() == 0


def test_the_exchange_has_the_row_and_closes_the_gap(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo, tmp_path, dirs_exist_ok=True)
    day = str(BROKEN.first_day)
    request = PlanRequest(NAME, new_run_id("fill"), day, day, ("ETHUSDT",), ("1h",), fill=True)

    def gaps() -> int:
        table = Lake.open(tmp_path / HOME / "lake").gaps(NAME, symbols="ETHUSDT", intervals="1h", days=(day, day))
        return table.height

    assert gaps() == 1
    with served_demo(tmp_path):
        assert run_pipeline(request, load_settings()).failures == []
    assert gaps() == 0
    lake = Lake.open(tmp_path / HOME / "lake")
    hours = lake.scan(NAME, symbols="ETHUSDT", interval="1h", start=day, end="2025-01-03")
    assert hours.collect().height == 24


def test_a_second_demonstration_says_that_there_is_nothing_to_do_and_keeps_naming_the_fault(
    demo: Path, tmp_path: Path
) -> None:
    shutil.copytree(demo, tmp_path, dirs_exist_ok=True)
    printed = make_demo(tmp_path)
    assert "Nothing to do: the lake already has everything" in printed
    assert "Results of this run" not in printed
    assert f"{HURT} is degraded" in printed
    assert "Results of this run" in (demo / PRINTED).read_text(encoding="utf-8"), "the first one had something to do"


def test_a_lake_without_faults_has_no_findings(tmp_path: Path) -> None:
    judged(tmp_path, 1, Condition.AVAILABLE)
    judged(tmp_path, 2, Condition.EMPTY)
    assert findings(LocalStorage(tmp_path), [NAME, "binance_spot_klines"], "query") == []


def test_other_faults_are_shown_by_the_coverage_of_their_days_and_many_are_counted(tmp_path: Path) -> None:
    for month in range(1, 6):
        judged(tmp_path, month, Condition.DEGRADED if month % 2 else Condition.QUARANTINED, f"reason {month}")
    lines = findings(LocalStorage(tmp_path), [NAME], "query")
    assert lines[0] == f"{NAME}: of its partitions 3 degraded, 2 quarantined"
    assert lines[3] == (
        "  kline_interval=1h/symbol_key=BTCUSDT/period=2024-02 is quarantined: readers keep the previous version, "
        "if there is one"
    )
    assert lines[-2:] == [
        "  and 2 more",
        f"  query coverage --data-type {NAME} --symbols BTCUSDT --start-date 2024-01-01 --end-date 2024-05-31",
    ]
