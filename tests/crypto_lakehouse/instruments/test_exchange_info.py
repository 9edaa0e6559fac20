"""exchangeInfo bodies: what is absent is tolerated, what is of another type is drift."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from crypto_lakehouse import telemetry
from crypto_lakehouse.errors import InvalidRequest, SchemaDrift
from crypto_lakehouse.instruments.exchange_info import (
    ABSENT,
    UNREADABLE,
    InstrumentInfo,
    changes,
    parse_exchange_info,
    server_time,
)
from crypto_lakehouse.vocabulary import Market
from tests.crypto_lakehouse.instruments.bodies import at, body, cm_symbol, millis, spot_symbol, um_symbol

SEEN = at("2026-01-02")


def test_a_spot_body_gives_assets_steps_and_status() -> None:
    infos = parse_exchange_info(body(spot_symbol("ETHBTC", "ETH", "BTC")), Market.SPOT, SEEN)
    assert infos == [
        InstrumentInfo(
            Market.SPOT, "ETHBTC", SEEN, "TRADING", "ETH", "BTC",
            tick_size=Decimal("0.000001"), lot_size=Decimal("0.001"), min_notional=Decimal(5),
        )
    ]  # fmt: skip


@pytest.mark.parametrize("others", [{"permissions": ["LEVERAGED"]}, {"permissionSets": [["SPOT", "LEVERAGED"]]}])
def test_a_permission_tells_a_leveraged_token(others: dict[str, object]) -> None:
    text = body(spot_symbol("BTCUPUSDT", "BTCUP", "USDT", **others), spot_symbol("JUPUSDT", "JUP", "USDT"))
    assert [one.is_leveraged_token for one in parse_exchange_info(text, Market.SPOT, SEEN)] == [True, False]


def test_a_usd_m_body_gives_onboard_date_and_no_delivery_for_a_perpetual() -> None:
    delivery = um_symbol("ETHUSDT_260925", "ETH", "2026-03-27", deliveryDate=millis("2026-09-25T08:00"))
    perpetual, quarter = sorted(
        parse_exchange_info(body(delivery, um_symbol("BTCUSDT", "BTC", "2019-09-25")), Market.UM, SEEN),
        key=lambda one: one.symbol,
    )
    assert (perpetual.onboard_at, perpetual.delivery_at) == (at("2019-09-25"), None)
    assert (perpetual.min_notional, perpetual.tick_size) == (Decimal(100), Decimal("0.1"))
    assert quarter.delivery_at == at("2026-09-25T08:00")


def test_a_coin_m_body_gives_the_contract_size_and_its_own_status_field() -> None:
    (info,) = parse_exchange_info(body(cm_symbol("BTCUSD_PERP", "BTC", 100)), Market.CM, SEEN)
    assert (info.contract_size, info.status, info.contract_type) == (Decimal(100), "TRADING", "PERPETUAL")
    assert info.tick_size is None


def test_a_symbol_with_nothing_but_its_name_is_enough() -> None:
    text = '{"symbols": [{"symbol": "币安人生USDT", "filters": [{"filterType": "PRICE_FILTER"}]}]}'
    assert parse_exchange_info(text, Market.UM, SEEN) == [InstrumentInfo(Market.UM, "币安人生USDT", SEEN)]
    assert server_time(text, Market.UM) is None


def test_the_exchanges_clock_is_read_from_a_body() -> None:
    assert server_time(body(), Market.SPOT) == SEEN


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        "[" * 100_000,
        "[]",
        "{}",
        '{"symbols": {}}',
        '{"symbols": [1]}',
        '{"symbols": [{}]}',
        '{"symbols": [{"symbol": 7}]}',
        '{"symbols": [{"symbol": "../X"}]}',
        '{"symbols": [{"symbol": "A"}, {"symbol": "A"}]}',
        '{"symbols": [{"symbol": "A", "status": 1}]}',
        '{"symbols": [{"symbol": "A", "onboardDate": "2020"}]}',
        '{"symbols": [{"symbol": "A", "onboardDate": 1e12}]}',
        '{"symbols": [{"symbol": "A", "onboardDate": 99999999999999999}]}',
        '{"symbols": [{"symbol": "A", "onboardDate": true}]}',
        '{"symbols": [{"symbol": "A", "contractSize": "much"}]}',
        '{"symbols": [{"symbol": "A", "contractSize": true}]}',
        '{"symbols": [{"symbol": "A", "contractSize": NaN}]}',
        '{"symbols": [{"symbol": "A", "contractSize": "-1"}]}',
        '{"symbols": [{"symbol": "A", "contractSize": "1e-19"}]}',
        '{"symbols": [{"symbol": "A", "contractSize": "1e20"}]}',
        '{"symbols": [{"symbol": "A", "contractSize": "Infinity"}]}',
        '{"symbols": [{"symbol": "A", "filters": {}}]}',
        '{"symbols": [{"symbol": "A", "permissions": "SPOT"}]}',
        '{"symbols": [{"symbol": "A", "permissions": [1]}]}',
    ],
)
def test_a_body_of_another_shape_is_drift(text: str) -> None:
    with pytest.raises(SchemaDrift):
        parse_exchange_info(text, Market.UM, SEEN)


def test_options_and_times_without_a_zone_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        parse_exchange_info(body(), Market.OPTION, SEEN)
    with pytest.raises(InvalidRequest):
        parse_exchange_info(body(), Market.UM, SEEN.replace(tzinfo=None))


def test_only_what_is_new_changed_or_gone_is_a_change() -> None:
    old, later = SEEN, datetime(2026, 2, 1, tzinfo=UTC)
    same, changed, gone, absent = (InstrumentInfo(Market.UM, name, old, "TRADING") for name in "ABCD")
    known = {one.symbol: one for one in (same, changed, gone, replace(absent, status=ABSENT))}
    snapshot = [
        replace(same, seen_at=later),
        replace(changed, seen_at=later, status="SETTLING"),
        InstrumentInfo(Market.UM, "E", later, "PENDING_TRADING"),
    ]
    found = changes(known, snapshot, later)
    assert [(one.symbol, one.status) for one in found] == [
        ("B", "SETTLING"), ("E", "PENDING_TRADING"), ("C", ABSENT),
    ]  # fmt: skip
    assert json.dumps([one.symbol for one in changes({}, snapshot, later)]) == '["A", "B", "E"]'


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ('{"symbol": "B", "status": 1}', "B"),
        ('{"symbol": "B", "onboardDate": 1e30}', "B"),
        ('{"symbol": "../X"}', ""),
        ("7", ""),
    ],
)
def test_an_odd_entry_costs_itself_and_nothing_that_is_known_of_it(
    entry: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f'{{"symbols": [{{"symbol": "A", "status": "TRADING"}}, {entry}, {{"symbol": "C", "status": "TRADING"}}]}}'
    with telemetry.switched_on():
        infos = parse_exchange_info(text, Market.UM, SEEN)
    assert [(info.symbol, info.status) for info in infos if info.status != UNREADABLE] == [
        ("A", "TRADING"), ("C", "TRADING"),
    ]  # fmt: skip
    assert [info.symbol for info in infos if info.status == UNREADABLE] == [name]
    assert '"symbols": 1' in capsys.readouterr().err
    known = {symbol: InstrumentInfo(Market.UM, symbol, SEEN, "TRADING") for symbol in "AB"}
    assert [(info.symbol, info.status) for info in changes(known, infos, SEEN)] == [("C", "TRADING")]
    # Control: a symbol that is not there at all is gone.
    gone = changes(known, [info for info in infos if info.status != UNREADABLE], SEEN)
    assert ("B", ABSENT) in [(info.symbol, info.status) for info in gone]
