"""The exchange on loopback says what the archive says, within Binance's own limits; ccxt is content with it."""

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from pathlib import Path

import ccxt
import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.demo.records import LINES, DayContent
from crypto_lakehouse.vocabulary import DataType, Interval, Market
from tests.fakes.exchange.ccxt_urls import binance_urls
from tests.fakes.exchange.rows import FolderRows
from tests.fakes.exchange.series import DatasetSeries
from tests.fakes.exchange.server import LocalExchange, running_clock
from tests.fakes.exchange.talking import MICROSECONDS, NOW, Clock, ask, client, ms
from tests.waiting import STANDSTILL_SECONDS

YESTERDAY, LAST_YEAR = date(2025, 1, 2), date(2024, 12, 30)
FROM, TO = ms(2025, 1, 2), ms(2025, 1, 3) - 1
API = {Market.SPOT: "spot/api/v3", Market.UM: "um/fapi/v1", Market.CM: "cm/dapi/v1"}
SYMBOL = {Market.SPOT: "BTCUSDT", Market.UM: "BTCUSDT", Market.CM: "BTCUSD_PERP"}
AGG_TRADE_KEYS = {
    Market.SPOT: ("a", "p", "q", "f", "l", "T", "m", "M"),
    Market.UM: ("a", "p", "q", "f", "l", "T", "m"),
    Market.CM: ("a", "p", "q", "f", "l", "T", "m"),
}


def archive_lines(name: str, symbol: str, day: date = YESTERDAY, interval: Interval | None = None) -> list[str]:
    row = dataset(name)
    return list(LINES[row.data_type](DayContent(row, symbol, day, interval)))


def as_lines(rows: list[list[object]]) -> list[str]:
    return [",".join(map(str, row)) for row in rows]


def spelled(value: object, market: Market) -> str:
    if isinstance(value, bool):
        return str(value) if market is Market.SPOT else str(value).lower()
    return str(value)


@pytest.mark.parametrize("data_type", [one for one in DataType if "lines" in one.value])
@pytest.mark.parametrize("market", [Market.UM, Market.CM])
def test_futures_klines_through_ccxt_are_the_lines_of_the_archive(
    exchange: LocalExchange, market: Market, data_type: DataType
) -> None:
    is_index = data_type is DataType.INDEX_PRICE_KLINES
    symbol = SYMBOL[market].partition("_")[0] if is_index else SYMBOL[market]
    camel = f"{'f' if market is Market.UM else 'd'}apiPublicGet{data_type.value[0].upper()}{data_type.value[1:]}"
    query = {"pair" if is_index else "symbol": symbol, "interval": "1m", "startTime": FROM, "limit": 1440}
    with client(ccxt.binance, binance_urls(exchange.url)) as binance:
        rows = getattr(binance, camel)(query)
    assert as_lines(rows) == archive_lines(f"binance_{market}_{data_type.slug}", symbol, interval=Interval.M1)


def test_spot_klines_through_ccxt_are_the_lines_of_the_archive_when_microseconds_are_asked_for(
    exchange: LocalExchange,
) -> None:
    query = {"symbol": "ETHUSDT", "interval": "5m", "startTime": FROM, "endTime": TO}
    with client(ccxt.binance, binance_urls(exchange.url), headers=MICROSECONDS) as binance:
        rows = binance.publicGetKlines(query)
    assert as_lines(rows) == archive_lines("binance_spot_klines", "ETHUSDT", interval=Interval.M5)


