"""Hostile CSV content: a bad row is set aside with its reason, a broken object is refused, and the rest is used.

Every case runs twice: read whole, as small files are, and streamed, as large ones are. The controls switch the defence
off and show that the same bytes then become rows: so the injected fault did reach the parser.
"""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.demo.synthetic import synthetic_csv, write_object
from crypto_lakehouse.lake.partition import Partition, span_start
from crypto_lakehouse.settings import ConformSettings
from crypto_lakehouse.silver import parse, reading, shape
from crypto_lakehouse.silver.bytegate import ByteFacts
from crypto_lakehouse.silver.conform import ConformOutcome, conform
from crypto_lakehouse.silver.decode import blocks
from crypto_lakehouse.spec import Dataset, SourceLayout
from crypto_lakehouse.vocabulary import Frequency, Interval
from tests.archive_builder import agg_trade_rows, archive_file, build_input, csv, epoch_ms, input_at, kline_rows

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
SET_ASIDE: dict[str, tuple[bytes, str]] = {
    "NUL byte": (with_field(6, 1, "4\x000"), "blanks or control characters between the values"),
    "NaN": (with_field(6, 1, "NaN"), "could not parse `NaN`"),
    "infinity": (with_field(6, 1, "inf"), "could not parse `inf`"),
    "1e400": (with_field(6, 1, "1e400"), "not a plausible number"),
    "too many decimals": (with_field(6, 1, "1.123456789"), "more than 8 decimals"),
    "tiny exponent": (with_field(6, 1, "1e-30"), "more than 8 decimals"),
    "price beyond the type": (with_field(6, 1, "12345678901.5"), "could not parse"),
    "text in a number": (with_field(6, 1, "0x10"), "could not parse"),
    "short row": (with_bytes(SEVENTH, SEVENTH.rpartition(b",")[0]), "11 fields, expected are 12"),
    "long row": (with_bytes(SEVENTH, SEVENTH + b",1"), "13 fields, expected are 12"),
    "formula": (with_field(6, 1, "=cmd|'/c calc'!A0"), "blanks or control characters"),
    "formula without blanks": (with_field(6, 1, "=A1*2"), "could not parse"),
    "quote bomb": (with_field(6, 1, '"' * 50_001), "quotes around or within values"),
    "quote in a column that is not read": (with_field(6, 11, '"0'), "quotes around or within values"),
    "plus sign": (with_field(6, 1, "+5"), "a plus sign outside an exponent"),
    "empty value": (with_field(6, 1, ""), "no value in column open"),
    "quoted empty value": (with_field(6, 1, '""'), "quotes around or within values"),
    "a row of another day": (
        with_field(6, 0, str(epoch_ms(date(2024, 2, 1)))),
        "open_time 2024-02-01T00:00:00+00:00 lies outside 2024-03-02 to 2024-03-02",
    ),
    "another unit": (with_field(6, 0, GOOD[6][0] + "000"), "is in us, its file is in ms"),
    "another unit in the close time": (with_field(6, 6, GOOD[6][6] + "000"), "is in us, its file is in ms"),
    "seconds": (with_field(6, 0, GOOD[6][0][:-3]), "is in no unit"),
    "a time before all": (with_field(6, 0, "-9223372036854775808"), "is in no unit"),
    "not UTF-8": (with_bytes(SEVENTH, SEVENTH.replace(b"0", b"\xff", 1)), "not UTF-8"),
    "boolean for a number": (with_field(6, 8, "true"), "could not parse `true`"),
    "fraction for an integer": (with_field(6, 8, "10.5"), "could not parse `10.5`"),
    "digits of another script": (with_field(6, 1, "١٢"), "could not parse"),
    "high below open": (with_field(6, 2, "0.00000001"), "high is not the highest or low not the lowest: open"),
    "negative volume": (with_field(6, 5, "-1"), "a quantity is negative: base_volume -1"),
    "a price of zero": (with_field(6, 3, "0"), "a price is not positive: open"),
    "more taker volume than volume": (with_field(6, 9, "99999999"), "more taker volume than volume"),
}
"""A bad row, the seventh, and why it is set aside."""

REFUSED: dict[str, tuple[bytes, str, str]] = {
    "unknown header": (b"open_time,open,high,low,close\n" + csv(GOOD), "SchemaDrift", "no known header"),
    "byte order mark": (b"\xef\xbb\xbf" + csv(GOOD), "SchemaDrift", "byte order mark"),
    "carriage returns": (csv(GOOD).replace(b"\n", b"\r\n"), "ContentRefused", "line 1: blanks or control characters"),
    "10 MB field": (with_field(6, 1, "1" * 10_000_000), "SchemaDrift", "the limit is 65536"),
    "another day": (csv(kline_rows(date(2024, 3, 3), 60)), "ContentRefused", "open_time 2024-03-03T00:00:00+00:00"),
    "another width in most lines": (
        csv([*GOOD[:20], *([*row, "1"] for row in GOOD[20:])]),
        "ContentRefused",
        "the first: line 21: 13 fields, expected are 12",
    ),
    "eleven bad rows": (
        csv([*GOOD[:49], *([*row[:2], "0.00000001", *row[3:]] for row in GOOD[49:])]),
        "ContentRefused",
        "11 of 60 rows cannot be true, 10 are allowed; the first: line 50: high is not the highest",
    ),
    "another unit in a half": (
        csv([*GOOD[:30], *([f"{row[0]}000", *row[1:6], f"{row[6]}000", *row[7:]] for row in GOOD[30:])]),
        "ContentRefused",
        "cannot be true",
    ),
    "empty file": (b"", "ContentRefused", "the file is empty"),
}
"""A broken object, and why it is refused whole."""


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


