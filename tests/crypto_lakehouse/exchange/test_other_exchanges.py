"""What the venues answer is held against what was asked: faults, live edges, budgets; over HTTP, in virtual time."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import ExchangeRefused, RateLimited
from crypto_lakehouse.lake.records import RequestSpan
from tests.crypto_lakehouse.exchange.venue_lake import KLINES, TRADES, VenueLake, candle_lines, tick_lines
from tests.fakes.exchange.faults import Fault
from tests.rest_lake import utc, window

OpenVenue = Callable[..., VenueLake]
NOW = utc(2025, 1, 3, 10, 7, 30)
DAY, NEXT = utc(2025, 1, 2), utc(2025, 1, 3)
MINUTE = timedelta(minutes=1)
EVERY = [(name, symbol, "1m") for name, symbol in KLINES] + [(name, symbol, "") for name, symbol in TRADES]
PATHS = {
    "coinbase_spot_klines": "candles",
    "coinbase_spot_trades": "trades",
    "kraken_spot_klines": "OHLC",
    "kraken_spot_trades": "Trades",
}


def stretch(name: str, symbol: str, interval: str) -> RequestSpan:
    """Returns a window that the venue still answers: four hours of candles, or a day of trades."""
    return (
        window(symbol, interval, utc(2025, 1, 3, 2), utc(2025, 1, 3, 6)) if interval else window(symbol, "", DAY, NEXT)
    )


@pytest.fixture(scope="module")
def sound_rows() -> dict[tuple[str, str], pl.DataFrame]:
    """What an exchange without faults gives, by dataset and symbol; filled by the first test that compares with it."""
    return {}


def fetched(lake: VenueLake, name: str, asked: RequestSpan) -> list[tuple[datetime, datetime]]:
    client = lake.client_of(dataset(name))
    client.server_time()
    return [(part.span.start, part.span.end) for part in lake.fetch(dataset(name), asked, client)]


@pytest.mark.parametrize(("name", "symbol", "interval"), EVERY)
@pytest.mark.parametrize("fault", [Fault.EMPTY_LIST, Fault.SHORT_PAGE, Fault.REPEATED_PAGE, Fault.ERROR_502])
def test_a_fault_loses_no_row(
    name: str,
    symbol: str,
    interval: str,
    fault: Fault,
    open_venue: OpenVenue,
    sound_rows: dict[tuple[str, str], pl.DataFrame],
) -> None:
    row, asked = dataset(name), stretch(name, symbol, interval)
    if (name, symbol) not in sound_rows:
        sound = open_venue(NOW, "sound")
        fetched(sound, name, asked)
        sound_rows[name, symbol] = sound.silver(row)
    lake = open_venue(NOW, "faulty")
    if fault is Fault.REPEATED_PAGE:
        # Only what was asked before can be answered again: a page of an hour that was not asked for.
        fetched(lake, name, window(symbol, interval, utc(2025, 1, 3, 1), utc(2025, 1, 3, 2)))
        lake.folder = lake.folder.with_name("again")
    lake.exchange.inject(fault, path=PATHS[name])
    assert fetched(lake, name, asked) == [(asked.span.start, asked.span.end)]
    if not (fault is Fault.REPEATED_PAGE and name == "kraken_spot_klines"):
        assert lake.exchange.fired == {fault: 1}
    assert lake.silver(row).equals(sound_rows[name, symbol])
    expected = 240 if interval else len(tick_lines(date(2025, 1, 2)))
    assert sound_rows[name, symbol].height == expected


@pytest.mark.parametrize(("name", "symbol"), KLINES)
def test_no_open_candle_is_kept_and_the_next_run_begins_where_it_ended(
    name: str, symbol: str, open_venue: OpenVenue
) -> None:
    row, lake = dataset(name), open_venue(NOW)
    opened = utc(2025, 1, 3, 10, 7)
    ((start, end),) = fetched(lake, name, window(symbol, "1m", utc(2025, 1, 3, 9), NOW))
    assert (start, end) == (utc(2025, 1, 3, 9), opened)
    assert lake.silver(row)["open_time"].max() == opened - MINUTE
    lake.time.now += 155
    ((start, end),) = fetched(lake, name, window(symbol, "1m", opened, NOW + timedelta(seconds=155)))
    assert (start, end) == (opened, utc(2025, 1, 3, 10, 10))
    closes = [line[4] for line in candle_lines(date(2025, 1, 3), row.intervals[0])][540:610]
    assert [f"{one:.2f}" for one in lake.silver(row)["close"]] == [f"{float(one):.2f}" for one in closes]


@pytest.mark.parametrize(("name", "symbol"), KLINES)
def test_a_candle_that_closed_a_second_ago_may_still_change(name: str, symbol: str, open_venue: OpenVenue) -> None:
    lake = open_venue(utc(2025, 1, 3, 10, 8, 1))
    ((_, end),) = fetched(lake, name, window(symbol, "1m", utc(2025, 1, 3, 9), utc(2025, 1, 3, 10, 8, 1)))
    assert end == utc(2025, 1, 3, 10, 7)


@pytest.mark.parametrize(("name", "symbol"), TRADES)
def test_trades_up_to_now_are_taken_for_answered_up_to_the_last_one_and_none_comes_twice(
    name: str, symbol: str, open_venue: OpenVenue
) -> None:
    row, lake = dataset(name), open_venue(NOW)
    lines = [line for line in tick_lines(date(2025, 1, 3)) if int(line[4]) < int(NOW.timestamp() + 7200) * 1_000_000]
    ((_, end),) = fetched(lake, name, window(symbol, "", NEXT, NOW))
    assert NOW - timedelta(minutes=10) < end <= NOW
    lake.time.now += 7200
    fetched(lake, name, window(symbol, "", end, NOW + timedelta(hours=2)))
    silver = lake.silver(row)
    assert silver["trade_id"].to_list() == [int(line[0]) for line in lines][: silver.height]
    assert silver["trade_time"].max() > NOW + timedelta(hours=1, minutes=50)


def test_the_first_trade_of_a_stretch_is_found_by_halving(open_venue: OpenVenue) -> None:
    lake = open_venue(NOW)
    fetched(lake, "coinbase_spot_trades", window("BTC-USD", "", DAY, NEXT))
    requests = [one for one in lake.exchange.requests if one.path.endswith("trades")]
    # 1.5 billion identifiers, a thousand at a time, then two pages of rows.
    assert len(requests) < 40


@pytest.mark.parametrize(
    ("name", "symbol", "limit", "seconds"),
    [("coinbase_spot_trades", "BTC-USD", 10, 1), ("kraken_spot_trades", "XBTUSD", 5, 5)],
)
def test_no_window_sees_more_requests_than_the_budget(
    name: str, symbol: str, limit: int, seconds: int, open_venue: OpenVenue
) -> None:
    lake = open_venue(NOW, budget_share=0.5)
    fetched(lake, name, window(symbol, "", utc(2024, 12, 30), NEXT))
    counts = Counter(int(one.at // seconds) for one in lake.exchange.requests)
    assert max(counts.values()) == limit // 2
    assert lake.time.slept


def test_control_with_all_of_the_budget_a_window_sees_more(open_venue: OpenVenue) -> None:
    lake = open_venue(NOW)
    fetched(lake, "coinbase_spot_trades", window("BTC-USD", "", DAY, NEXT))
    assert max(Counter(int(one.at) for one in lake.exchange.requests).values()) == 10


@pytest.mark.parametrize(("name", "symbol", "interval"), EVERY)
def test_who_is_told_to_wait_waits(name: str, symbol: str, interval: str, open_venue: OpenVenue) -> None:
    lake = open_venue(NOW)
    lake.exchange.inject(Fault.RATE_LIMITED_WITH_RETRY_AFTER, path=PATHS[name])
    assert fetched(lake, name, stretch(name, symbol, interval))
    assert lake.exchange.fired == {Fault.RATE_LIMITED_WITH_RETRY_AFTER: 1}
    told = next(one for one in lake.exchange.requests if one.status == 429)
    after = lake.exchange.requests[lake.exchange.requests.index(told) + 1]
    assert after.at - told.at >= 2


@pytest.mark.parametrize(("name", "symbol", "interval"), EVERY)
@pytest.mark.parametrize("fault", [Fault.GEO_451, Fault.WAF_403])
def test_a_refused_address_is_not_asked_from_again(
    name: str, symbol: str, interval: str, fault: Fault, open_venue: OpenVenue
) -> None:
    lake = open_venue(NOW)
    lake.exchange.inject(fault, path=PATHS[name])
    for _ in range(2):
        with pytest.raises(ExchangeRefused):
            fetched(lake, name, stretch(name, symbol, interval))
    assert lake.exchange.fired == {fault: 1}
    assert sum(one.path.endswith(PATHS[name]) for one in lake.exchange.requests) == 1


def test_the_venues_have_budgets_of_their_own(open_venue: OpenVenue) -> None:
    lake = open_venue(NOW, max_wait_seconds=0, attempts=1)
    lake.exchange.inject(Fault.BANNED_418, path="candles")
    with pytest.raises(RateLimited):
        fetched(lake, "coinbase_spot_klines", stretch("coinbase_spot_klines", "BTC-USD", "1m"))
    assert fetched(lake, "kraken_spot_klines", stretch("kraken_spot_klines", "XBTUSD", "1m"))


@pytest.mark.parametrize(("name", "symbol", "interval"), EVERY)
def test_a_run_keeps_to_the_venues_own_clock(name: str, symbol: str, interval: str, open_venue: OpenVenue) -> None:
    lake = open_venue(NOW)
    client = lake.client_of(dataset(name))
    client.clock = lambda: NOW.timestamp() - 3600
    assert abs(client.server_time() - NOW) < timedelta(seconds=1)
    assert abs(client.now() - NOW.timestamp()) < 1
