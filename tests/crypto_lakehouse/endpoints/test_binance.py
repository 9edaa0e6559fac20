"""The table of endpoints, against what the exchange and the double of it say."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.endpoints.binance import CM_WEIGHT, SPOT_WEIGHT, UM_WEIGHT
from crypto_lakehouse.endpoints.spec import Paging, RateLimit, RestShape
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Exchange, Interval
from tests.rest_fixtures import OpenLake, open_lake
from tests.rest_lake import utc

__all__ = ["open_lake"]

STREAM = Path(__file__).parents[4] / "shared" / "real" / "stream"
WITH_REST = [row for row in DATASETS if row.rest is not None and row.exchange is Exchange.BINANCE]
"""The other venues have budgets without weights; `tests/crypto_lakehouse/exchange` holds them to theirs."""


@pytest.mark.parametrize(
    ("name", "limit"), [("BINANCE", SPOT_WEIGHT), ("BINANCE_FUTURES", UM_WEIGHT), ("BINANCE_DELIVERY", CM_WEIGHT)]
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
