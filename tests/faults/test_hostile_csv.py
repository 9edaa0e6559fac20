"""Hostile CSV content: each is refused with its reason or told in the manifest, and blocks only its own file.

Every case runs twice: read whole, as small files are, and streamed, as large ones are. The controls switch the defence
off and show that the same bytes then become rows: so the injected fault did reach the parser.
"""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.partition import Partition
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import parse, reading, shape
from crypto_lakehouse.silver.bytegate import ByteFacts
from crypto_lakehouse.silver.conform import ConformOutcome, conform
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.spec import Dataset, SourceLayout
from crypto_lakehouse.vocabulary import Interval
from tests.archive_builder import agg_trade_rows, archive_file, build_input, csv, epoch_ms, kline_rows

KLINES = "binance_um_klines"
DAY = date(2024, 3, 2)
GOOD = [list(map(str, row)) for row in kline_rows(DAY, 60)]
HEADER = ",".join(dataset(KLINES).layouts[0].columns).encode() + b"\n"


def with_field(row: int, column: int, value: str) -> bytes:
    rows = [list(one) for one in GOOD]
    rows[row][column] = value
    return csv(rows)


def with_bytes(old: bytes, new: bytes) -> bytes:
    content = csv(GOOD)
    assert old in content
    return content.replace(old, new, 1)


SEVENTH = ",".join(GOOD[6]).encode()
REFUSED: dict[str, tuple[bytes, str, str]] = {
    "NUL byte": (with_field(6, 1, "4\x000"), "SchemaDrift", "blanks or control characters between the values; line 7"),
    "NaN": (with_field(6, 1, "NaN"), "ContentRefused", "line 7"),
    "infinity": (with_field(6, 1, "inf"), "ContentRefused", "line 7"),
    "1e400": (with_field(6, 1, "1e400"), "ContentRefused", "line 7"),
    "too many decimals": (with_field(6, 1, "1.123456789"), "ContentRefused", "more than 8 decimals"),
    "tiny exponent": (with_field(6, 1, "1e-30"), "ContentRefused", "more than 8 decimals"),
    "price beyond the type": (with_field(6, 1, "12345678901.5"), "ContentRefused", ""),
    "text in a number": (with_field(6, 1, "0x10"), "ContentRefused", "line 7"),
    "short row": (with_bytes(SEVENTH, SEVENTH.rpartition(b",")[0]), "SchemaDrift", "659 commas in 60 lines"),
    "long row": (with_bytes(SEVENTH, SEVENTH + b",1"), "SchemaDrift", "661 commas in 60 lines"),
    "short and long row": (
        with_bytes(SEVENTH, SEVENTH.rpartition(b",")[0]).rstrip(b"\n") + b",1\n",
        "ContentRefused",
        "line 7",
    ),
    "blank line": (with_bytes(SEVENTH, SEVENTH + b"\n"), "SchemaDrift", "660 commas in 61 lines"),
    "header mid-file": (with_bytes(SEVENTH, SEVENTH + b"\n" + HEADER.strip()), "ContentRefused", "line 8"),
    "unknown header": (b"open_time,open,high,low,close\n" + csv(GOOD), "SchemaDrift", "no known header"),
    "byte order mark": (b"\xef\xbb\xbf" + csv(GOOD), "SchemaDrift", "byte order mark"),
    "carriage returns": (csv(GOOD).replace(b"\n", b"\r\n"), "SchemaDrift", "blanks or control characters"),
    "formula": (with_field(6, 1, "=cmd|'/c calc'!A0"), "SchemaDrift", "blanks or control characters"),
    "formula without blanks": (with_field(6, 1, "=A1*2"), "ContentRefused", "line 7"),
    "10 MB field": (with_field(6, 1, "1" * 10_000_000), "ContentRefused", ""),
    "quote bomb": (with_field(6, 1, '"' * 50_001), "SchemaDrift", "quotes around or within values; line 7"),
    "quote in a column that is not read": (with_field(6, 11, '"0'), "SchemaDrift", "quotes around or within values"),
    "plus sign": (with_field(6, 1, "+5"), "SchemaDrift", "a plus sign outside an exponent; line 7"),
    "empty value": (with_field(6, 1, ""), "ContentRefused", "no value in column open"),
    "quoted empty value": (with_field(6, 1, '""'), "SchemaDrift", "quotes around or within values"),
    "another day": (csv(kline_rows(date(2024, 3, 3), 60)), "ContentRefused", "the first at 2024-03-03T00:00:00+00:00"),
    "one row of another day": (
        with_field(6, 0, str(epoch_ms(date(2024, 2, 1)))),
        "ContentRefused",
        "1 of 60 rows lie outside 2024-03-02 to 2024-03-02, the first at 2024-02-01T00:00:00+00:00 in row 7",
    ),
    "mixed units": (
        with_field(6, 0, GOOD[6][0] + "000"),
        "ContentRefused",
        "milliseconds and microseconds in one file",
    ),
    "seconds": (with_field(6, 0, GOOD[6][0][:-3]), "ContentRefused", "no unit has such epochs"),
    "not UTF-8": (with_field(6, 1, "1").replace(b"0.50000000", b"0.5\xff0000", 1), "SchemaDrift", "not UTF-8"),
    "empty file": (b"", "ContentRefused", "the file is empty"),
    "boolean for a number": (with_field(6, 8, "true"), "ContentRefused", "line 7"),
    "fraction for an integer": (with_field(6, 8, "10.5"), "ContentRefused", "line 7"),
    "digits of another script": (with_field(6, 1, "١٢"), "ContentRefused", "line 7"),
}


