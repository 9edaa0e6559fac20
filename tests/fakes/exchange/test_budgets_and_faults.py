"""Weight is counted as Binance counts it, and every fault befalls what it is meant for and nothing else."""

import json

import ccxt
import pytest

from tests.fakes.exchange.ccxt_urls import binance_urls
from tests.fakes.exchange.faults import Fault
from tests.fakes.exchange.server import LocalExchange
from tests.fakes.exchange.talking import NOW, Clock, Reply, ask, client, ms

USED = "X-MBX-USED-WEIGHT-1M"
KLINES = "um/fapi/v1/klines?symbol=BTCUSDT&interval=1m"
DEAR = f"{KLINES}&limit=1500"
CLOSED = f"{KLINES}&startTime={ms(2025, 1, 2)}&endTime={ms(2025, 1, 2, 0, 9)}"

REPLACED = {
    Fault.RATE_LIMITED_WITH_RETRY_AFTER: (429, ccxt.DDoSProtection),
    Fault.RATE_LIMITED_WITHOUT: (429, ccxt.DDoSProtection),
    Fault.BANNED_418: (418, ccxt.DDoSProtection),
    Fault.WAF_403: (403, ccxt.BaseError),
    Fault.GEO_451: (451, ccxt.BaseError),
    Fault.ERROR_500: (500, ccxt.BaseError),
    Fault.ERROR_502: (502, ccxt.ExchangeNotAvailable),
    Fault.ERROR_504: (504, ccxt.BaseError),
    Fault.TOO_MANY_1003: (400, ccxt.RateLimitExceeded),
    Fault.BAD_INTERVAL_1120: (400, ccxt.BadRequest),
    Fault.BAD_PARAMETER_1130: (400, ccxt.BadRequest),
    Fault.TOO_OLD_4166: (400, ccxt.ExchangeError),
}
PAGES = (Fault.EMPTY_LIST, Fault.SHORT_PAGE, Fault.REPEATED_PAGE, Fault.OPEN_CANDLE)


@pytest.mark.parametrize(
    ("path", "weight"),
    [
        ("spot/api/v3/time", 1),
        ("spot/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000", 2),
        ("spot/api/v3/aggTrades?symbol=BTCUSDT", 4),
        ("spot/api/v3/historicalTrades?symbol=BTCUSDT", 25),
        ("spot/api/v3/exchangeInfo", 20),
        (f"{KLINES}&limit=99", 1),
        (f"{KLINES}&limit=499", 2),
        (KLINES, 5),
        (f"{KLINES}&limit=1000", 5),
        (DEAR, 10),
        ("cm/dapi/v1/markPriceKlines?symbol=BTCUSD_PERP&interval=1m&limit=1", 1),
        ("um/fapi/v1/aggTrades?symbol=BTCUSDT", 20),
        ("cm/dapi/v1/historicalTrades?symbol=BTCUSD_PERP", 200),
        ("um/fapi/v1/historicalTrades?symbol=BTCUSDT", 200),
        ("um/fapi/v1/exchangeInfo", 1),
        ("um/fapi/v1/aggTrades?symbol=NOUSDT", 20),
    ],
)
def test_the_weight_used_is_told_after_each_request(exchange: LocalExchange, path: str, weight: int) -> None:
    assert [ask(exchange, path).headers[USED] for _ in range(2)] == [str(weight), str(2 * weight)]


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("um/fapi/v1/fundingRate?symbol=BTCUSDT&limit=1", 500),
        ("um/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&limit=1", 1000),
    ],
)
def test_endpoints_with_a_budget_of_their_own_tell_no_weight(
    exchange: LocalExchange, clock: Clock, path: str, most: int
) -> None:
    for _ in range(most):
        assert USED not in ask(exchange, path).headers
    limited = ask(exchange, path)
    # The windows of five minutes begin with the hour: it is 10:07:30.
    assert (limited.status, limited.headers["Retry-After"]) == (429, "150")
    assert ask(exchange, KLINES).headers[USED] == "5"
    clock.now += 150
    assert ask(exchange, path).status == 200


