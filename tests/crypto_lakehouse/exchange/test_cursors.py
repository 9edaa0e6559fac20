"""Pages by cursor over an endpoint in memory: every row of the stretch, whatever its instants, holes and edges are."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.endpoints.spec import RestEndpoint
from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.exchange.bodies import Answer
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.page_reader import RowRequest, is_readable, rows_of
from crypto_lakehouse.exchange.paging import pages
from crypto_lakehouse.exchange.venue import Params
from crypto_lakehouse.instants import instant
from crypto_lakehouse.spans import Span
from tests.rest_lake import utc

START, END = utc(2025, 1, 2), utc(2025, 1, 2, 1)
ORIGIN = 1_735_776_000_000_000
HOUR = 3_600_000_000
Trade = tuple[int, int]
"""Identifier and instant in microseconds."""


@dataclass
class Endpoint:
    """Answers as Coinbase or Kraken would, `page_rows` at a time, from trades in order."""

    trades: Sequence[Trade]
    page_rows: int
    asked: list[Params] = field(default_factory=list)

    def coinbase(self, endpoint: RestEndpoint, params: Params) -> Page:
        self.asked.append(params)
        below = int(params.get("after", 1 << 60))
        rows = [one for one in self.trades if one[0] < below][-self.page_rows :]
        told = [{"trade_id": number, "time": instant(time).isoformat()} for number, time in reversed(rows)]
        return Page(Answer(END, endpoint.path, params, 200, None, "[]"), told)

    def kraken(self, endpoint: RestEndpoint, params: Params) -> Page:
        self.asked.append(params)
        rows = [one for one in self.trades if one[1] * 1000 > int(params["since"])][: self.page_rows]
        told = [["1", "1", f"{time // 10**6}.{time % 10**6:06d}7", "b", "l", "", number] for number, time in rows]
        return Page(
            Answer(END, endpoint.path, params, 200, None, "{}"), {"error": [], "result": {"X": told, "last": "0"}}
        )


def taken(name: str, one: Endpoint) -> list[int]:
    """Returns the identifiers that the pages hold of the stretch."""
    return taken_with_odd(name, one)[0]


def taken_with_odd(name: str, one: Endpoint) -> tuple[list[int], list[object]]:
    """Returns the identifiers that the pages hold of the stretch, and the rows that cannot be read."""
    row = dataset(name)
    assert row.rest is not None
    known = row.rest.endpoints[0]
    endpoint = RestEndpoint(
        *(known.path, known.section, known.limit, 1, one.page_rows, known.paging, known.time, known.identifier),
        stamp=known.stamp,
        rows_at=known.rows_at,
        newest_first=known.newest_first,
        query=known.query,
    )
    ask = one.coinbase if name.startswith("coinbase") else one.kraken
    found: list[int] = []
    odd: list[object] = []
    for page in pages(row.rest, endpoint, RowRequest("A", Span(START, END), 0), ask):
        for told in rows_of(page, endpoint):
            if is_readable(told, row.rest, endpoint, 0):
                found.append(int(told[endpoint.identifier]))
            else:
                odd.append(told)
    return found, odd


def wanted(trades: Sequence[Trade]) -> list[int]:
    return [number for number, time in trades if ORIGIN <= time < ORIGIN + HOUR]


@st.composite
def histories(draw: st.DrawFn, holes: bool = True) -> list[Trade]:
    """Draws trades around the stretch: holes in their identifiers, several of one instant."""
    number, time = draw(st.integers(1, 5000)), ORIGIN + draw(st.integers(-HOUR, HOUR))
    trades = []
    for _ in range(draw(st.integers(0, 60))):
        trades.append((number, time))
        number += draw(st.sampled_from([1, 1, 1, 2, 3])) if holes else 1
        time += draw(st.sampled_from([0, 1, 999, 1_000_000, 400_000_000]))
    return trades


@given(histories(), st.integers(4, 20))
def test_pages_below_an_identifier_hold_every_row_of_the_stretch_in_order(trades: list[Trade], size: int) -> None:
    found = taken("coinbase_spot_trades", Endpoint(trades, size))
    assert set(wanted(trades)) <= set(found)
    assert list(dict.fromkeys(found)) == sorted(set(found))


@given(histories(), st.integers(4, 20))
def test_pages_after_an_instant_hold_every_row_of_the_stretch(trades: list[Trade], size: int) -> None:
    times = [time for _, time in trades]
    one = Endpoint(trades, size)
    if max((times.count(time) for time in times), default=0) >= size:
        return
    found = taken("kraken_spot_trades", one)
    assert set(wanted(trades)) <= set(found)
    assert list(dict.fromkeys(found)) == sorted(set(found))


def test_more_rows_of_one_instant_than_fit_a_page_are_an_error_and_no_loss() -> None:
    trades = [(number, ORIGIN) for number in range(1, 9)] + [(9, ORIGIN + 1)]
    with pytest.raises(SourceUnavailable, match="has no page after"):
        taken("kraken_spot_trades", Endpoint(trades, 4))


def test_a_hole_as_long_as_a_page_is_not_believed() -> None:
    trades = [(number, ORIGIN + number) for number in (1, 2, 3, 4, 5, 6, 7, 8, 90, 91)]
    with pytest.raises(SourceUnavailable, match="but newer ones"):
        taken("coinbase_spot_trades", Endpoint(trades, 4))


def test_no_trade_since_long_before_is_told_by_the_newest_page_alone() -> None:
    one = Endpoint([(number, ORIGIN - 10 * HOUR) for number in range(1, 100)], 10)
    assert wanted(one.trades) == []
    assert taken("coinbase_spot_trades", one) == list(range(90, 100))
    assert len(one.asked) == 2


@dataclass
class Oddly(Endpoint):
    """The same, in which the trade of one identifier has no readable time, or no readable identifier."""

    odd: int = 0
    has_identifier: bool = False

    def coinbase(self, endpoint: RestEndpoint, params: Params) -> Page:
        return self._with_odd(super().coinbase(endpoint, params), endpoint)

    def kraken(self, endpoint: RestEndpoint, params: Params) -> Page:
        return self._with_odd(super().kraken(endpoint, params), endpoint)

    def _with_odd(self, page: Page, endpoint: RestEndpoint) -> Page:
        for row in rows_of(page, endpoint):
            if row[endpoint.identifier] == self.odd:
                row[endpoint.time if self.has_identifier else endpoint.identifier] = "?"
        return page


@pytest.mark.parametrize("has_identifier", [True, False])
@pytest.mark.parametrize("name", ["coinbase_spot_trades", "kraken_spot_trades"])
@pytest.mark.parametrize("start", [0, 7, 20, 34])
def test_an_odd_trade_costs_itself_wherever_it_is(name: str, start: int, has_identifier: bool) -> None:
    # The very first trade of a history may be alone on a page, which is then refused.
    for odd in range(2, 41):
        # The request starts with the trade after `start`; others are older.
        trades = [(number, ORIGIN + (number - start - 1) * 1_000_000) for number in range(1, 41)]
        one = Oddly(trades, 6, odd=odd, has_identifier=has_identifier)
        found, odd_rows = taken_with_odd(name, one)
        assert set(wanted(trades)) - {odd} <= set(found), odd
        assert list(dict.fromkeys(found)) == sorted(set(found)), odd
        assert odd <= start or odd_rows, "it is kept as received"