def test_spot_times_are_milliseconds_unless_asked_otherwise_on_both_sides_of_the_change_of_unit(
    exchange: LocalExchange,
) -> None:
    path = "spot/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1&startTime="
    before, after = ms(2024, 12, 31, 23, 59), ms(2025, 1, 1)
    for opened in (before, after):
        in_ms, in_us = ask(exchange, f"{path}{opened}").json[0], ask(exchange, f"{path}{opened}", MICROSECONDS).json[0]
        assert (in_ms[0], in_ms[6]) == (opened, opened + 59_999)
        assert (in_us[0], in_us[6]) == (opened * 1000, opened * 1000 + 59_999_999)
        assert in_ms[1:6] == in_us[1:6]
        assert ask(exchange, f"{path}{opened}000").json[0] == in_ms, "spot takes a start in microseconds too"
    assert ask(exchange, "um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1", MICROSECONDS).json[0][0] < 10**13


@pytest.mark.parametrize("market", [Market.SPOT, Market.UM, Market.CM])
def test_aggregated_trades_paged_by_identifier_are_the_lines_of_the_archive(
    exchange: LocalExchange, market: Market
) -> None:
    lines = archive_lines(f"binance_{market}_agg_trades", SYMBOL[market])
    headers = MICROSECONDS if market is Market.SPOT else {}
    rows: list[dict[str, object]] = []
    while len(rows) < len(lines):
        next_id = int(lines[0].partition(",")[0]) + len(rows)
        path = f"{API[market]}/aggTrades?symbol={SYMBOL[market]}&limit=1000&fromId={next_id}"
        rows += ask(exchange, path, headers).json
    keys = AGG_TRADE_KEYS[market]
    told = [",".join(spelled(row[key], market) for key in keys) for row in rows]
    assert tuple(rows[0]) == keys
    assert told[: len(lines)] == lines


@pytest.mark.parametrize("market", [Market.SPOT, Market.UM, Market.CM])
def test_single_trades_through_ccxt_are_the_lines_of_the_archive(exchange: LocalExchange, market: Market) -> None:
    lines = archive_lines(f"binance_{market}_trades", SYMBOL[market])
    query = {"symbol": SYMBOL[market], "fromId": int(lines[0].partition(",")[0]), "limit": 500}
    headers = MICROSECONDS if market is Market.SPOT else {}
    with client(ccxt.binance, binance_urls(exchange.url), apiKey="any", headers=headers) as binance:
        methods = {Market.SPOT: "public", Market.UM: "fapiPublic", Market.CM: "dapiPublic"}
        rows = getattr(binance, f"{methods[market]}GetHistoricalTrades")(query)
    told = [",".join(spelled(value, market) for value in row.values()) for row in rows]
    assert told == lines[:500]


@pytest.mark.parametrize("market", [Market.UM, Market.CM])
def test_funding_rates_through_ccxt_are_the_lines_of_the_archive(exchange: LocalExchange, market: Market) -> None:
    query = {"symbol": SYMBOL[market], "startTime": FROM, "endTime": TO}
    with client(ccxt.binance, binance_urls(exchange.url)) as binance:
        method = binance.fapiPublicGetFundingRate if market is Market.UM else binance.dapiPublicGetFundingRate
        rows = method(query)
    told = [f"{row['fundingTime']},8,{row['fundingRate']}" for row in rows]
    assert told == archive_lines(f"binance_{market}_funding_rate", SYMBOL[market])
    assert all(float(row["markPrice"]) > 0 and row["symbol"] == SYMBOL[market] for row in rows)


def test_open_interest_and_ratios_are_the_columns_of_the_metrics(exchange: LocalExchange) -> None:
    lines = [line.split(",") for line in archive_lines("binance_um_metrics", "BTCUSDT")]
    query = {"symbol": "BTCUSDT", "period": "5m", "limit": 500, "startTime": FROM + 300_000, "endTime": TO + 1}
    with client(ccxt.binance, binance_urls(exchange.url)) as binance:
        interest = binance.fapiDataGetOpenInterestHist(query)
        ratios = {
            4: binance.fapiDataGetTopLongShortAccountRatio(query),
            5: binance.fapiDataGetTopLongShortPositionRatio(query),
            6: binance.fapiDataGetGlobalLongShortAccountRatio(query),
        }
        taker = binance.fapiDataGetTakerlongshortRatio(query)
    stamps = [int(datetime.fromisoformat(f"{line[0]}+00:00").timestamp() * 1000) for line in lines]
    assert [int(row["timestamp"]) for row in interest] == stamps
    assert [(row["sumOpenInterest"], row["sumOpenInterestValue"]) for row in interest] == [
        (line[2], line[3]) for line in lines
    ]
    for field, rows in ratios.items():
        assert [row["longShortRatio"] for row in rows] == [line[field] for line in lines]
    assert [row["buySellRatio"] for row in taker] == [line[7] for line in lines]