def use_up(exchange: LocalExchange) -> None:
    for _ in range(240):
        assert ask(exchange, DEAR).status == 200


def test_over_the_budget_comes_429_until_the_minute_ends(exchange: LocalExchange, clock: Clock) -> None:
    use_up(exchange)
    limited = ask(exchange, DEAR)
    assert (limited.status, limited.headers["Retry-After"], limited.json["code"]) == (429, "30", -1003)
    assert ask(exchange, "spot/api/v3/time").status == 200, "spot has a budget of its own"
    assert ask(exchange, "cm/dapi/v1/time").status == 429, "um and cm have one together"
    clock.now += 30
    fresh = ask(exchange, DEAR)
    assert (fresh.status, fresh.headers[USED]) == (200, "10")
    assert exchange.requests_while_banned == 0


def test_who_goes_on_while_limited_is_banned_and_counted(exchange: LocalExchange, clock: Clock) -> None:
    use_up(exchange)
    statuses = [ask(exchange, DEAR).status for _ in range(10)]
    assert statuses == [429] * 10
    banned = ask(exchange, DEAR)
    assert (banned.status, banned.headers["Retry-After"], banned.json["code"]) == (418, "120", -1003)
    assert exchange.requests_while_banned == 0
    clock.now += 60
    again = ask(exchange, DEAR)
    assert (again.status, again.headers["Retry-After"]) == (418, "60")
    assert ask(exchange, "um/fapi/v1/fundingRate?symbol=BTCUSDT").status == 418, "the address is banned, not a path"
    assert exchange.requests_while_banned == 2
    clock.now += 60
    assert ask(exchange, DEAR).status == 200
    assert exchange.requests_while_banned == 2


def test_there_are_seventeen_faults_and_each_is_tested_here() -> None:
    assert {*REPLACED, *PAGES, Fault.NO_WEIGHT_HEADER} == set(Fault)
    assert len(Fault) == 17


@pytest.mark.parametrize("fault", REPLACED)
def test_a_fault_takes_the_place_of_as_many_answers_as_injected(exchange: LocalExchange, fault: Fault) -> None:
    status, error = REPLACED[fault]
    exchange.inject(fault, times=2)
    assert ask(exchange, "um/fapi/v1/time").status == 200, "another path is spared"
    assert exchange.fired[fault] == 0
    assert ask(exchange, CLOSED).status == status
    with client(ccxt.binance, binance_urls(exchange.url)) as binance, pytest.raises(error):
        binance.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "1m"})
    assert ask(exchange, CLOSED).status == 200
    assert (exchange.fired[fault], exchange.faults_pending) == (2, 0)


def faulty_reply(exchange: LocalExchange, fault: Fault) -> Reply:
    exchange.inject(fault)
    return ask(exchange, CLOSED)


def test_limits_and_bans_say_when_to_come_back_except_the_one_that_does_not(exchange: LocalExchange) -> None:
    assert faulty_reply(exchange, Fault.RATE_LIMITED_WITH_RETRY_AFTER).headers["Retry-After"] == "2"
    assert faulty_reply(exchange, Fault.BANNED_418).headers["Retry-After"] == "120"
    assert "Retry-After" not in faulty_reply(exchange, Fault.RATE_LIMITED_WITHOUT).headers


def test_the_firewall_and_the_gateway_answer_in_html(exchange: LocalExchange) -> None:
    for fault in (Fault.WAF_403, Fault.ERROR_502):
        reply = faulty_reply(exchange, fault)
        assert reply.headers["Content-Type"].startswith("text/html")
        assert reply.body.startswith(b"<html>")
        assert USED not in reply.headers


def test_refusals_carry_binances_number(exchange: LocalExchange) -> None:
    codes = {Fault.BAD_INTERVAL_1120: -1120, Fault.BAD_PARAMETER_1130: -1130, Fault.TOO_OLD_4166: -4166}
    for fault, code in {**codes, Fault.TOO_MANY_1003: -1003}.items():
        assert faulty_reply(exchange, fault).json["code"] == code


