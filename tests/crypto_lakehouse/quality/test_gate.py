"""What the gate must not let through: every hostile content, beside its clean control, through conform and gate.

All kinds of a dataset are symbols of one batch, so that Great Expectations runs once, as in production.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.coverage import known_faults
from crypto_lakehouse.coverage.known_faults import KnownFault
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.expectations import Check
from crypto_lakehouse.lake.partition import Partition, partitions_between, span_start
from crypto_lakehouse.lake.records import Verdict
from crypto_lakehouse.quality import gate as quality_gate
from crypto_lakehouse.quality.checks import CHECKS
from crypto_lakehouse.quality.gate import GateOutcome, gate
from crypto_lakehouse.quality.profile import examine
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver.conform import ConformedPartition, conform
from crypto_lakehouse.vocabulary import Condition, Frequency, Interval
from tests.archive_builder import input_at
from tests.crypto_lakehouse.quality.conformed import DAY, candidate_of
from tests.crypto_lakehouse.quality.reading_docs import assert_readable_offline

Rows = list[list[str]]


@dataclass(frozen=True)
class Kind:
    """A hostile content: how a day's rows are changed, and the verdict that it must get."""

    dataset: str
    change: Callable[[Rows], object]
    condition: Condition
    reason: str = ""


def put(row: int, column: int, value: str) -> Callable[[Rows], object]:
    def change(rows: Rows) -> None:
        rows[row][column] = value

    return change


def scaled(row: int, columns: tuple[int, ...], factor: float) -> Callable[[Rows], object]:
    def change(rows: Rows) -> None:
        for column in columns:
            rows[row][column] = f"{float(rows[row][column]) * factor:.2f}"

    return change


def drop(start: int, end: int) -> Callable[[Rows], object]:
    def change(rows: Rows) -> None:
        del rows[start:end]

    return change


def shift_times(rows: Rows) -> None:
    for row in rows[100:110]:
        row[0], row[6] = str(int(row[0]) + 7), str(int(row[6]) + 7)


def conflict(rows: Rows) -> None:
    rows.append([*rows[5][:4], rows[5][1], *rows[5][5:]])


def freeze(rows: Rows) -> None:
    # Every tenth row is one band: it stands still for the hour from noon.
    for row in rows[12 * 120 * 10 + 7 : 13 * 120 * 10 : 10]:
        row[2] = "123.00000000"


def cross(rows: Rows) -> None:
    rows[9][1], rows[9][3] = rows[9][3], rows[9][1]


def late_funding(rows: Rows) -> None:
    rows[3][0] = str(int(rows[3][0]) + 600_000)


Q, D, A = Condition.QUARANTINED, Condition.DEGRADED, Condition.AVAILABLE
KLINES, TICKS, FUNDING = "binance_um_klines", "binance_spot_agg_trades", "binance_um_funding_rate"
TICKER, DEPTH, TRADES = "binance_um_book_ticker", "binance_um_book_depth", "binance_um_trades"

