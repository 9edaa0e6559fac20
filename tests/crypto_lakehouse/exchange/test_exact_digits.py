"""Digits of an answer reach Silver as they were sent, or the answer is refused; nothing is rounded on the way."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.exchange.bodies import Answer
from crypto_lakehouse.exchange.fetching import AnsweredSpan, store
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.silver.conform import ConformOutcome
from crypto_lakehouse.spans import Span
from tests.crypto_lakehouse.exchange.venue_lake import VenueLake
from tests.rest_lake import conformed, utc, window

OpenVenue = Callable[..., VenueLake]
START, END = utc(2025, 1, 2), utc(2025, 1, 2, 1)
SECOND = 1735776000


def conform_body(lake: VenueLake, name: str, body: str, at: datetime = END + timedelta(minutes=1)) -> ConformOutcome:
    """Returns what conform makes of one answer that holds this body."""
    row = dataset(name)
    assert row.rest is not None
    asked = window(row.sample_symbol, "1m" if row.has_interval else "", START, END)
    answered = AnsweredSpan(Span(START, END), (Answer(at, row.rest.endpoints[0].path, {}, 200, None, body),))
    BronzeLog(lake.storage).commit([store(answered, row, asked, lake.storage)])
    return conformed(row, lake.held(row), lake.folder)


def only_rows(outcome: ConformOutcome) -> pl.DataFrame:
    assert outcome.refused == []
    (one,) = outcome.partitions
    assert one.file is not None
    return pl.read_parquet(one.file)


def test_numbers_without_quotes_keep_every_digit(open_venue: OpenVenue) -> None:
    body = f"[[{SECOND + 60},1e-8,1234567890.12345678,0.30000001,0.1,12345678901234567890.00000001]]"
    rows = only_rows(conform_body(open_venue(END), "coinbase_spot_klines", body))
    assert rows.select("low", "high", "open", "close", "base_volume").row(0) == (
        *(Decimal("0.00000001"), Decimal("1234567890.12345678"), Decimal("0.30000001"), Decimal("0.10000000")),
        Decimal("12345678901234567890.00000001"),
    )
    assert rows["open_time"].to_list() == [START + timedelta(minutes=1)]


def test_more_decimals_than_are_kept_are_refused(open_venue: OpenVenue) -> None:
    outcome = conform_body(open_venue(END), "coinbase_spot_klines", f"[[{SECOND},1,1,1,1,0.1234567890123]]")
    assert "more than 12 decimals" in outcome.refused[0].reason


def test_what_is_finer_than_a_microsecond_is_cut_and_the_rows_stay_apart(open_venue: OpenVenue) -> None:
    trades = [f'["1.10","2.0",{SECOND}.1234567,"b","l","",7]', f'["1.10","2.0",{SECOND}.1234569,"s","m","",8]']
    body = f'{{"error":[],"result":{{"XXBTZUSD":[{",".join(trades)}],"last":"1"}}}}'
    rows = only_rows(conform_body(open_venue(END), "kraken_spot_trades", body))
    assert rows["trade_time"].unique().to_list() == [START + timedelta(microseconds=123456)]
    assert rows.select("trade_id", "is_buyer_maker", "order_type").rows() == [(7, False, "l"), (8, True, "m")]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("kraken_spot_trades", '{"error":[],"result":{"XXBTZUSD":[["1","2",1735776000.1,"x","l","",7]]}}'),
        ("kraken_spot_trades", '{"error":["EService:Busy"]}'),
        ("kraken_spot_klines", '{"error":[],"result":{"last":1}}'),
        ("coinbase_spot_trades", '[{"trade_id":7,"side":"both","size":"1","price":"1","time":"2025-01-02T00:00:01Z"}]'),
        ("coinbase_spot_trades", '[{"trade_id":7,"side":"buy","size":"1","price":"1","time":"yesterday"}]'),
        ("coinbase_spot_klines", '{"message":"NotFound"}'),
        ("coinbase_spot_klines", "[[1735776000,1,1,1,1]]"),
        ("coinbase_spot_klines", '[["a",1,1,1,1,1]]'),
    ],
)
def test_a_body_of_another_form_is_refused_and_makes_no_row(name: str, body: str, open_venue: OpenVenue) -> None:
    outcome = conform_body(open_venue(END), name, body)
    assert len(outcome.refused) == 1
    assert [one.rows for one in outcome.partitions] == [0]


def test_a_candle_that_was_open_when_the_answer_came_makes_no_row(open_venue: OpenVenue) -> None:
    at = START + timedelta(minutes=1, seconds=59)
    body = f"[[{SECOND + 60},1,1,1,1,1],[{SECOND},1,1,1,1,1]]"
    rows = only_rows(conform_body(open_venue(END), "coinbase_spot_klines", body, at))
    assert rows["open_time"].to_list() == [START]


def test_a_minute_without_a_candle_is_no_fault_of_coinbase(open_venue: OpenVenue) -> None:
    from crypto_lakehouse.lake.partition import Partition
    from crypto_lakehouse.quality.profile import profile
    from crypto_lakehouse.quality.suites import rules

    row = dataset("coinbase_spot_klines")
    body = f"[[{SECOND + 1200},1,1,1,1,1],[{SECOND},1,1,1,1,1]]"
    outcome = conform_body(open_venue(END), row.name, body)
    (one,) = outcome.partitions
    assert one.file is not None
    facts = profile(one.file, Partition.parse(row, one.partition.name), one.manifest).counts
    broken = [rule.fact for rule in rules(row) if rule.maximum is not None and facts.get(rule.fact, 0) > rule.maximum]
    assert (broken, facts["grid_missing"]) == ([], 0)