def test_a_page_may_be_empty_or_half(exchange: LocalExchange) -> None:
    whole = ask(exchange, CLOSED).json
    assert len(whole) == 10
    assert faulty_reply(exchange, Fault.EMPTY_LIST).json == []
    assert faulty_reply(exchange, Fault.SHORT_PAGE).json == whole[:5]
    assert ask(exchange, CLOSED).json == whole
    assert exchange.fired == {Fault.EMPTY_LIST: 1, Fault.SHORT_PAGE: 1}


def test_the_page_before_may_come_again_once_there_was_one(exchange: LocalExchange) -> None:
    exchange.inject(Fault.REPEATED_PAGE)
    first = ask(exchange, CLOSED).json
    assert exchange.fired[Fault.REPEATED_PAGE] == 0
    other = f"{KLINES}&startTime={ms(2025, 1, 2, 0, 10)}&limit=10".replace("BTC", "ETH")
    assert ask(exchange, other).json != first, "another symbol has pages of its own"
    following = f"{KLINES}&startTime={ms(2025, 1, 2, 0, 10)}&limit=10"
    assert ask(exchange, following).json == first
    assert exchange.fired[Fault.REPEATED_PAGE] == 1
    assert ask(exchange, following).json[0][0] == ms(2025, 1, 2, 0, 10)


def test_the_open_candle_may_come_though_the_end_excludes_it(exchange: LocalExchange) -> None:
    exchange.inject(Fault.OPEN_CANDLE)
    reached = ask(exchange, f"{KLINES}&limit=1").json
    assert exchange.fired[Fault.OPEN_CANDLE] == 0, "a range that reaches now has it by right"
    spoiled = ask(exchange, CLOSED).json
    assert exchange.fired[Fault.OPEN_CANDLE] == 1
    assert len(spoiled) == 11
    assert spoiled[-1][0] == reached[0][0] == ms(2025, 1, 3, 10, 7)
    assert spoiled[-1][6] >= NOW.timestamp() * 1000
    assert ask(exchange, CLOSED).json == spoiled[:-1]


def test_the_weight_header_may_be_missing(exchange: LocalExchange) -> None:
    exchange.inject(Fault.NO_WEIGHT_HEADER, path="")
    ask(exchange, "um/fapi/v1/fundingRate?symbol=BTCUSDT")
    assert exchange.fired[Fault.NO_WEIGHT_HEADER] == 0, "there was none to leave out"
    spoiled, control = ask(exchange, CLOSED), ask(exchange, CLOSED)
    assert exchange.fired[Fault.NO_WEIGHT_HEADER] == 1
    assert USED not in spoiled.headers
    assert control.headers[USED] == "10"
    assert spoiled.json == control.json


def test_a_fault_may_be_meant_for_one_market(exchange: LocalExchange) -> None:
    exchange.inject(Fault.ERROR_500, path="cm/dapi/v1/klines")
    assert ask(exchange, KLINES).status == 200
    assert ask(exchange, "cm/dapi/v1/markPriceKlines?symbol=BTCUSD_PERP&interval=1m").status == 200
    assert ask(exchange, "cm/dapi/v1/klines?symbol=BTCUSD_PERP&interval=1m").status == 500


def test_faults_of_one_path_go_out_in_the_order_of_injection(exchange: LocalExchange) -> None:
    for fault in (Fault.ERROR_500, Fault.GEO_451, Fault.ERROR_504):
        exchange.inject(fault)
    assert [ask(exchange, CLOSED).status for _ in range(4)] == [500, 451, 504, 200]


def test_what_is_limited_uses_up_no_fault(exchange: LocalExchange, clock: Clock) -> None:
    use_up(exchange)
    exchange.inject(Fault.ERROR_500)
    assert ask(exchange, DEAR).status == 429
    clock.now += 30
    assert ask(exchange, DEAR).status == 500
    assert json.dumps(exchange.fired) == '{"error_500": 1}'