KINDS = {
    "clean klines": Kind(KLINES, lambda rows: None, A),
    "high below low": Kind(KLINES, put(50, 2, "1.00"), D, "cannot be true and were set aside: 1; the first: line"),
    "negative volume": Kind(KLINES, put(50, 5, "-1.000"), D, "line 52 of data/"),
    "no price": Kind(KLINES, put(50, 3, "0.00"), D, "a price is not positive: open"),
    "hundredfold price": Kind(KLINES, scaled(50, (1, 2, 3, 4), 100), D, "price_spikes: 2 prices"),
    "hundredfold high": Kind(KLINES, scaled(50, (2,), 100), D, "price_spikes: 1 prices"),
    "more taker volume than volume": Kind(KLINES, put(50, 9, "99999999.000"), D, "more taker volume than volume"),
    "off the grid": Kind(KLINES, shift_times, D, "rows_off_grid: 10 of 1440 rows"),
    "a close time that is not": Kind(KLINES, put(50, 6, "1704844855000"), D, "close_times_wrong: 1 close times"),
    "a missing hour": Kind(
        KLINES, drop(300, 360), D, "60 of 1440 expected times are missing, the first 2024-01-10T05:00:00Z, at most 60"
    ),
    "conflicting rows": Kind(KLINES, conflict, D, "contradictions: 1 rows repeat the key of a row of the same object"),
    "clean ticks": Kind(TICKS, lambda rows: None, A),
    "missing identifiers": Kind(TICKS, drop(100, 103), D, "ids_missing: 3 identifiers"),
    "an empty hour": Kind(TICKS, drop(480, 680), D, "hours have no rows, the first 2024-01-10T0"),
    "negative quantity": Kind(TICKS, put(7, 2, "-0.00100000"), D, "a quantity is negative"),
    "tick spike": Kind(TICKS, scaled(7, (1,), 0.001), D, "price_spikes: 2 prices"),
    "clean trades": Kind(TRADES, lambda rows: None, A),
    "a legal hole in trades": Kind(TRADES, drop(100, 103), A),
    "clean book": Kind(TICKER, lambda rows: None, A),
    "crossed book": Kind(TICKER, cross, D, "spreads_crossed: 1 best bids"),
    "clean depth": Kind(DEPTH, lambda rows: None, A),
    "a band that stands still": Kind(DEPTH, freeze, D, "hours_stale: 1 hours and bands"),
    "clean funding": Kind(FUNDING, lambda rows: None, A),
    "funding off its hour": Kind(FUNDING, late_funding, D, "fundings_off_boundary: 1 fundings"),
    "an unheard-of funding interval": Kind(FUNDING, put(3, 1, "7"), A, "note: funding_intervals_unknown: 1"),
}  # fmt: skip


def symbol_of(kind: str) -> str:
    return f"K{sorted(KINDS).index(kind):02}USDT"


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """What the gate says of each kind, by its symbol."""
    by_symbol: dict[str, Verdict] = {}
    for name in sorted({kind.dataset for kind in KINDS.values()}):
        folder = tmp_path_factory.mktemp(name)
        made = [_made(kind, folder) for kind in KINDS if KINDS[kind].dataset == name]
        results = folder / "results"
        results.mkdir()
        outcome = gate(
            dataset(name), [(candidate_of(conformed), conformed.file) for conformed in made if conformed.file], results
        )
        assert outcome.docs is not None and outcome.docs.is_file()
        assert_readable_offline(outcome.docs)
        by_symbol.update({_symbol(verdict): verdict for verdict in outcome.verdicts})
    return by_symbol


def _symbol(verdict: Verdict) -> str:
    return verdict.candidate.partition.split("symbol_key=")[1].split("/")[0]


def _made(kind: str, folder: Path) -> ConformedPartition:
    table = dataset(KINDS[kind].dataset)
    monthly = table.frequencies == (Frequency.MONTHLY,)
    interval = Interval.M1 if table.has_interval else None
    first_day = DAY.replace(day=1) if monthly else DAY
    key = ArchiveKey(table, Frequency.MONTHLY if monthly else Frequency.DAILY, symbol_of(kind), interval, first_day)
    header, *lines = synthetic_csv(key).decode().splitlines()
    if header[0].isdigit():
        header, lines = "", [header, *lines]
    rows = [line.split(",") for line in lines]
    KINDS[kind].change(rows)
    text = "\n".join([*([header] if header else []), *(",".join(row) for row in rows), ""])
    path = write_object(folder / "archive", key, text.encode())
    partition = Partition(table, key.symbol, span_start(table.span_of(interval), DAY), interval)
    work = folder / key.symbol
    work.mkdir()
    outcome = conform(table, [partition], [input_at(key, path)], work, ConformSettings())
    assert outcome.refused == []
    return outcome.partitions[0]


@pytest.mark.parametrize("kind", KINDS)
def test_the_gate_says_what_it_must(kind: str, verdicts: dict[str, Verdict]) -> None:
    verdict, expected = verdicts[symbol_of(kind)], KINDS[kind]
    assert (verdict.condition, verdict.reasons == ()) == (expected.condition, expected.reason == "")
    assert expected.reason in " | ".join(verdict.reasons)


def test_every_dataset_of_the_test_has_a_control() -> None:
    clean = {kind.dataset for kind in KINDS.values() if kind.condition is A and not kind.reason}
    assert clean == {kind.dataset for kind in KINDS.values()}


def fault(check: Check) -> KnownFault:
    return KnownFault("binance_um_klines", "BTC*", DAY, DAY, check, "rows are missing", "https://example.org/1")


