from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.coverage import known_faults
from crypto_lakehouse.coverage.known_faults import KNOWN_FAULTS, KnownFault
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.errors import CorruptObject
from crypto_lakehouse.lake.partition import Partition, partitions_between, span_start
from crypto_lakehouse.quality.facts import FACT_OF_CHECK
from crypto_lakehouse.quality.profile import profile
from crypto_lakehouse.quality.sentences import sentence
from crypto_lakehouse.quality.suites import rules, suite
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import ConformedPartition, conform
from crypto_lakehouse.spec import Check, Dataset
from crypto_lakehouse.vocabulary import Condition, Frequency, Interval
from tests.archive_builder import input_at
from tests.crypto_lakehouse.quality.test_gate_catches import _candidate

DAY = date(2024, 1, 10)


def made(row: Dataset, folder: Path) -> ConformedPartition:
    """Returns a conformed day, or month, of synthetic rows."""
    monthly = row.frequencies == (Frequency.MONTHLY,)
    interval = Interval.M1 if row.has_interval else None
    key = ArchiveKey(
        row,
        Frequency.MONTHLY if monthly else Frequency.DAILY,
        row.sample_symbol,
        interval,
        DAY.replace(day=1) if monthly else DAY,
    )
    path = write_object(folder / "archive", key, synthetic_csv(key))
    partition = Partition(row, key.symbol, span_start(row.span_of(interval), DAY), interval)
    work = folder / "work"
    work.mkdir()
    return conform(row, [partition], [input_at(key, path)], work, ConformSettings()).partitions[0]


@pytest.mark.parametrize("row", [row for row in DATASETS if row.frequencies], ids=lambda row: row.name)
def test_every_rule_of_every_dataset_judges_a_fact_that_is_computed(row: Dataset, tmp_path: Path) -> None:
    one = made(row, tmp_path)
    assert one.file is not None
    facts = {**profile(one.file, one.partition, one.manifest), "known_faults_gone": 0}
    assert facts["rows"] == one.rows > 0
    for rule in rules(row):
        assert rule.fact in facts
        assert sentence(rule.fact, facts)
        assert rule.minimum is None or facts[rule.fact] >= rule.minimum
        assert rule.maximum is None or facts[rule.fact] <= rule.maximum
    judged = [one.column for one in suite(row).expectations]
    assert judged[0] == "rows"
    assert judged == [rule.fact for rule in rules(row)]


def test_every_check_has_a_fact_and_is_used() -> None:
    assert set(FACT_OF_CHECK) == set(Check)
    assert {one.check for row in DATASETS for one in row.expectations} == set(Check)


def test_facts_are_the_same_however_the_file_is_cut_into_row_groups(tmp_path: Path) -> None:
    one = made(dataset("binance_um_klines"), tmp_path)
    assert one.file is not None
    whole = profile(one.file, one.partition, one.manifest)
    cut = tmp_path / "cut.parquet"
    pl.read_parquet(one.file).write_parquet(cut, row_group_size=100)
    assert profile(cut, one.partition, one.manifest) == whole


def test_a_fault_between_two_row_groups_is_seen(tmp_path: Path) -> None:
    one = made(dataset("binance_um_klines"), tmp_path)
    assert one.file is not None
    rows = pl.read_parquet(one.file)
    doubled = pl.concat([rows[:100], rows[99:]])
    path = tmp_path / "doubled.parquet"
    doubled.write_parquet(path, row_group_size=100)
    assert profile(path, one.partition, one.manifest)["key_duplicates"] == 1


def test_a_damaged_file_cannot_pass(tmp_path: Path) -> None:
    one = made(dataset("binance_um_klines"), tmp_path)
    assert one.file is not None
    data = bytearray(one.file.read_bytes())
    data[len(data) // 3] ^= 1
    one.file.write_bytes(data)
    with pytest.raises(CorruptObject):
        profile(one.file, one.partition, one.manifest)


def fault(check: Check) -> KnownFault:
    return KnownFault("binance_um_klines", "BTC*", DAY, DAY, check, "rows are missing", "https://example.org/1")


def judged(folder: Path, monkeypatch: pytest.MonkeyPatch, tolerated: KnownFault, drop: int):
    from crypto_lakehouse.quality.gate import gate

    monkeypatch.setattr(known_faults, "KNOWN_FAULTS", (tolerated,))
    row = dataset("binance_um_klines")
    key = ArchiveKey(row, Frequency.DAILY, "BTCUSDT", Interval.M1, DAY)
    lines = synthetic_csv(key).decode().splitlines(keepends=True)
    path = write_object(folder / "archive", key, "".join(lines[: len(lines) - drop]).encode())
    partition = partitions_between(row, "BTCUSDT", DAY, DAY, Interval.M1)[0]
    work = folder / "work"
    work.mkdir()
    one = conform(row, [partition], [input_at(key, path)], work, ConformSettings()).partitions[0]
    results = folder / "results"
    results.mkdir()
    assert one.file is not None
    return gate(row, [(_candidate(one), one.file)], results).verdicts[0]


def test_a_known_fault_is_named_and_tolerated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = judged(tmp_path, monkeypatch, fault(Check.GRID_COMPLETE), drop=5)
    assert verdict.condition is Condition.AVAILABLE
    assert verdict.reasons == ("known fault (5): rows are missing, https://example.org/1",)


def test_control_the_same_fault_unknown_degrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = KnownFault("binance_cm_klines", "*", DAY, DAY, Check.GRID_COMPLETE, "elsewhere", "https://example.org/2")
    assert judged(tmp_path, monkeypatch, other, drop=5).condition is Condition.DEGRADED


def test_a_known_fault_that_is_gone_degrades_until_its_row_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = judged(tmp_path, monkeypatch, fault(Check.GRID_COMPLETE), drop=0)
    assert verdict.condition is Condition.DEGRADED
    assert "known_faults_gone: 1" in verdict.reasons[0]


@pytest.mark.parametrize("one", KNOWN_FAULTS, ids=lambda one: one.reason)
def test_every_known_fault_names_a_dataset_that_has_the_check_and_a_link(one: KnownFault) -> None:
    assert one.check in {rule.check for rule in dataset(one.dataset).expectations}
    assert one.first_day <= one.last_day
    assert one.reason
    assert one.link.startswith("https://")
