"""Spans are fetched in parts that follow each other, up to the last whole row, with nothing lost at any border."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ExchangeRefused
from crypto_lakehouse.exchange import fetching
from crypto_lakehouse.exchange.fetching import AnsweredSpan
from crypto_lakehouse.exchange.missing import Series
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.vocabulary import DataType, Source
from tests.fakes.exchange import Fault, SyntheticRows
from tests.fakes.exchange.series import DatasetSeries
from tests.rest_fixtures import OpenLake
from tests.rest_lake import RestLake, utc, window

NOW = utc(2025, 1, 3, 10, 7, 30)
LATER = utc(2025, 1, 20)
SPOT, UM = dataset("binance_spot_klines"), dataset("binance_um_klines")
AGG_TRADES = dataset("binance_spot_agg_trades")


class Crowded(SyntheticRows):
    """Trades that share their millisecond with many others: all of a quarter of a day have one."""

    def lines(self, series: DatasetSeries, day: date) -> list[str]:
        return [_at_quarter(line) for line in super().lines(series, day)]


def _at_quarter(line: str) -> str:
    fields = line.split(",")
    unit = 1000 if len(fields[5]) < 16 else 1_000_000
    fields[5] = str(int(fields[5]) // (21_600 * unit) * 21_600 * unit)
    return ",".join(fields)


class Dense(SyntheticRows):
    """Trades ten times a second, for an hour of one day."""

    def days(self, series: DatasetSeries, until: date) -> Sequence[date]:
        return [day for day in (NOW.date(),) if day <= until]

    def lines(self, series: DatasetSeries, day: date) -> list[str]:
        assert series.dataset.data_type is DataType.AGG_TRADES
        first = int(utc(2025, 1, 3, 10).timestamp()) * 1_000_000
        return [f"{n},1.5,2.0,{n},{n},{first + n * 100_000},True,True" for n in range(36_000)]


def follows_on(parts: Sequence[AnsweredSpan]) -> bool:
    return all(before.span.end == after.span.start for before, after in pairwise(parts))


def row_times(lake: RestLake, row: object) -> list[datetime]:
    return [*lake.silver(row)[row.event_time]]  # type: ignore[attr-defined, arg-type]


@pytest.mark.parametrize("most", [1, 2, 3, 100])
@pytest.mark.parametrize(("name", "interval"), [("binance_spot_klines", "1m"), ("binance_spot_agg_trades", "")])
def test_wherever_the_parts_are_cut_the_rows_are_the_same(
    open_lake: OpenLake, monkeypatch: pytest.MonkeyPatch, name: str, interval: str, most: int
) -> None:
    row, wanted = dataset(name), window("BTCUSDT", interval, utc(2024, 12, 29), utc(2025, 1, 1))
    whole = open_lake(LATER, "whole")
    assert len(whole.fetch(row, wanted)) == 1
    monkeypatch.setattr(fetching, "MAX_PAGES", most)
    cut = open_lake(LATER, "cut")
    parts = cut.fetch(row, wanted)
    assert (len(parts) > 1) == (most < 100)
    assert follows_on(parts)
    assert (parts[0].span.start, parts[-1].span.end) == (utc(2024, 12, 29), utc(2025, 1, 1))
    assert_frame_equal(cut.silver(row), whole.silver(row))
    # Nothing is asked twice because of a cut.
    assert len(cut.exchange.requests) == len(whole.exchange.requests)


@pytest.mark.parametrize("most", [1, 2])
def test_trades_of_the_millisecond_at_which_a_piece_is_cut_are_all_there(
    open_lake: OpenLake, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    wanted = window("BTCUSDT", "", utc(2025, 1, 1), utc(2025, 1, 3))
    monkeypatch.setattr(fetching, "MAX_PAGES", most)
    lake = open_lake(LATER, rows=Crowded())
    parts = lake.fetch(AGG_TRADES, wanted)
    assert len(parts) > 1
    assert follows_on(parts)
    identifiers = lake.silver(AGG_TRADES)["agg_trade_id"]
    assert identifiers.to_list() == list(range(identifiers[0], identifiers[0] + 4000))


def test_at_the_live_edge_only_what_was_seen_counts_as_answered(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    (part,) = lake.fetch(SPOT, window("BTCUSDT", "1m", utc(2025, 1, 3, 10), NOW))
    assert part.span.end == utc(2025, 1, 3, 10, 7)
    (trades,) = lake.fetch(AGG_TRADES, window("BTCUSDT", "", utc(2025, 1, 3, 10), NOW))
    last = lake.silver(AGG_TRADES)["transact_time"].max()
    assert utc(2025, 1, 3, 10) < trades.span.end < NOW
    assert isinstance(last, datetime)
    assert last < trades.span.end


def test_what_was_answered_near_now_is_not_more_than_was_settled(open_lake: OpenLake) -> None:
    # The candle of 10:06 closed one second ago: the exchange may still be writing it.
    lake = open_lake(utc(2025, 1, 3, 10, 7, 1))
    (part,) = lake.fetch(SPOT, window("BTCUSDT", "1m", utc(2025, 1, 3, 10), utc(2025, 1, 3, 10, 7, 1)))
    assert part.span.end <= utc(2025, 1, 3, 10, 7)
    lake.time.now += 5
    lake.fetch_missing(SPOT, Series("BTCUSDT", "1m"), (utc(2025, 1, 3, 10), utc(2025, 1, 3, 10, 7, 6)))
    assert row_times(lake, SPOT) == [utc(2025, 1, 3, 10, minute) for minute in range(7)]


@pytest.mark.parametrize(
    ("name", "interval"),
    [
        ("binance_spot_klines", "1m"),
        ("binance_spot_klines", "1h"),
        ("binance_um_klines", "5m"),
        ("binance_spot_agg_trades", ""),
        ("binance_um_agg_trades", ""),
        ("binance_um_metrics", ""),
        ("binance_cm_metrics", ""),
        ("binance_um_funding_rate", ""),
    ],
)
def test_run_after_run_the_rows_are_those_of_one_late_run(open_lake: OpenLake, name: str, interval: str) -> None:
    row, start = dataset(name), utc(2025, 1, 3)
    series = Series(row.sample_symbol, interval)
    end = start + timedelta(hours=17)
    lake = open_lake(start + timedelta(minutes=3, seconds=1))
    for minutes in (0, 0.01, 1, 4, 5, 30, 55, 60, 125, 500, 17 * 60):
        lake.time.now = (start + timedelta(minutes=minutes, seconds=1)).timestamp()
        lake.fetch_missing(row, series, (start, min(end, datetime.fromtimestamp(lake.time.now, UTC))))
    lake.time.now = LATER.timestamp() if row.rest and row.rest.reach_days != 2.0 else lake.time.now + 7200
    lake.fetch_missing(row, series, (start, end))
    late = open_lake(datetime.fromtimestamp(lake.time.now, UTC), "late")
    late.fetch_missing(row, series, (start, end))
    frame = late.silver(row)
    assert frame.height >= 3
    assert_frame_equal(lake.silver(row), frame)


def test_parts_shorter_than_a_second_are_objects_of_their_own(open_lake: OpenLake) -> None:
    start = utc(2025, 1, 3, 10)
    lake = open_lake(start, rows=Dense())
    for tenth in range(600, 660, 3):
        lake.time.now = (start + timedelta(seconds=tenth / 10)).timestamp()
        wanted = (start, datetime.fromtimestamp(lake.time.now, UTC))
        lake.fetch_missing(AGG_TRADES, Series("BTCUSDT", ""), wanted)
    identifiers = lake.silver(AGG_TRADES)["agg_trade_id"].to_list()
    assert len(identifiers) > 600
    assert identifiers == list(range(len(identifiers)))


@pytest.mark.parametrize(
    ("interval", "opened", "closed"),
    [
        ("1w", utc(2024, 12, 30), utc(2025, 1, 6)),
        ("3d", utc(2024, 12, 31), utc(2025, 1, 3)),
        ("1mo", utc(2024, 12, 1), utc(2025, 1, 1)),
    ],
)
@pytest.mark.parametrize("row", [SPOT, UM], ids=lambda row: row.name)
def test_a_long_candle_open_at_the_first_run_is_asked_for_once_it_is_whole(
    open_lake: OpenLake, row: object, interval: str, opened: datetime, closed: datetime
) -> None:
    series, wanted = Series("BTCUSDT", interval), (utc(2024, 11, 1), utc(2025, 1, 1))
    # Hours after the end of what is wanted, and before that of the candle that opened within it.
    lake = open_lake(closed - timedelta(hours=5))
    lake.fetch_missing(row, series, wanted)  # type: ignore[arg-type]
    before = row_times(lake, row)
    assert before
    assert opened not in before
    lake.time.now = (closed + timedelta(hours=5)).timestamp()
    lake.fetch_missing(row, series, wanted)  # type: ignore[arg-type]
    assert row_times(lake, row) == [*before, opened]


def test_what_an_endpoint_no_longer_has_is_not_asked_and_leaves_evidence(open_lake: OpenLake) -> None:
    row = dataset("binance_um_agg_trades")
    lake = open_lake(NOW)
    first, second = lake.fetch(row, window("BTCUSDT", "", utc(2024, 12, 29), utc(2025, 1, 2)))
    assert (first.span.start, first.span.end) == (utc(2024, 12, 29), utc(2025, 1, 1, 11))
    assert [one.status for one in first.answers] == [400]
    assert "2 days" in first.answers[0].body
    assert second.span.end == utc(2025, 1, 2)
    assert lake.silver(row)["transact_time"].min() >= second.span.start  # type: ignore[operator]
    assert {one.status for one in lake.exchange.requests} == {200}
    assert lake.missing(row, Series("BTCUSDT", ""), (utc(2024, 12, 29), utc(2025, 1, 2))) == []


def test_the_reach_goes_by_the_exchanges_clock_and_not_by_ours(open_lake: OpenLake) -> None:
    row = dataset("binance_um_metrics")
    lake = open_lake(NOW)
    client = lake.client(row.market)
    ours = NOW.timestamp() - 40 * 86_400
    client.clock = lambda: ours
    assert client.server_time() == NOW
    parts = lake.fetch(row, window("BTCUSDT", "", utc(2024, 12, 1), utc(2024, 12, 20)), client)
    assert (parts[0].span.end, parts[-1].span.end) == (utc(2024, 12, 4, 11), utc(2024, 12, 20))
    assert {one.status for one in lake.exchange.requests} == {200}


def test_a_symbol_the_exchange_does_not_know_leaves_evidence_and_no_row(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    (part,) = lake.fetch(UM, window("NOUSDT", "1m", utc(2025, 1, 1), utc(2025, 1, 2)))
    assert [one.status for one in part.answers] == [400]
    assert "-1121" in part.answers[0].body
    assert lake.silver(UM).is_empty()
    assert lake.missing(UM, Series("NOUSDT", "1m"), (utc(2025, 1, 1), utc(2025, 1, 2))) == []


def test_a_delivery_contract_has_no_metrics_to_ask_for(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    (part,) = lake.fetch(dataset("binance_cm_metrics"), window("BTCUSD_250328", "", utc(2025, 1, 1), utc(2025, 1, 2)))
    assert "perpetual" in part.answers[0].body
    assert lake.exchange.requests == []


@pytest.mark.parametrize("name", ["binance_spot_agg_trades", "binance_um_agg_trades"])
@pytest.mark.parametrize(("start", "end"), [(27, 427), (300_027, 700_427), (300_000, 300_001)])
def test_a_window_that_starts_or_ends_within_a_millisecond_has_its_rows(
    open_lake: OpenLake, name: str, start: int, end: int
) -> None:
    # Such a window is what is left at the live edge, or between two trades whose identifiers have a hole.
    row, ten = dataset(name), utc(2025, 1, 3, 10)
    lake = open_lake(utc(2025, 1, 4, 4), rows=Dense())
    wanted = [ten + timedelta(microseconds=number) for number in (start, end)]
    (part,) = lake.fetch(row, window("BTCUSDT", "", *wanted))
    assert [part.span.start, part.span.end] == wanted
    expected = [number for number in range(8) if start <= number * 100_000 < end]
    assert set(expected) <= set(lake.silver(row)["agg_trade_id"] if expected else ())


@pytest.mark.parametrize("name", ["binance_spot_klines", "binance_um_klines", "binance_cm_klines"])
def test_where_the_clock_of_the_exchange_has_moved_by_less_than_a_millisecond_nothing_fails(
    open_lake: OpenLake, name: str
) -> None:
    row, four = dataset(name), utc(2025, 1, 4, 4)
    lake = open_lake(four)
    edge = four - fetching.SETTLING + timedelta(microseconds=27)
    lake.time.now = four.timestamp() + 0.0004
    assert lake.fetch(row, window(row.sample_symbol, "1m", edge, utc(2025, 2, 1))) == []


def test_a_window_of_the_future_is_not_asked(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    assert lake.fetch(SPOT, window("BTCUSDT", "1m", utc(2025, 2, 1), utc(2025, 2, 2))) == []
    assert lake.exchange.requests == []


def test_the_first_payment_of_a_window_has_the_hours_since_the_one_before(open_lake: OpenLake) -> None:
    row = dataset("binance_um_funding_rate")
    lake = open_lake(NOW)
    lake.fetch(row, window("BTCUSDT", "", utc(2025, 1, 1, 16), utc(2025, 1, 2)))
    assert lake.silver(row)["funding_interval_hours"].to_list() == [8]


def test_bronze_records_what_was_asked_and_where_its_bytes_lie(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    lake.fetch(UM, window("BTCUSDT", "1h", utc(2025, 1, 1), utc(2025, 1, 2)))
    (held,) = (one.object for one in lake.held(UM))
    assert (held.source, held.symbol, held.interval) == (Source.REST, "BTCUSDT", "1h")
    assert (held.start, held.end) == (utc(2025, 1, 1), utc(2025, 1, 2))
    assert held.last_modified == NOW
    assert held.sha256 in held.path
    assert held.size == len(lake.storage.read(held.path))
    again = lake.fetch(UM, window("BTCUSDT", "1h", utc(2025, 1, 1), utc(2025, 1, 2)))
    assert len(again) == 1
    assert len(lake.held(UM)) == 1, "the same stretch asked again takes the place of the first"
    assert isinstance(lake.silver(UM), pl.DataFrame)


def test_metrics_end_where_the_slowest_of_their_endpoints_ends(open_lake: OpenLake) -> None:
    row, start = dataset("binance_um_metrics"), utc(2025, 1, 3, 6)
    lake = open_lake(NOW)
    lake.exchange.inject(Fault.SHORT_PAGE, times=2, path="takerlongshortRatio")
    parts = lake.fetch(row, window("BTCUSDT", "", start, NOW))
    assert lake.exchange.fired == {Fault.SHORT_PAGE: 2}
    frame = lake.silver(row)
    assert 0 < frame.height < 40
    assert frame["taker_long_short_volume_ratio"].null_count() == 0
    assert parts[-1].span.end == frame["period_end"].max()
    lake.fetch_missing(row, Series("BTCUSDT", ""), (start, NOW))
    assert lake.silver(row)["taker_long_short_volume_ratio"].null_count() == 0
    assert lake.silver(row).height > frame.height


def test_what_came_before_a_failure_is_kept_and_only_the_rest_is_asked_again(
    open_lake: OpenLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_PAGES", 1)
    lake, wanted = open_lake(LATER), (utc(2025, 1, 1), utc(2025, 1, 3))
    (asked,) = lake.missing(UM, Series("BTCUSDT", "1m"), wanted)
    parts = fetching.fetch(UM, asked, lake.client(UM.market))
    BronzeLog(lake.storage).commit([fetching.store(next(parts), UM, asked, lake.storage) for _ in range(2)])
    lake.exchange.inject(Fault.GEO_451)
    with pytest.raises(ExchangeRefused):
        next(parts)
    assert lake.silver(UM).height == 998
    lake.time.now += 3600
    before = len(lake.exchange.requests)
    rest = lake.fetch_missing(UM, Series("BTCUSDT", "1m"), wanted)
    assert rest[0].span.start == utc(2025, 1, 1, 16, 38)
    assert len(lake.exchange.requests) - before == 4
    assert lake.silver(UM).height == 2880
