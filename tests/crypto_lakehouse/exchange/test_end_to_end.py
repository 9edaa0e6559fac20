"""Whole runs that ask Coinbase and Kraken: from the question to SQL."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from crypto_lakehouse.cli import main
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import UnknownSymbol
from crypto_lakehouse.settings import PREFIX, load_settings
from crypto_lakehouse.vocabulary import Interval
from tests.crypto_lakehouse.exchange.venue_lake import KLINES, TRADES, AskedLake, candle_lines, tick_lines, yesterday
from tests.fakes.exchange.server import LocalExchange

Asked = tuple[AskedLake, LocalExchange]
DAY = date(2025, 1, 2)


def microseconds(times: pl.Series) -> list[int]:
    return times.dt.epoch("us").to_list()


def test_coinbase_candles_are_those_of_the_market_digit_by_digit(asked_lake: Asked) -> None:
    lake, _ = asked_lake
    summary = lake.run("coinbase_spot_klines", "BTC-USD", (DAY, DAY), ["1m", "1h"])
    assert (summary.status, summary.figures.gate.partitions_available) == ("succeeded", 2)
    for interval in (Interval.M1, Interval.H1):
        rows, lines = lake.rows("coinbase_spot_klines", interval), candle_lines(DAY, interval)
        assert microseconds(rows["open_time"]) == [int(line[0]) for line in lines]
        for place, name in enumerate(("open", "high", "low", "close", "base_volume"), 1):
            assert rows[name].to_list() == [Decimal(line[place]) for line in lines]


@pytest.mark.parametrize(("name", "symbol"), TRADES)
def test_trades_are_those_of_the_market_with_the_side_told_alike(name: str, symbol: str, asked_lake: Asked) -> None:
    lake, exchange = asked_lake
    summary = lake.run(name, symbol, (DAY, DAY))
    assert (summary.status, summary.figures.gate.partitions_available) == ("succeeded", 1)
    rows, lines = lake.rows(name), tick_lines(DAY)
    assert rows["symbol"].unique().to_list() == [symbol]
    assert rows["trade_id"].to_list() == [int(line[0]) for line in lines]
    assert rows["price"].to_list() == [Decimal(line[1]) for line in lines]
    assert rows["base_quantity"].to_list() == [Decimal(line[2]) for line in lines]
    assert microseconds(rows["trade_time"]) == [int(line[4]) for line in lines]
    assert rows["is_buyer_maker"].to_list() == [line[5] == "True" for line in lines]
    asked = len(exchange.requests)
    assert lake.run(name, symbol, (DAY, DAY)).status == "nothing_to_do"
    assert len(exchange.requests) == asked


@pytest.mark.parametrize(("name", "symbol"), KLINES)
def test_candles_up_to_now_stop_before_the_open_one_and_a_later_run_goes_on(
    name: str, symbol: str, asked_lake: Asked
) -> None:
    lake, _ = asked_lake
    began = datetime.now(UTC)
    days = (yesterday(), yesterday())
    assert lake.run(name, symbol, days, ["1h"]).status == "succeeded"
    rows = lake.rows(name, "1h")
    opened = began.replace(minute=0, second=0, microsecond=0)
    assert rows["open_time"].max() in {opened - timedelta(hours=1), opened}
    assert rows["open_time"].max() + timedelta(hours=1) <= datetime.now(UTC)
    lines = [line for day in (yesterday(), began.date()) for line in candle_lines(day, Interval.H1)][: rows.height]
    assert rows["close"].to_list() == [Decimal(line[4]) for line in lines]
    assert lake.held(name)["end"].max() == rows["open_time"].max() + timedelta(hours=1)


def test_kraken_tells_of_its_newest_720_candles_and_the_rest_is_noted_as_out_of_reach(asked_lake: Asked) -> None:
    lake, exchange = asked_lake
    assert lake.run("kraken_spot_klines", "XBTUSD", (yesterday(), yesterday()), ["1m"]).status == "succeeded"
    rows, held = lake.rows("kraken_spot_klines", "1m"), lake.held("kraken_spot_klines")
    assert 700 < rows.height <= 719
    assert rows["open_time"].diff().drop_nulls().unique().to_list() == [timedelta(minutes=1)]
    assert rows["trade_count"].min() > 0
    assert held["end"].to_list()[:-1] == held["start"].to_list()[1:]
    assert held["end"][-2] == rows["open_time"].min()
    assert sum(one.path == "0/public/OHLC" for one in exchange.requests) == 1


@pytest.mark.parametrize(
    ("name", "intervals"),
    [("coinbase_spot_klines", ["1h"]), ("coinbase_spot_trades", []), ("kraken_spot_trades", [])],
)
def test_an_unknown_symbol_fails_by_name_in_every_run_and_leaves_nothing(
    name: str, intervals: list[str], asked_lake: Asked
) -> None:
    lake, _ = asked_lake
    for _ in range(2):
        (failure,) = lake.run(name, "NOUSD", (DAY, DAY), intervals).failures
        assert isinstance(failure.error, UnknownSymbol)
        assert "NOUSD" in str(failure.error)
    assert lake.held(name).is_empty()


def test_a_glob_needs_what_the_lake_holds(asked_lake: Asked) -> None:
    lake, _ = asked_lake
    refused = lake.run("coinbase_spot_klines", "BTC*", (DAY, DAY), ["1h"])
    assert "Name each symbol the first time, such as BTC-USD" in str(refused.failures[0].error)
    assert lake.run("coinbase_spot_klines", "BTC-USD", (DAY, DAY), ["1h"]).status == "succeeded"
    later = DAY + timedelta(days=1)
    assert lake.run("coinbase_spot_klines", "BTC*", (DAY, later), ["1h"]).status == "succeeded"
    assert lake.rows("coinbase_spot_klines").height == 48


def test_an_interval_that_the_venue_lacks_is_refused(asked_lake: Asked) -> None:
    lake, exchange = asked_lake
    refused = lake.run("coinbase_spot_klines", "BTC-USD", (DAY, DAY), ["4h"])
    assert "has no interval 4h" in str(refused.failures[0].error)
    assert not exchange.requests


def test_without_a_word_of_configuration_the_sample_symbol_is_held(asked_lake: Asked) -> None:
    lake, _ = asked_lake
    for name in ("coinbase_spot_klines", "kraken_spot_klines"):
        assert lake.settings.market_filter(dataset(name)).symbols == (dataset(name).sample_symbol,)


def test_the_command_line_chooses_by_exchange(
    asked_lake: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lake, exchange = asked_lake
    monkeypatch.setenv(f"{PREFIX}LAKE", lake.settings.lake)
    monkeypatch.setenv(f"{PREFIX}EXCHANGE__ENABLED", "true")
    monkeypatch.setenv(f"{PREFIX}EXCHANGE__COINBASE_URL", f"{exchange.url}/coinbase")
    monkeypatch.setenv(f"{PREFIX}EXCHANGE__LIMITS_FILE", str(lake.settings.exchange.limits_file))
    load_settings.cache_clear()
    days = ["--start-date", DAY.isoformat(), "--end-date", DAY.isoformat()]
    try:
        words = ["ingest", "klines", "--exchange", "coinbase", "--symbols", "BTC-USD", "--interval", "1h", *days]
        assert main([*words, "--json"]) == 0
        assert main(["ingest", "klines", "--exchange", "kraken", "--market", "um", *days]) != 0
    finally:
        load_settings.cache_clear()
    assert "not in market um" in capsys.readouterr().err
    assert lake.rows("coinbase_spot_klines").height == 24


def test_both_venues_can_be_asked_in_one_question(asked_lake: Asked) -> None:
    lake, _ = asked_lake
    for name, symbol in TRADES:
        assert lake.run(name, symbol, (DAY, DAY)).status == "succeeded"
    from crypto_lakehouse.query import Lake

    joined = Lake(lake.settings).sql(
        "SELECT count(*) AS n FROM coinbase_spot_trades JOIN kraken_spot_trades USING (trade_id, price, trade_time)"
    )
    assert joined["n"][0] == len(tick_lines(DAY))
