"""The table of endpoints, against what the exchange and the double of it say."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.endpoints.binance import FUTURES_WEIGHT, SPOT_WEIGHT
from crypto_lakehouse.endpoints.spec import Paging, RateLimit, RestShape
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Exchange, Interval, Market
from tests.rest_fixtures import OpenLake, open_lake
from tests.rest_lake import utc

__all__ = ["open_lake"]

STREAM = Path(__file__).parents[4] / "shared" / "real" / "stream"
WITH_REST = [row for row in DATASETS if row.rest is not None and row.exchange is Exchange.BINANCE]
"""The other venues have budgets without weights; `tests/crypto_lakehouse/exchange` holds them to theirs."""


@pytest.mark.parametrize(
    ("name", "limit"),
    [("BINANCE", SPOT_WEIGHT), ("BINANCE_FUTURES", FUTURES_WEIGHT), ("BINANCE_DELIVERY", FUTURES_WEIGHT)],
)
def test_the_recorded_exchange_allowed_the_weight_of_the_table(name: str, limit: RateLimit) -> None:
    path = STREAM / f"{name}.jsonl.zst"
    if not path.is_file():
        pytest.skip("../shared/real is not here: recorded sessions come with the workplace, not with the project")
    with pa.CompressedInputStream(pa.BufferReader(path.read_bytes()), "zstd") as stream:
        records = [json.loads(line) for line in stream.read().decode().splitlines()]
    (info,) = (json.loads(one["data"]) for one in records if one.get("url", "").endswith("exchangeInfo"))
    (told,) = (one for one in info["rateLimits"] if one["rateLimitType"] == "REQUEST_WEIGHT")
    assert (told["interval"], told["intervalNum"], limit.window_seconds) == ("MINUTE", 1, 60)
    # Spot's was 1,200 when this was recorded, and has been raised to 6,000 since.
    assert told["limit"] == (1200 if limit is SPOT_WEIGHT else limit.amount)


@pytest.mark.parametrize("row", WITH_REST, ids=lambda row: row.name)
def test_a_page_of_each_endpoint_is_taken_and_costs_what_the_table_says(row: Dataset, open_lake: OpenLake) -> None:
    assert row.rest is not None
    lake = open_lake(utc(2025, 1, 3, 10))
    client = lake.client(row.market)
    symbol = row.sample_symbol.partition("_")[0] if row.rest.symbol_parameter == "pair" else row.sample_symbol
    interval = {"interval": Interval.M1.value} if row.has_interval else {}
    for endpoint in (*row.rest.endpoints, *((row.rest.locator,) if row.rest.locator else ())):
        asked = {row.rest.symbol_parameter: symbol, **dict(row.rest.parameters), **interval}
        page = client.request(endpoint, {**asked, "limit": endpoint.page_rows})
        seen = lake.exchange.requests[-1]
        assert seen.status == 200
        assert seen.weight == (endpoint.weight if endpoint.limit.header else 0)
        assert page.answer.weight_used is None or endpoint.limit.header
        rows = page.content
        assert 0 < len(rows) <= endpoint.page_rows
        assert len(rows) == endpoint.page_rows or row.rest.shape in {RestShape.FUNDING, RestShape.METRICS}
        assert endpoint.paging is not Paging.ID or endpoint.identifier in rows[0]


def test_weights_and_reach_are_as_documented_in_october_2026() -> None:
    by_name = {row.name: row for row in WITH_REST}

    def ticks(name: str) -> tuple[int, int, float | None, bool]:
        rest = by_name[name].rest
        assert rest is not None
        endpoint = rest.endpoints[0]
        return endpoint.weight, endpoint.page_rows, rest.reach_days, rest.needs_key

    assert ticks("binance_spot_agg_trades") == (4, 1000, None, False)
    assert ticks("binance_spot_trades") == (25, 1000, None, False)
    for market in ("um", "cm"):
        assert ticks(f"binance_{market}_agg_trades") == (20, 1000, 2.0, False)
        assert ticks(f"binance_{market}_trades") == (200, 500, 2.0, True)


def test_both_futures_markets_draw_on_one_budget() -> None:
    limits = {
        row.market: endpoint.limit
        for row in WITH_REST
        if row.rest is not None and row.market is not Market.SPOT
        for endpoint in row.rest.endpoints
        if endpoint.limit.header
    }
    assert limits[Market.UM] == limits[Market.CM] == FUTURES_WEIGHT
    assert (FUTURES_WEIGHT.amount, FUTURES_WEIGHT.window_seconds, bool(FUTURES_WEIGHT.shared)) == (2400, 60, True)
    assert not SPOT_WEIGHT.shared