@pytest.fixture(params=["whole", "streamed"])
def way_of_reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Small files read whole, or every file streamed in blocks of a few lines."""
    if request.param == "streamed":
        monkeypatch.setattr(reading, "SMALL_OBJECT_BYTES", 0)
        monkeypatch.setattr(blocks, "BLOCK_BYTES", 2048)
    return str(request.param)


def conform_days(name: str, contents: dict[str, bytes], folder: Path) -> ConformOutcome:
    """Conforms daily files of March 2024 as one partition."""
    row = dataset(name)
    interval = Interval.M1 if row.has_interval else None
    inputs = [
        build_input(archive_file(name, day, interval=interval), content, folder / "archive")
        for day, content in contents.items()
    ]
    partition = Partition(row, "BTCUSDT", date(2024, 3, 1), interval)
    work = folder / "work"
    work.mkdir()
    return conform(row, [partition], inputs, work, ConformSettings())


@pytest.mark.parametrize("case", REFUSED)
def test_hostile_content_is_refused_with_its_reason_and_the_other_days_go_on(
    case: str, tmp_path: Path, way_of_reading: str
) -> None:
    content, error, reason = REFUSED[case]
    outcome = conform_days(
        KLINES,
        {
            "2024-03-01": csv(kline_rows(date(2024, 3, 1), 60)),
            "2024-03-02": content,
            "2024-03-03": csv(kline_rows(date(2024, 3, 3), 60)),
        },
        tmp_path,
    )
    made = outcome.partitions[0]
    assert [(one.key[-14:-4], one.error) for one in outcome.refused] == [("2024-03-02", error)], outcome.refused
    assert made.manifest.refused == tuple(outcome.refused)
    # A streamed file knows a count only of the block at fault.
    expected = reason if way_of_reading == "whole" else reason.rpartition("; ")[2]
    if not (way_of_reading == "streamed" and (" commas in " in expected or "rows lie outside" in expected)):
        assert expected in outcome.refused[0].reason
    assert made.rows == 120
    assert made.manifest.covered == (
        ("2024-03-01T00:00:00+00:00", "2024-03-02T00:00:00+00:00"),
        ("2024-03-03T00:00:00+00:00", "2024-03-04T00:00:00+00:00"),
    )


def test_the_same_days_without_a_fault_are_all_accepted(tmp_path: Path, way_of_reading: str) -> None:
    outcome = conform_days(KLINES, {"2024-03-02": csv(GOOD)}, tmp_path)
    assert outcome.refused == []
    assert outcome.partitions[0].rows == 60, way_of_reading


def unguarded(block: bytes, _dataset: Dataset, _layout: SourceLayout) -> ByteFacts:
    return ByteFacts(block.count(b"\n"), has_quotes=False, exponents=0)


@pytest.mark.parametrize("case", ["carriage returns"])
def test_control_without_the_byte_gate_the_bytes_become_rows(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "check_bytes", unguarded)
    outcome = conform_days(KLINES, {"2024-03-02": REFUSED[case][0]}, tmp_path)
    assert outcome.refused == []
    assert outcome.partitions[0].rows == 60


def test_control_without_the_presence_check_an_empty_price_becomes_null(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "_check_present", lambda *_: None)
    monkeypatch.setattr(shape, "_check_derived", lambda *_: None)
    content = REFUSED["empty value"][0]
    rows = parse.parse_block(content, parse.SourceShape(dataset(KLINES), dataset(KLINES).layouts[0]))
    assert rows["open"].null_count() == 1


def test_control_without_the_day_check_another_day_becomes_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "_check_days", lambda *_: None)
    outcome = conform_days(KLINES, {"2024-03-02": REFUSED["another day"][0]}, tmp_path)
    assert outcome.refused == []
    assert outcome.partitions[0].rows == 60


def test_control_without_the_decimals_check_a_value_is_rounded_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "has_long_fraction", lambda *_: False)
    outcome = conform_days(KLINES, {"2024-03-02": REFUSED["too many decimals"][0]}, tmp_path)
    assert outcome.refused == []


def test_rows_of_another_symbol_are_refused(tmp_path: Path, way_of_reading: str) -> None:
    header = b"create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    header += b"sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
    line = b"2024-03-02 00:05:00,%s,1.5,2.5,1,1,1,1\n"
    row = dataset("binance_um_metrics")
    content = header + line % b"BTCUSDT" + (line % b"ETHUSDT").replace(b"00:05", b"00:10")
    one = build_input(archive_file(row.name, "2024-03-02"), content, tmp_path)
    outcome = conform(row, [Partition(row, "BTCUSDT", date(2024, 1, 1))], [one], tmp_path, ConformSettings())
    assert outcome.refused[0].reason == "1 rows have the symbol 'ETHUSDT', the file name has 'BTCUSDT'", way_of_reading
    assert outcome.partitions[0].file is None


def test_doubled_identifiers_are_dropped_and_counted(tmp_path: Path, way_of_reading: str) -> None:
    rows = agg_trade_rows(DAY, 50)
    other = [*rows[10]]
    other[1] = "1.00000000"
    outcome = conform_trades([*rows, rows[3], rows[4], other], tmp_path)
    made = outcome.partitions[0].manifest
    assert (made.rows_in, made.rows_out, made.duplicates, made.conflicts) == (53, 50, 2, 1), way_of_reading
    assert made.conflict_examples[0]["key"] == "agg_trade_id=1010"
    assert made.conflict_examples[0]["dropped"] == "price=1.00000000"


def test_interleaved_identifiers_are_sorted_and_the_disorder_is_counted(tmp_path: Path, way_of_reading: str) -> None:
    rows = agg_trade_rows(DAY, 50)
    mixed = [row for pair in zip(rows[:25], rows[25:], strict=True) for row in pair]
    made = conform_trades(mixed, tmp_path).partitions[0]
    assert (made.manifest.rows_out, made.manifest.inversions) == (50, 24), way_of_reading
    assert pl.read_parquet(made.file)["agg_trade_id"].is_sorted()


@pytest.mark.parametrize(("column", "value"), [(1, "-5.00000000"), (3, "99999.00000000")])
def test_values_that_can_be_written_but_not_be_true_are_kept_for_the_gate(
    column: int, value: str, tmp_path: Path, way_of_reading: str
) -> None:
    made = conform_days(KLINES, {"2024-03-02": with_field(6, column, value)}, tmp_path).partitions[0]
    frame = pl.read_parquet(made.file)
    assert str(frame.row(6)[column + 1]) == value, way_of_reading


def conform_trades(rows: list[list[object]], folder: Path) -> ConformOutcome:
    row = dataset("binance_spot_agg_trades")
    one = build_input(archive_file(row.name, "2024-03-02"), csv(rows), folder)
    return conform(row, [Partition(row, "BTCUSDT", DAY)], [one], folder, ConformSettings())