def conform_with(content: bytes, folder: Path) -> ConformOutcome:
    """Conforms the content as the second of three days."""
    days = ("2024-03-01", "2024-03-02", "2024-03-03")
    sound = {day: csv(kline_rows(date.fromisoformat(day), 60)) for day in days}
    return conform_days(KLINES, {**sound, "2024-03-02": content}, folder)


@pytest.mark.parametrize("case", SET_ASIDE)
def test_a_bad_row_costs_one_row(case: str, tmp_path: Path, way_of_reading: str) -> None:
    content, reason = SET_ASIDE[case]
    outcome = conform_with(content, tmp_path)
    made = outcome.partitions[0]
    assert outcome.refused == [], way_of_reading
    assert made.rows == 179
    [row] = made.manifest.refused_rows
    assert (row.line, row.key[-14:-4]) == (7, "2024-03-02")
    assert reason in row.reason
    assert row.time.startswith("2024-03-02T00:0")
    assert row.text.startswith(content.split(b"\n")[6][:900].decode(errors="backslashreplace"))
    assert [given.refused_rows for given in made.manifest.inputs] == [0, 1, 0]


EXTRA: dict[str, tuple[bytes, str]] = {
    "blank line": (with_bytes(SEVENTH, SEVENTH + b"\n"), "the line is blank"),
    "a header in the middle": (with_bytes(SEVENTH, SEVENTH + b"\n" + HEADER.strip()), "the header is repeated"),
}


@pytest.mark.parametrize("case", EXTRA)
def test_a_line_too_much_costs_no_row(case: str, tmp_path: Path, way_of_reading: str) -> None:
    content, reason = EXTRA[case]
    made = conform_with(content, tmp_path).partitions[0]
    assert made.rows == 180, way_of_reading
    assert [(row.line, row.reason) for row in made.manifest.refused_rows] == [(8, reason)]


def test_a_short_and_a_long_row_are_both_found_though_their_commas_add_up(tmp_path: Path, way_of_reading: str) -> None:
    rows = [",".join(row) for row in GOOD]
    rows[6], rows[7] = rows[6].rpartition(",")[0], rows[7] + ",1"
    made = conform_with(("\n".join(rows) + "\n").encode(), tmp_path).partitions[0]
    found = [(row.line, row.reason) for row in made.manifest.refused_rows]
    assert found == [(7, "11 fields, expected are 12"), (8, "13 fields, expected are 12")], way_of_reading
    assert made.rows == 178


@pytest.mark.parametrize("first", [b"1709337600000,1,2", b"", SEVENTH + b",1,1", b"\x00"])
def test_a_bad_first_line_costs_one_row(first: bytes, tmp_path: Path, way_of_reading: str) -> None:
    made = conform_with(first + b"\n" + csv(GOOD[1:]), tmp_path).partitions[0]
    assert made.rows == 179, way_of_reading
    assert [(row.line, row.time) for row in made.manifest.refused_rows] == [(1, "2024-03-02T00:01:00+00:00")]


def test_blank_last_lines_cost_no_row(tmp_path: Path, way_of_reading: str) -> None:
    made = conform_with(csv(GOOD) + b"\n\n", tmp_path).partitions[0]
    assert made.rows == 180, way_of_reading
    assert [row.line for row in made.manifest.refused_rows] == [61, 62]


@pytest.mark.parametrize("case", REFUSED)
def test_a_broken_object_is_refused_with_its_reason_and_the_other_days_go_on(
    case: str, tmp_path: Path, way_of_reading: str
) -> None:
    content, error, reason = REFUSED[case]
    outcome = conform_with(content, tmp_path)
    made = outcome.partitions[0]
    assert [(one.key[-14:-4], one.error) for one in outcome.refused] == [("2024-03-02", error)], outcome.refused
    assert made.manifest.refused == tuple(outcome.refused)
    assert made.manifest.refused_rows == ()
    # A streamed line that is too long is found before its end.
    if not (way_of_reading == "streamed" and case == "10 MB field"):
        assert reason in outcome.refused[0].reason
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