def test_inverse_open_interest_is_asked_by_pair_and_contract_type(exchange: LocalExchange) -> None:
    query = {"pair": "BTCUSD", "contractType": "PERPETUAL", "period": "5m", "limit": 1, "startTime": FROM + 300_000}
    with client(ccxt.binance, binance_urls(exchange.url)) as binance:
        (row,) = binance.dapiDataGetOpenInterestHist(query)
    first = archive_lines("binance_cm_metrics", "BTCUSD_PERP")[0].split(",")
    assert (row["pair"], row["contractType"]) == ("BTCUSD", "PERPETUAL")
    assert (row["sumOpenInterest"], row["sumOpenInterestValue"]) == (first[2], first[3])


def test_ccxt_reads_the_markets_and_the_servers_time(exchange: LocalExchange) -> None:
    with client(ccxt.binance, binance_urls(exchange.url)) as binance:
        assert {"BTC/USDT", "BTC/USDT:USDT", "BTC/USD:BTC"} < set(binance.load_markets())
        assert binance.market("BTC/USD:BTC")["contractSize"] == 100
        assert binance.fetch_time() == NOW.timestamp() * 1000
        assert binance.fapiPublicGetFundingInfo()[0]["fundingIntervalHours"] == 8
        candles = binance.fetch_ohlcv("BTC/USDT:USDT", "1h", since=FROM, limit=24)
    assert [one[0] for one in candles] == [FROM + hour * 3_600_000 for hour in range(24)]


def test_months_are_spelled_as_rest_spells_them_and_are_made_of_their_days(exchange: LocalExchange) -> None:
    path = f"spot/api/v3/klines?symbol=BTCUSDT&limit=1&startTime={ms(2024, 12, 1)}&interval="
    (month,) = ask(exchange, f"{path}1M").json
    days = ask(exchange, f"spot/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=31&startTime={ms(2024, 12, 1)}").json
    assert month[6] == ms(2025, 1, 1) - 1
    assert (month[1], month[4]) == (days[0][1], days[-1][4])
    assert month[8] == sum(day[8] for day in days)
    assert ask(exchange, f"{path}1mo").json["code"] == -1120


def test_with_a_start_the_oldest_rows_come_first_and_both_ends_are_inclusive(exchange: LocalExchange) -> None:
    path = f"um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&startTime={FROM}"
    assert [row[0] for row in ask(exchange, f"{path}&limit=2").json] == [FROM, FROM + 60_000]
    assert [row[0] for row in ask(exchange, f"{path}&endTime={FROM + 60_000}").json] == [FROM, FROM + 60_000]
    assert [row[0] for row in ask(exchange, f"{path}&endTime={FROM + 59_999}").json] == [FROM]
    newest = ask(exchange, f"um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=2&endTime={TO}").json
    assert [row[0] for row in newest] == [TO + 1 - 120_000, TO + 1 - 60_000]


