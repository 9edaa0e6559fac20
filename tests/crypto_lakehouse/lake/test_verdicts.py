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


def test_the_newest_verdict_counts_whatever_the_order_in_which_they_came(log: VerdictLog) -> None:
    log.append(TABLE, "late", [verdict("2", Condition.AVAILABLE)], AT + timedelta(hours=1))
    log.append(TABLE, "early", [verdict("1", Condition.AVAILABLE)], AT)
    (latest,) = log.latest(TABLE).values()
    assert (latest.run_id, latest.verdict.candidate.sha256) == ("late", "2")


def test_a_refusal_counts_as_the_latest_and_not_as_publishable(log: VerdictLog) -> None:
    log.append(TABLE, "good", [verdict("1", Condition.AVAILABLE)], AT)
    log.append(TABLE, "bad", [verdict("2", Condition.QUARANTINED)], AT + timedelta(hours=1))
    assert [logged.run_id for logged in log.latest(TABLE).values()] == ["bad"]
    assert [logged.run_id for logged in log.latest_publishable(TABLE).values()] == ["good"]


def test_an_empty_log_has_no_verdicts_and_nothing_to_fold(log: VerdictLog) -> None:
    assert (log.latest(TABLE), log.latest_publishable(TABLE), log.compact(TABLE)) == ({}, {}, 0)
