"""Which partitions are rebuilt: those whose inputs changed, and no others."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.lake.records import Candidate, Verdict, inputs_digest
from crypto_lakehouse.lake.staleness import Input, stale_partitions, still_current
from crypto_lakehouse.lake.verdicts import VerdictLog
from crypto_lakehouse.vocabulary import Condition

PARTITION = Partition.parse("binance_um_metrics", "symbol_key=BTCUSDT/year=2024")
TABLE = PARTITION.table
OLD, NEW = (Input("a.zip", "1"),), (Input("a.zip", "2"),)


def verdict(inputs: tuple[Input, ...], condition: Condition) -> Verdict:
    digest = inputs_digest(TABLE, inputs)
    return Verdict(Candidate(TABLE.name, PARTITION.name, "l", "f", "s", 1, 1, digest, None, None), condition)


@pytest.fixture
def verdicts(tmp_path: Path) -> VerdictLog:
    return VerdictLog(LocalStorage(tmp_path))


@pytest.mark.parametrize(
    ("inputs", "published", "is_stale"),
    [(NEW, None, True), (NEW, OLD, True), (NEW, NEW, False), ((), OLD, False), ((), None, False)],
    ids=["never built", "inputs changed", "up to date", "no inputs", "nothing at all"],
)
def test_a_partition_is_stale_when_its_inputs_are_others(
    inputs: tuple[Input, ...], published: tuple[Input, ...] | None, is_stale: bool, verdicts: VerdictLog
) -> None:
    digests = {} if published is None else {PARTITION.name: inputs_digest(TABLE, published)}
    stale = stale_partitions([PARTITION], {PARTITION.name: inputs}, digests, verdicts)
    assert stale == ([PARTITION] if is_stale else [])


def test_what_the_gate_refused_is_left_alone_until_its_inputs_change(verdicts: VerdictLog) -> None:
    verdicts.append(TABLE, "r", [verdict(OLD, Condition.QUARANTINED)], datetime(2025, 1, 1, tzinfo=UTC))
    assert stale_partitions([PARTITION], {PARTITION.name: OLD}, {}, verdicts) == []
    assert stale_partitions([PARTITION], {PARTITION.name: NEW}, {}, verdicts) == [PARTITION]


def test_no_partitions_are_never_stale(verdicts: VerdictLog) -> None:
    assert stale_partitions([], {}, {}, verdicts) == []


def test_a_run_that_was_overtaken_publishes_nothing() -> None:
    old, new = verdict(OLD, Condition.AVAILABLE), verdict(NEW, Condition.AVAILABLE)
    assert still_current(TABLE, [old, new], {PARTITION.name: NEW}) == [new]