def test_the_open_candle_comes_when_the_range_reaches_now_and_changes_from_call_to_call(
    exchange: LocalExchange, clock: Clock
) -> None:
    path = "um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=2"
    first, second = ask(exchange, path).json, ask(exchange, path).json
    assert first[0] == second[0], "the closed candle stands still"
    assert first[1][6] > NOW.timestamp() * 1000
    assert first[1][:2] == second[1][:2]
    assert first[1][5] != second[1][5]
    clock.now += 60
    final = ask(exchange, path).json[0]
    assert ",".join(map(str, final)) in archive_lines("binance_um_klines", "BTCUSDT", NOW.date(), Interval.M1)
    assert float(first[1][5]) < float(second[1][5]) < float(final[5])


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        ("spot/api/v3/klines?symbol=BTCUSDT&interval=1m", 500),
        ("spot/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1001", 1000),
        ("um/fapi/v1/klines?symbol=BTCUSDT&interval=1m", 500),
        ("cm/dapi/v1/klines?symbol=BTCUSD_PERP&interval=1m&limit=1500", 1500),
        ("um/fapi/v1/aggTrades?symbol=BTCUSDT", 500),
        ("um/fapi/v1/fundingRate?symbol=BTCUSDT", 100),
        ("um/futures/data/openInterestHist?symbol=BTCUSDT&period=5m", 30),
        (f"um/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&limit=500&startTime={FROM}", 410),
    ],
)
def test_pages_have_the_length_of_the_real_ones(exchange: LocalExchange, path: str, rows: int) -> None:
    assert len(ask(exchange, path).json) == rows


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1501", -1130),
        ("cm/dapi/v1/klines?symbol=BTCUSD_PERP&interval=1m&limit=1501", -1130),
        ("um/fapi/v1/klines?symbol=BTCUSDT&interval=7m", -1120),
        ("um/fapi/v1/klines?symbol=BTCUSDT&interval=1s", -1120),
        ("spot/api/v3/klines?symbol=NOUSDT&interval=1m", -1121),
        ("cm/dapi/v1/indexPriceKlines?pair=BTCUSD_PERP&interval=1m", -1121),
        ("spot/api/v3/klines?interval=1m", -1102),
        ("spot/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1e9", -1100),
        (f"um/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={ms(2025, 1, 1, 10, 7, 29)}", -4166),
        ("um/fapi/v1/aggTrades?symbol=BTCUSDT&fromId=1", -4166),
        (f"um/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={FROM}&endTime={FROM + 3_600_001}", -1127),
        (f"um/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&startTime={ms(2024, 12, 4)}", -1130),
        ("um/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&limit=501", -1130),
        (f"um/futures/data/takerlongshortRatio?symbol=BTCUSDT&period=5m&startTime={ms(2024, 12, 4)}", -1130),
        ("um/fapi/v1/fundingRate?symbol=BTCUSDT&limit=1001", -1130),
    ],
)
def test_what_binance_refuses_is_refused_with_its_number(exchange: LocalExchange, path: str, code: int) -> None:
    reply = ask(exchange, path)
    assert (reply.status, reply.json["code"]) == (400, code)
    with client(ccxt.binance, binance_urls(exchange.url)) as binance, pytest.raises(ccxt.ExchangeError):
        binance.fetch(f"{exchange.url}/{path}")


def test_aggregated_trades_of_an_hour_within_two_days_are_given(exchange: LocalExchange) -> None:
    path = f"um/fapi/v1/aggTrades?symbol=BTCUSDT&startTime={FROM}&endTime={FROM + 3_600_000}"
    rows = ask(exchange, path).json
    assert rows
    assert all(FROM <= row["T"] <= FROM + 3_600_000 for row in rows)


def test_um_historical_trades_need_a_key(exchange: LocalExchange) -> None:
    path = "um/fapi/v1/historicalTrades?symbol=BTCUSDT&limit=1"
    reply = ask(exchange, path)
    assert (reply.status, reply.json["code"]) == (401, -2014)
    assert ask(exchange, path, {"X-MBX-APIKEY": "any"}).status == 200


