"""Coinbase and Kraken tell the same market in their own words."""

from datetime import date
from decimal import Decimal

import ccxt

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.records import DayContent, kline_lines, trade_lines
from crypto_lakehouse.vocabulary import Interval
from tests.fakes.exchange.ccxt_urls import coinbase_urls, kraken_urls
from tests.fakes.exchange.faults import Fault
from tests.fakes.exchange.server import LocalExchange
from tests.fakes.exchange.talking import NOW, ask, client, ms

DAY = date(2025, 1, 2)
CANDLES = "coinbase/products/BTC-USD/candles?granularity=60"
TRADES = "coinbase/products/BTC-USD/trades"


def spot_candles() -> list[list[str]]:
    return [
        line.split(",") for line in kline_lines(DayContent(dataset("binance_spot_klines"), "BTCUSDT", DAY, Interval.M1))
    ]


def spot_trades(day: date = DAY) -> list[list[str]]:
    return [line.split(",") for line in trade_lines(DayContent(dataset("binance_spot_trades"), "BTCUSDT", day))]


def test_coinbase_candles_are_numbers_newest_first_and_at_most_three_hundred(exchange: LocalExchange) -> None:
    rows = ask(exchange, f"{CANDLES}&start=2025-01-02T00:00:00Z&end=2025-01-02T00:59:00Z").json
    expected = [
        [int(row[0]) // 1_000_000, *(float(row[field]) for field in (3, 2, 1, 4, 5))] for row in spot_candles()[:60]
    ]
    assert rows == expected[::-1]
    assert len(ask(exchange, CANDLES).json) == 300
    refused = ask(exchange, f"{CANDLES}&start=2025-01-02T00:00:00Z&end=2025-01-02T05:01:00Z")
    assert (refused.status, "exceeds 300" in refused.json["message"]) == (400, True)


def test_coinbase_trades_are_walked_back_by_cursor_without_gap(exchange: LocalExchange) -> None:
    page = ask(exchange, f"{TRADES}?limit=3")
    ids = [row["trade_id"] for row in page.json]
    older = ask(exchange, f"{TRADES}?limit=3&after={page.headers['CB-AFTER']}")
    ids += [row["trade_id"] for row in older.json]
    assert ids == list(range(ids[0], ids[0] - 6, -1))
    newer = ask(exchange, f"{TRADES}?before={older.headers['CB-BEFORE']}&limit=3")
    assert newer.json == page.json


def test_coinbase_trades_tell_the_makers_side(exchange: LocalExchange) -> None:
    first = spot_trades()[0]
    (row,) = ask(exchange, f"{TRADES}?limit=1&after={int(first[0]) + 1}").json
    assert (row["trade_id"], row["price"], row["size"]) == (int(first[0]), first[1], first[2])
    assert row["side"] == ("buy" if first[5] == "True" else "sell")
    assert row["time"].startswith("2025-01-02T00:0")


def test_ccxt_is_content_with_coinbase(exchange: LocalExchange) -> None:
    with client(ccxt.coinbaseexchange, coinbase_urls(exchange.url)) as coinbase:
        assert coinbase.fetch_time() == NOW.timestamp() * 1000
        candles = coinbase.fetch_ohlcv("BTC/USD", "1m", since=ms(2025, 1, 2), limit=300)
        trades = coinbase.fetch_trades("BTC/USD", limit=5)
    assert [one[0] for one in candles] == [ms(2025, 1, 2) + minute * 60_000 for minute in range(300)]
    assert len(trades) == 5


def test_kraken_gives_the_newest_720_candles_whatever_it_is_asked_and_the_last_is_open(
    exchange: LocalExchange,
) -> None:
    path = "kraken/0/public/OHLC?pair=XBTUSD&interval=1"
    result = ask(exchange, path).json["result"]
    rows = result["XXBTZUSD"]
    assert len(rows) == 720
    assert rows[-1][0] == ms(2025, 1, 3, 10, 7) // 1000
    assert result["last"] == rows[-2][0]
    assert len(ask(exchange, f"{path}&since=0").json["result"]["XXBTZUSD"]) == 720
    since = ask(exchange, f"{path}&since={rows[-3][0]}").json["result"]["XXBTZUSD"]
    assert [row[0] for row in since] == [row[0] for row in rows[-2:]]
    assert since[-1] != rows[-1]


def test_kraken_trades_are_walked_forward_by_the_last_nanosecond(exchange: LocalExchange) -> None:
    since = ms(2025, 1, 2) * 1_000_000 - 1
    told: list[list[object]] = []
    while len(told) < 2000:
        path = f"kraken/0/public/Trades?pair=XBTUSD&count=1000&since={since}"
        result = ask(exchange, path).json["result"]
        told += result["XXBTZUSD"]
        since = int(result["last"])
    for row, line in zip(told, spot_trades(), strict=True):
        assert (row[0], row[1], row[6]) == (line[1], line[2], int(line[0]))
        assert round(Decimal(repr(row[2])) * 1_000_000) == int(line[4])
        assert row[3] == ("s" if line[5] == "True" else "b")


def test_kraken_refuses_with_status_200(exchange: LocalExchange) -> None:
    reply = ask(exchange, "kraken/0/public/OHLC?pair=NOUSD")
    assert (reply.status, reply.json) == (200, {"error": ["EQuery:Unknown asset pair"]})


def test_ccxt_is_content_with_kraken(exchange: LocalExchange) -> None:
    with client(ccxt.kraken, kraken_urls(exchange.url)) as kraken:
        kraken.load_markets()
        assert kraken.fetch_time() == NOW.timestamp() * 1000
        candles = kraken.fetch_ohlcv("BTC/USD", "1m")
        trades = kraken.fetch_trades("BTC/USD", since=ms(2025, 1, 2), limit=5)
    assert len(candles) == 720
    assert [one["id"] for one in trades] == [row[0] for row in spot_trades()[:5]]


def test_faults_befall_the_other_venues_in_their_own_shape(exchange: LocalExchange) -> None:
    exchange.inject(Fault.RATE_LIMITED_WITH_RETRY_AFTER, path="candles")
    exchange.inject(Fault.EMPTY_LIST, path="OHLC")
    limited = ask(exchange, CANDLES)
    assert (limited.status, list(limited.json)) == (429, ["message"])
    empty = ask(exchange, "kraken/0/public/OHLC?pair=XBTUSD").json
    assert empty["result"]["XXBTZUSD"] == []
    assert exchange.fired == {Fault.RATE_LIMITED_WITH_RETRY_AFTER: 1, Fault.EMPTY_LIST: 1}
    assert ask(exchange, CANDLES).status == 200
