"""The log of verdicts: the newest counts, and a newer refusal does not hide what may be published."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import Candidate, Verdict
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.vocabulary import Condition

TABLE = dataset("binance_um_metrics")
AT = datetime(2025, 1, 1, tzinfo=UTC)


def verdict(sha256: str, condition: Condition, partition: str = "symbol_key=BTCUSDT/year=2024") -> Verdict:
    candidate = Candidate(TABLE.name, partition, "l", "l/data.parquet", sha256, 1, 1, f"d{sha256}", AT, None)
    return Verdict(candidate, condition, ("1 of 3 rows is “odd”",))


@pytest.fixture
def log(tmp_path: Path) -> VerdictLog:
    return VerdictLog(LocalStorage(tmp_path))


def test_a_verdict_is_read_back_as_it_was(log: VerdictLog) -> None:
    given = verdict("1", Condition.DEGRADED)
    log.append(TABLE, "run", [given], AT)
    assert log.latest(TABLE) == {given.candidate.partition: (given, "run", AT)}


def test_the_last_verdict_counts_whatever_the_clocks_said(log: VerdictLog) -> None:
    log.append(TABLE, "ahead", [verdict("1", Condition.AVAILABLE)], AT + timedelta(days=3650))
    log.append(TABLE, "right", [verdict("2", Condition.AVAILABLE)], AT)
    (latest,) = log.latest(TABLE).values()
    assert (latest.run_id, latest.verdict.candidate.sha256) == ("right", "2")
    assert log.latest_publishable(TABLE) == log.latest(TABLE)


def test_a_partition_that_another_run_has_judged_since_is_left_out(log: VerdictLog) -> None:
    mark = log.head(TABLE)
    log.append(TABLE, "newer", [verdict("2", Condition.AVAILABLE)], AT)
    other = verdict("3", Condition.AVAILABLE, "symbol_key=ETHUSDT/year=2024")
    stopped = [verdict("1", Condition.AVAILABLE), other]
    assert log.append(TABLE, "stopped", stopped, AT, mark) == {"symbol_key=BTCUSDT/year=2024"}
    assert {logged.run_id for logged in log.latest(TABLE).values()} == {"newer", "stopped"}
    assert log.latest(TABLE)["symbol_key=BTCUSDT/year=2024"].run_id == "newer"


def test_a_refusal_counts_as_the_latest_and_not_as_publishable(log: VerdictLog) -> None:
    log.append(TABLE, "good", [verdict("1", Condition.AVAILABLE)], AT)
    log.append(TABLE, "bad", [verdict("2", Condition.QUARANTINED)], AT + timedelta(hours=1))
    assert [logged.run_id for logged in log.latest(TABLE).values()] == ["bad"]
    assert [logged.run_id for logged in log.latest_publishable(TABLE).values()] == ["good"]


def test_an_empty_log_has_no_verdicts_and_nothing_to_fold(log: VerdictLog) -> None:
    assert (log.latest(TABLE), log.latest_publishable(TABLE), log.compact(TABLE)) == ({}, {}, 0)