def test_nothing_is_told_of_the_future(exchange: LocalExchange) -> None:
    later = int(NOW.timestamp() * 1000) + 1
    for path in ("klines?symbol=BTCUSDT&interval=1m", "aggTrades?symbol=BTCUSDT", "fundingRate?symbol=BTCUSDT"):
        assert ask(exchange, f"um/fapi/v1/{path}&startTime={later}").json == []
        newest = ask(exchange, f"um/fapi/v1/{path}&endTime={later + 10**9}&limit=1").json[0]
        assert (newest[0] if isinstance(newest, list) else newest.get("T", newest.get("fundingTime"))) < later


def test_the_rows_of_real_zips_are_told_too(real_archive: Path) -> None:
    source = FolderRows(real_archive)
    hours = DatasetSeries.of(Market.SPOT, DataType.KLINES, "BTCUSDT", Interval.H1)
    payments = DatasetSeries.of(Market.UM, DataType.FUNDING_RATE, "BTCUSDT")
    trades = DatasetSeries.of(Market.CM, DataType.AGG_TRADES, "BTCUSD_PERP")
    with LocalExchange(source, clock=Clock(datetime(2026, 5, 9, 1, tzinfo=UTC))) as exchange:
        path = f"spot/api/v3/klines?symbol=BTCUSDT&interval=1h&startTime={ms(2026, 5, 8)}"
        assert as_lines(ask(exchange, path, MICROSECONDS).json) == source.lines(hours, date(2026, 5, 8))
        path = f"um/fapi/v1/fundingRate?symbol=BTCUSDT&startTime={ms(2026, 4, 30)}"
        told = [f"{row['fundingTime']},8,{row['fundingRate']}" for row in ask(exchange, path).json]
        assert told == source.lines(payments, date(2026, 4, 30))
        path = "cm/dapi/v1/aggTrades?symbol=BTCUSD_PERP&limit=2"
        newest = [",".join(spelled(one, Market.CM) for one in row.values()) for row in ask(exchange, path).json]
        assert newest == source.lines(trades, date(2026, 5, 8))[-2:]


def test_every_request_is_logged_with_its_status_and_weight(exchange: LocalExchange) -> None:
    ask(exchange, "spot/api/v3/klines?symbol=BTCUSDT&interval=1m")
    ask(exchange, "um/fapi/v1/klines?symbol=NOUSDT&interval=1m&limit=1500")
    first, second = exchange.requests
    assert (first.mount, first.path, first.status, first.weight) == ("spot", "api/v3/klines", 200, 2)
    assert (second.mount, second.status, second.weight) == ("um", 400, 10)
    assert dict(first.params) == {"symbol": "BTCUSDT", "interval": "1m"}
    assert first.at == NOW.timestamp()


def test_a_running_clock_starts_where_it_is_told_and_goes_on() -> None:
    clock = running_clock(NOW)
    assert 0 <= clock() - NOW.timestamp() < 5
    assert clock() <= clock()


def test_a_process_of_its_own_tells_its_address_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "tests.fakes.exchange", "--now", "2025-01-03T10:07:30Z", "--symbols", "SOLUSDT"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            with client(ccxt.binance, binance_urls(url)) as binance:
                rows = binance.fapiPublicGetKlines({"symbol": "SOLUSDT", "interval": "1h", "limit": 1})
                assert abs(int(binance.fapiPublicGetTime()["serverTime"]) - NOW.timestamp() * 1000) < 60_000
        finally:
            process.terminate()
        assert process.wait(STANDSTILL_SECONDS) == 0
    assert rows[0][0] == ms(2025, 1, 3, 10)
    assert json.dumps(rows)


def test_a_page_of_a_thousand_costs_under_a_fiftieth_of_a_second_once_its_days_were_made(
    exchange: LocalExchange,
) -> None:
    path = f"spot/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000&startTime={ms(2025, 1, 1)}"
    assert len(ask(exchange, path).json) == 1000
    before = time.process_time()
    for _ in range(50):
        ask(exchange, path)
    # The client's share is in it too: this process is both.
    assert (time.process_time() - before) / 50 < 0.02
