"""What people type is checked before anything is asked of the archive or the lake."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.cli.arguments import gathered, split_values
from crypto_lakehouse.cli.options import GivenOptions, checked_day, checked_symbols, chosen_dataset, plan_request
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.vocabulary import Exchange, Market

TODAY = date(2026, 1, 31)


@pytest.mark.parametrize(
    "words",
    [
        ["--symbols", "BTCUSDT", "ETHUSDT"],
        ["--symbols", "BTCUSDT,ETHUSDT"],
        ["--symbols", "BTCUSDT", "--symbols", "ETHUSDT"],
        ["--symbols", "BTCUSDT ETHUSDT"],
        ["--symbols=BTCUSDT,ETHUSDT"],
    ],
)
def test_several_symbols_may_be_given_in_every_usual_way(words: list[str]) -> None:
    joined = gathered(["ingest", "klines", *words, "--market", "um"])
    values = [
        word.removeprefix("--symbols=")
        for before, word in zip(["", *joined], joined, strict=False)
        if before == "--symbols" or word.startswith("--symbols=")
    ]
    assert split_values(values) == ["BTCUSDT", "ETHUSDT"]
    assert joined[-2:] == ["--market", "um"]


@given(st.lists(st.text("abc-", min_size=1)))
def test_other_arguments_pass_untouched(words: list[str]) -> None:
    assert gathered(words) == words


@pytest.mark.parametrize(
    ("name", "market", "dataset"),
    [
        ("klines", Market.SPOT, "binance_spot_klines"),
        ("agg-trades", Market.UM, "binance_um_agg_trades"),
        ("aggTrades", Market.CM, "binance_cm_agg_trades"),
        ("funding-rates", Market.UM, "binance_um_funding_rate"),
        ("funding_rate", Market.CM, "binance_cm_funding_rate"),
        ("bvol-index", None, "binance_option_bvol_index"),
        ("binance_um_metrics", None, "binance_um_metrics"),
        ("trades", Market.SPOT, "binance_spot_trades"),
        ("coinbase_spot_trades", None, "coinbase_spot_trades"),
    ],
)
def test_a_data_type_and_a_market_choose_a_dataset(name: str, market: Market | None, dataset: str) -> None:
    assert chosen_dataset(name, market).name == dataset


@pytest.mark.parametrize(
    ("name", "market", "said"),
    [
        ("klines", None, "in several markets"),
        ("klines", Market.OPTION, "not in market option"),
        ("candles", Market.UM, "no data type"),
        ("", None, "no data type"),
    ],
)
def test_a_choice_that_is_none_is_refused(name: str, market: Market | None, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        chosen_dataset(name, market)


@pytest.mark.parametrize(
    ("name", "market", "exchange", "dataset"),
    [
        ("klines", None, Exchange.COINBASE, "coinbase_spot_klines"),
        ("trades", Market.SPOT, Exchange.KRAKEN, "kraken_spot_trades"),
        ("klines", Market.UM, Exchange.BINANCE, "binance_um_klines"),
    ],
)
def test_an_exchange_chooses_among_datasets_of_one_type(
    name: str, market: Market | None, exchange: Exchange, dataset: str
) -> None:
    assert chosen_dataset(name, market, exchange).name == dataset
    assert plan_request(GivenOptions(name, market, ["A"], exchange=exchange), "r", "2024-01-01").dataset == dataset


@pytest.mark.parametrize(
    ("name", "market", "exchange", "said"),
    [
        ("klines", Market.UM, Exchange.COINBASE, "not in market um"),
        ("metrics", None, Exchange.KRAKEN, "kraken has no metrics"),
        ("klines", None, Exchange.BINANCE, "in several markets"),
    ],
)
def test_what_an_exchange_does_not_have_is_refused(
    name: str, market: Market | None, exchange: Exchange, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said):
        chosen_dataset(name, market, exchange)


@pytest.mark.parametrize("text", ["2017-01-01", "2024-02-29", "2026-01-31", "2026-02-01"])
def test_a_day_from_2017_to_tomorrow_is_taken(text: str) -> None:
    assert checked_day("--start-date", text, TODAY).isoformat() == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2024-13-01",
        "2023-02-29",
        "20240101",
        "2024-W01-1",
        "2024-1-1",
        "2024-01-01T00:00",
        " 2024-01-01",
        "2024-01-01\n",
        "٢٠٢٤-٠١-٠١",
        "9999-12-31",
        "2016-12-31",
        "2026-02-02",
        "-2024-01-01",
    ],
)
def test_what_is_no_day_of_the_archive_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(InvalidRequest, match="--start-date"):
        checked_day("--start-date", text, TODAY)


@pytest.mark.parametrize("text", ["../x", "BTC;USDT", "$(x)", "a" * 5000, "BTC%2FUSDT", "BTC\x00", "BTC[A]", "B.C"])
def test_a_poisoned_symbol_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="symbol"):
        checked_symbols([text])


def test_ten_thousand_symbols_are_refused_with_the_advice_to_use_a_glob() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        checked_symbols([f"S{number}" for number in range(10_000)])
    assert "glob" in refusal.value.advice


def test_a_symbol_given_twice_counts_once() -> None:
    assert checked_symbols(["BTCUSDT,BTCUSDT", "BTCUSDT"]) == ("BTCUSDT",)


def test_an_ask_becomes_a_request() -> None:
    ask = GivenOptions("klines", Market.UM, ["BTC*"], ["1h,1m"], "2024-12-01", "2025-01-31", "bad-network")
    request = plan_request(ask, "r", "2020-01-01")
    assert (request.dataset, request.symbols, request.intervals) == ("binance_um_klines", ("BTC*",), ("1h", "1m"))
    assert (request.first_day, request.last_day, request.profile) == ("2024-12-01", "2025-01-31", "bad-network")


def test_without_days_a_request_goes_from_the_configured_start_to_yesterday() -> None:
    request = plan_request(GivenOptions("metrics", Market.UM), "r", "2024-01-01")
    assert request.first_day == "2024-01-01"
    assert request.last_day == (datetime.now(UTC).date() - timedelta(days=1)).isoformat()


@pytest.mark.parametrize(
    "ask",
    [
        GivenOptions("klines", Market.UM, start="2025-01-02", end="2025-01-01"),
        GivenOptions("klines", Market.UM, intervals=["7m"]),
        GivenOptions("klines", Market.UM, intervals=["1s"]),
        GivenOptions("metrics", Market.UM, intervals=["1m"]),
    ],
)
def test_an_ask_that_contradicts_itself_or_the_table_is_refused(ask: GivenOptions) -> None:
    with pytest.raises(InvalidRequest):
        plan_request(ask, "r", "2024-01-01")