def test_control_without_the_presence_check_an_empty_price_becomes_null(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "_check_present", lambda *_: None)
    content = SET_ASIDE["empty value"][0]
    rows = parse.parse_block(content, parse.SourceShape(dataset(KLINES), dataset(KLINES).layouts[0]))
    assert rows["open"].null_count() == 1


def test_control_without_the_day_check_another_day_becomes_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "_note_days", lambda *_: None)
    outcome = conform_days(KLINES, {"2024-03-02": REFUSED["another day"][0]}, tmp_path)
    assert outcome.refused == []
    assert outcome.partitions[0].rows == 60


def test_control_without_the_row_rules_a_candle_that_cannot_be_true_becomes_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "row_rules", lambda _: [])
    assert conform_with(SET_ASIDE["high below open"][0], tmp_path).partitions[0].rows == 180


def test_control_without_the_decimals_check_a_value_is_rounded_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse, "has_long_fraction", lambda *_: False)
    outcome = conform_days(KLINES, {"2024-03-02": with_field(6, 1, f"{GOOD[6][1]}1")}, tmp_path)
    assert outcome.refused == []
    assert outcome.partitions[0].manifest.refused_rows == ()


def test_a_row_of_another_symbol_costs_one_row(tmp_path: Path, way_of_reading: str) -> None:
    header = b"create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,"
    header += b"sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio\n"
    line = b"2024-03-02 00:05:00,%s,1.5,2.5,1,1,1,1\n"
    row = dataset("binance_um_metrics")
    content = header + line % b"BTCUSDT" + (line % b"ETHUSDT").replace(b"00:05", b"00:10")
    one = build_input(archive_file(row.name, "2024-03-02"), content, tmp_path)
    outcome = conform(row, [Partition(row, "BTCUSDT", date(2024, 1, 1))], [one], tmp_path, ConformSettings())
    assert outcome.refused == [], way_of_reading
    [row] = outcome.partitions[0].manifest.refused_rows
    assert (row.line, row.reason) == (3, "the symbol is 'ETHUSDT', the file name has 'BTCUSDT'")
    assert outcome.partitions[0].rows == 1


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


def conform_trades(rows: list[list[object]], folder: Path) -> ConformOutcome:
    row = dataset("binance_spot_agg_trades")
    one = build_input(archive_file(row.name, "2024-03-02"), csv(rows), folder)
    return conform(row, [Partition(row, "BTCUSDT", DAY)], [one], folder, ConformSettings())


def cut(line: bytes) -> bytes:
    return line.rpartition(b",")[0]


def longer(line: bytes) -> bytes:
    return line + b",1"


def with_nul(line: bytes) -> bytes:
    return line[:1] + b"\0" + line[1:]


def with_word(line: bytes) -> bytes:
    first, _, rest = line.partition(b",")
    return b"x" + first + b"," + rest


def year_9999(line: bytes) -> bytes:
    return in_time(line, lambda time: b"9999" + time[4:] if b"-" in time else b"253402214400000")


def no_day(line: bytes) -> bytes:
    return in_time(line, lambda time: b"2024-02-30" + time[10:] if b"-" in time else b"-" + time)


def in_time(line: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Changes the first field that can be a time of January 2024."""
    fields = line.split(b",")
    place = next(number for number, field in enumerate(fields) if field.startswith((b"2024-01", b"1704", b"1705")))
    return b",".join([*fields[:place], change(fields[place]), *fields[place + 1 :]])


ODD_LINES = (cut, longer, with_nul, with_word, year_9999, no_day)
ARCHIVED = [row for row in DATASETS if row.frequencies]


@pytest.mark.parametrize("table", ARCHIVED, ids=lambda table: table.name)
def test_one_odd_line_costs_one_line_in_every_dataset(table: Dataset, tmp_path: Path) -> None:
    monthly = table.frequencies == (Frequency.MONTHLY,)
    interval = Interval.M1 if table.has_interval else None
    frequency = Frequency.MONTHLY if monthly else Frequency.DAILY
    key = ArchiveKey(
        table, frequency, table.sample_symbol, interval, date(2024, 1, 1) if monthly else date(2024, 1, 10)
    )
    lines = synthetic_csv(key).splitlines()[:121]
    has_header = not lines[0][:1].isdigit()
    place = 50 + has_header
    for number, change in enumerate(ODD_LINES):
        content = b"\n".join([*lines[:place], change(lines[place]), *lines[place + 1 :], b""])
        folder = tmp_path / str(number)
        folder.mkdir()
        path = write_object(folder / "archive", key, content)
        partition = Partition(table, key.symbol, span_start(table.span_of(interval), key.first_day), interval)
        outcome = conform(table, [partition], [input_at(key, path)], folder, ConformSettings())
        [made] = outcome.partitions
        assert outcome.refused == [], change
        assert [row.line for row in made.manifest.refused_rows] == [place + 1], change
        assert made.manifest.rows_in == len(lines) - has_header - 1, change
        assert made.manifest.refused_rows[0].time.startswith("2024-01-"), change