def gated(folder: Path, monkeypatch: pytest.MonkeyPatch, tolerated: KnownFault, dropped: int) -> GateOutcome:
    monkeypatch.setattr(known_faults, "KNOWN_FAULTS", (tolerated,))
    table = dataset("binance_um_klines")
    key = ArchiveKey(table, Frequency.DAILY, "BTCUSDT", Interval.M1, DAY)
    lines = synthetic_csv(key).decode().splitlines(keepends=True)
    path = write_object(folder / "archive", key, "".join(lines[: len(lines) - dropped]).encode())
    partition = partitions_between(table, "BTCUSDT", DAY, DAY, Interval.M1)[0]
    work = folder / "work"
    work.mkdir()
    conformed = conform(table, [partition], [input_at(key, path)], work, ConformSettings()).partitions[0]
    results = folder / "results"
    results.mkdir()
    assert conformed.file is not None
    return gate(table, [(candidate_of(conformed), conformed.file)], results)


def test_a_known_fault_is_named_and_tolerated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = gated(tmp_path, monkeypatch, fault(Check.GRID_COMPLETE), dropped=5)
    [verdict] = outcome.verdicts
    assert verdict.condition is Condition.AVAILABLE
    assert verdict.reasons == ("known fault (5): rows are missing, https://example.org/1",)
    assert outcome.coverage.days["condition"].to_list() == ["available"]
    assert outcome.coverage.holes["known"].to_list() == ["rows are missing, https://example.org/1"]
    assert outcome.coverage.days["reason"].item().startswith("5 of 1,440 rows are missing")


def test_control_the_same_fault_unknown_degrades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = KnownFault("binance_cm_klines", "*", DAY, DAY, Check.GRID_COMPLETE, "elsewhere", "https://example.org/2")
    assert gated(tmp_path, monkeypatch, other, dropped=5).verdicts[0].condition is Condition.DEGRADED


def test_a_known_fault_that_is_gone_degrades_until_its_row_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = gated(tmp_path, monkeypatch, fault(Check.GRID_COMPLETE), dropped=0)
    [verdict] = outcome.verdicts
    assert verdict.condition is Condition.DEGRADED
    assert "known_faults_gone: 1" in verdict.reasons[0]


def gated_day_of(fault: KnownFault, folder: Path) -> Verdict:
    """Returns the verdict on a whole day, the first one of a fault of the table of known faults."""
    table, symbol = dataset(fault.dataset), fault.symbol.replace("*", "BTCUSDT")
    key = ArchiveKey(table, Frequency.DAILY, symbol, fault.interval, fault.first_day)
    path = write_object(folder / "archive", key, synthetic_csv(key))
    partition = partitions_between(table, symbol, fault.first_day, fault.first_day, fault.interval)[0]
    (work := folder / "work").mkdir()
    conformed = conform(table, [partition], [input_at(key, path)], work, ConformSettings()).partitions[0]
    assert conformed.file is not None
    (results := folder / "results").mkdir()
    [verdict] = gate(table, [(candidate_of(conformed), conformed.file)], results).verdicts
    return verdict


every_fault = pytest.mark.parametrize("known", known_faults.KNOWN_FAULTS, ids=lambda known: known.reason)


@every_fault
def test_each_entry_of_the_table_is_told_as_known_where_it_shows(
    known: KnownFault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_fault(*args: Any) -> Any:
        examination = examine(*args)
        assert examination.profile.counts[CHECKS[known.check].fact] == 0
        return replace(examination, profile=examination.profile.with_counts({CHECKS[known.check].fact: 7}))

    monkeypatch.setattr(quality_gate, "examine", with_fault)
    verdict = gated_day_of(known, tmp_path)
    assert f"known fault (7): {known.reason}, {known.link}" in verdict.reasons
    assert not [reason for reason in verdict.reasons if "known_faults_gone" in reason]


@every_fault
def test_each_entry_of_the_table_is_reported_as_outdated_where_the_day_is_whole(
    known: KnownFault, tmp_path: Path
) -> None:
    verdict = gated_day_of(known, tmp_path)
    assert verdict.condition is Condition.DEGRADED
    assert "known_faults_gone: 1" in " | ".join(verdict.reasons)
    assert known.reason not in " | ".join(verdict.reasons)
