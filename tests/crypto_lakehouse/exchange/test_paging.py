"""Pages over an in-memory exchange: every row of the stretch, each once, whatever the pages look like."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.endpoints.spec import Paging, RateLimit, RestEndpoint, RestShape, RestSource
from crypto_lakehouse.errors import SchemaDrift, SourceUnavailable
from crypto_lakehouse.exchange.bodies import Answer
from crypto_lakehouse.exchange.client import Page
from crypto_lakehouse.exchange.page_reader import FetchPage, PageReader, RowRequest, rows_of
from crypto_lakehouse.exchange.paging import pages
from crypto_lakehouse.spans import Span

START = datetime(2025, 1, 1, tzinfo=UTC)
START_MS = int(START.timestamp()) * 1000
MINUTE_MS = 60_000
# The others go on by a cursor; see tests/crypto_lakehouse/exchange/test_cursors.py.
BY_QUESTION = (Paging.TIME, Paging.SPAN, Paging.ID)
LIMIT = RateLimit("test", 1000, 60)

Rows = list[dict[str, int]]
Spoil = Callable[[Rows], Rows]


@dataclass
class InMemory:
    """Rows of times and identifiers, served as Binance serves them; `spoils` change the pages of these numbers."""

    rows: Rows
    newest: bool = False
    spoils: dict[int, Spoil] = field(default_factory=dict)
    asked: list[Mapping[str, str | int]] = field(default_factory=list)
    fired: int = 0

    def __call__(self, endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Page:
        limit = int(params["limit"])
        assert limit == endpoint.page_rows
        found = self._found(endpoint, params)
        rows = found[-limit:] if self.newest else found[:limit]
        spoil = self.spoils.get(len(self.asked))
        if spoil is not None:
            rows, self.fired = spoil(rows), self.fired + 1
        self.asked.append(params)
        return Page(Answer(START, endpoint.path, params, 200, None, ""), [self._spelled(endpoint, one) for one in rows])

    def _found(self, endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Rows:
        if "fromId" in params:
            return [one for one in self.rows if one["a"] >= int(params["fromId"])]
        start, end = int(params["startTime"]), int(params["endTime"])
        assert endpoint.paging is not Paging.ID or end - start < 3_600_000
        return [one for one in self.rows if start <= one["T"] <= end]

    @staticmethod
    def _spelled(endpoint: RestEndpoint, row: dict[str, int]) -> Any:
        return [row["T"], row["a"]] if endpoint.time == 0 else dict(row)


def minutes(numbers: list[int]) -> Rows:
    return [{"T": START_MS + one * MINUTE_MS, "a": one} for one in numbers]


def source(paging: Paging, page_rows: int, locator: RestEndpoint | None = None) -> RestSource:
    time = "T" if paging is not Paging.TIME else 0
    endpoint = RestEndpoint("rows", "public", LIMIT, 1, page_rows, paging, time, "a" if paging is Paging.ID else "")
    return RestSource((endpoint,), RestShape.OBJECTS, locator=locator)


def request(first: int, past: int, step: int = MINUTE_MS * 1000) -> RowRequest:
    """Returns the stretch between two minutes."""
    return RowRequest("BTCUSDT", Span(START + timedelta(minutes=first), START + timedelta(minutes=past)), step)


def told(ask: InMemory, origin: RestSource, wanted: RowRequest) -> list[int]:
    """Returns the numbers of all rows in the pages, within the stretch, in their order."""
    found = []
    for page in pages(origin, origin.endpoints[0], wanted, ask):
        for row in page.content:
            time, number = (row["T"], row["a"]) if isinstance(row, dict) else row
            if wanted.span.start.timestamp() * 1000 <= time < wanted.span.end.timestamp() * 1000:
                found.append(number)
    return found


some_minutes = st.lists(st.integers(0, 200), unique=True, max_size=120).map(sorted)
bounds = st.tuples(st.integers(0, 200), st.integers(0, 200)).filter(lambda pair: pair[0] < pair[1])


@given(some_minutes, bounds, st.integers(1, 50), st.booleans())
def test_by_time_every_row_between_the_ends_comes_once(
    numbers: list[int], span: tuple[int, int], page_rows: int, has_grid: bool
) -> None:
    wanted = request(*span, step=MINUTE_MS * 1000 if has_grid else 0)
    rows = told(InMemory(minutes(numbers)), source(Paging.TIME, page_rows), wanted)
    assert rows == [one for one in numbers if span[0] <= one < span[1]]


@given(some_minutes, bounds, st.integers(1, 50), st.booleans())
def test_by_span_every_row_comes_once_whichever_end_an_answer_is_cut_at(
    numbers: list[int], span: tuple[int, int], page_rows: int, newest: bool
) -> None:
    rows = told(InMemory(minutes(numbers), newest), source(Paging.SPAN, page_rows), request(*span))
    assert rows == [one for one in numbers if span[0] <= one < span[1]]


@given(st.lists(st.integers(0, 400_000_0), max_size=150).map(sorted), bounds, st.integers(1, 20))
def test_by_identifier_every_trade_comes_once_though_many_share_a_millisecond(
    times: list[int], span: tuple[int, int], page_rows: int
) -> None:
    # A grid of a minute makes many of them equal, and puts some exactly on the ends.
    rows = [{"T": START_MS + time // MINUTE_MS * MINUTE_MS * 3, "a": number} for number, time in enumerate(times, 7)]
    found = told(InMemory(rows), source(Paging.ID, page_rows), request(*span, step=0))
    first, past = (START_MS + minute * MINUTE_MS for minute in span)
    assert found == [one["a"] for one in rows if first <= one["T"] < past]


def test_trades_of_one_millisecond_go_on_across_the_border_of_pages() -> None:
    rows = [{"T": START_MS + 5, "a": number} for number in range(10)]
    assert told(InMemory(rows), source(Paging.ID, 4), request(0, 1, 0)) == list(range(10))


def test_rows_exactly_at_the_ends_are_in_at_the_start_and_out_at_the_end() -> None:
    ask = InMemory(minutes([9, 10, 19, 20]))
    assert told(ask, source(Paging.TIME, 5), request(10, 20)) == [10, 19]
    assert (ask.asked[0]["startTime"], ask.asked[0]["endTime"]) == (
        START_MS + 10 * MINUTE_MS,
        START_MS + 20 * MINUTE_MS - 1,
    )


def test_times_in_microseconds_are_taken_as_such() -> None:
    ask = InMemory(minutes(list(range(10))))

    def in_microseconds(endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Page:
        page = ask(endpoint, params)
        return Page(page.answer, [[row[0] * 1000, row[1]] for row in page.content])

    origin = source(Paging.TIME, 3)
    found = [
        row[1] for page in pages(origin, origin.endpoints[0], request(0, 10), in_microseconds) for row in page.content
    ]
    assert found == list(range(10))


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_an_empty_page_is_asked_for_twice_before_it_is_believed(paging: Paging) -> None:
    ask = InMemory([])
    assert told(ask, source(paging, 100), request(0, 50)) == []
    assert len(ask.asked) == 2
    assert ask.asked[0] == ask.asked[1]


@pytest.mark.parametrize("paging", BY_QUESTION)
@pytest.mark.parametrize("at", [0, 1])
def test_a_page_that_is_empty_once_costs_no_row(paging: Paging, at: int) -> None:
    ask = InMemory(minutes(list(range(50))), spoils={at: lambda _rows: []})
    assert told(ask, source(paging, 20), request(0, 50)) == list(range(50))
    assert ask.fired == 1


@pytest.mark.parametrize("paging", BY_QUESTION)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_short_page_costs_no_row(paging: Paging, at: int) -> None:
    ask = InMemory(minutes(list(range(60))), spoils={at: lambda rows: rows[: len(rows) // 2]})
    assert told(ask, source(paging, 20), request(0, 60)) == list(range(60))
    assert ask.fired == 1


def test_a_hole_is_believed_after_it_was_seen_twice_and_the_fuller_answer_counts() -> None:
    numbers = [one for one in range(60) if one != 30]
    ask = InMemory(minutes(numbers), spoils={2: lambda rows: rows[:3]})
    assert told(ask, source(Paging.SPAN, 20), request(0, 60)) == numbers
    assert (ask.fired, len(ask.asked)) == (1, 4)


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_a_page_that_comes_again_is_asked_for_again(paging: Paging) -> None:
    earlier = minutes(list(range(20)))
    ask = InMemory(minutes(list(range(60))), spoils={1: lambda _rows: earlier})
    assert told(ask, source(paging, 20), request(0, 60)) == list(range(60))
    assert ask.fired == 1


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_a_page_that_keeps_coming_is_an_error_and_no_row(paging: Paging) -> None:
    earlier = minutes(list(range(20)))
    ask = InMemory(minutes(list(range(60))), spoils={1: lambda _rows: earlier, 2: lambda _rows: earlier})
    with pytest.raises(SourceUnavailable, match="repeats"):
        told(ask, source(paging, 20), request(0, 60))
    assert ask.fired == 2


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_a_page_of_another_stretch_that_lies_later_is_no_end_of_the_rows(paging: Paging) -> None:
    later = minutes(list(range(100, 120)))
    ask = InMemory(minutes(list(range(120))), spoils={0: lambda _rows: later})
    assert told(ask, source(paging, 20), request(0, 60)) == list(range(60))
    lasting = InMemory(minutes(list(range(120))), spoils=dict.fromkeys((0, 1), lambda _rows: later))
    with pytest.raises(SourceUnavailable):
        told(lasting, source(paging, 20), request(0, 60))
    assert (ask.fired, lasting.fired) == (1, 2)


@pytest.mark.parametrize("paging", [Paging.TIME, Paging.ID])
def test_a_later_page_of_the_same_stretch_leaves_no_hole(paging: Paging) -> None:
    later = minutes(list(range(40, 60)))
    ask = InMemory(minutes(list(range(60))), spoils={1: lambda _rows: later})
    assert told(ask, source(paging, 20), request(0, 60)) == list(range(60))
    assert ask.fired == 1


@pytest.mark.parametrize("paging", [Paging.TIME, Paging.ID])
def test_a_hole_between_pages_is_asked_for_again_and_then_believed(paging: Paging) -> None:
    numbers = [*range(20), *range(30, 60)]
    ask = InMemory(minutes(numbers))
    assert told(ask, source(paging, 20), request(0, 60)) == numbers
    firsts = [one.get("fromId", one.get("startTime")) for one in ask.asked]
    assert len(firsts) - len(set(firsts)) == 1 + (paging is Paging.ID)


@pytest.mark.parametrize("lasting", [False, True])
def test_an_open_candle_behind_a_page_does_not_end_the_pages(lasting: bool) -> None:
    spoils: dict[int, Spoil] = {
        number: lambda rows: [*rows, *minutes([199])] for number in ((0, 1, 2, 3, 4) if lasting else (0,))
    }
    ask = InMemory(minutes(list(range(60))), spoils=spoils)
    assert told(ask, source(Paging.TIME, 20), request(0, 60)) == list(range(60))
    assert ask.fired >= 1


@pytest.mark.parametrize("paging", [Paging.TIME, Paging.SPAN])
def test_rows_out_of_order_or_twice_are_an_error(paging: Paging) -> None:
    for spoil in (lambda rows: rows[::-1], lambda rows: [rows[0], *rows]):
        ask = InMemory(minutes(list(range(40))), spoils=dict.fromkeys(range(4), spoil))
        with pytest.raises(SourceUnavailable, match="order"):
            told(ask, source(paging, 20), request(0, 40))
        assert ask.fired == 2


def test_trades_are_found_by_the_first_one_of_the_aggregate_at_the_start() -> None:
    locator = RestEndpoint("aggs", "public", LIMIT, 1, 3, Paging.ID, "T", "a")
    trades = [{"T": START_MS + one * 1000, "a": one} for one in range(0, 9000, 7)]
    aggregates = [{**one, "f": one["a"], "a": one["a"] + 50_000} for one in trades]
    asked: list[str] = []

    def ask(endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Page:
        asked.append(endpoint.path)
        return InMemory(aggregates if endpoint.path == "aggs" else trades)(endpoint, params)

    origin = source(Paging.ID, 50, locator)
    found = [row["a"] for page in pages(origin, origin.endpoints[0], request(60, 100, 0), ask) for row in page.content]
    inside = [one["a"] for one in trades if 3600 <= one["a"] < 6000]
    assert [one for one in found if 3600 <= one < 6000] == inside
    assert found[0] == inside[0]
    assert asked.count("aggs") == 1


@pytest.mark.parametrize("row", [{"a": 1}, {"T": None, "a": 1}, {"T": "x", "a": 1}, 5, None, []])
def test_a_row_without_a_time_is_drift_and_no_crash(row: object) -> None:
    origin = source(Paging.SPAN, 5)
    answer = Answer(START, "rows", {}, 200, None, "")
    with pytest.raises(SchemaDrift):
        list(pages(origin, origin.endpoints[0], request(0, 5), lambda *_: Page(answer, [row])))


@pytest.mark.parametrize("content", [{}, {"rows": []}])
def test_what_is_no_list_is_drift(content: object) -> None:
    origin = source(Paging.TIME, 5)
    answer = Answer(START, "rows", {}, 200, None, "{}")
    with pytest.raises(SchemaDrift, match="no list"):
        list(pages(origin, origin.endpoints[0], request(0, 5), lambda *_: Page(answer, content)))


def oddly(ask: FetchPage, *odd: int, times: int = 1000) -> FetchPage:
    """Returns the same exchange, in which rows of these numbers have nothing readable, so many times."""
    left = [times]

    def fetch(endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Page:
        page = ask(endpoint, params)
        for place, row in enumerate(page.content):
            number = row["a"] if isinstance(row, dict) else row[1]
            if number in odd and left[0]:
                left[0] -= 1
                page.content[place] = {"odd": number}
        return page

    return fetch


def numbers_in(fetch: FetchPage, origin: RestSource, wanted: RowRequest) -> tuple[list[int], int]:
    """Returns the numbers of the rows of all pages, and how many odd ones there were."""
    rows = [row for page in pages(origin, origin.endpoints[0], wanted, fetch) for row in page.content]
    good = [row for row in rows if not (isinstance(row, dict) and "odd" in row)]
    return [row["a"] if isinstance(row, dict) else row[1] for row in good], len(rows) - len(good)


@pytest.mark.parametrize("paging", BY_QUESTION)
@pytest.mark.parametrize("odd", [0, 1, 19, 20, 21, 39, 58, 59])
def test_an_odd_row_costs_itself_wherever_it_is_on_its_page(paging: Paging, odd: int) -> None:
    ask = oddly(InMemory(minutes(list(range(60)))), odd)
    found, odd_rows = numbers_in(ask, source(paging, 20), request(0, 60))
    assert found == [number for number in range(60) if number != odd]
    assert odd_rows >= 1, "it is kept as received"


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_a_row_that_is_odd_once_costs_nothing(paging: Paging) -> None:
    found, odd_rows = numbers_in(
        oddly(InMemory(minutes(list(range(60)))), 30, times=1), source(paging, 20), request(0, 60)
    )
    assert (found, odd_rows) == (list(range(60)), 0)


@pytest.mark.parametrize("paging", BY_QUESTION)
def test_a_page_of_mostly_odd_rows_is_refused(paging: Paging) -> None:
    ask = oddly(InMemory(minutes(list(range(60)))), *range(20, 31))
    with pytest.raises(SchemaDrift, match="11 of 20 rows of rows have no time or identifier"):
        numbers_in(ask, source(paging, 20), request(0, 60))


@pytest.mark.parametrize("odd", [0, 1, 718, 719])
def test_of_the_newest_rows_an_odd_one_costs_itself_and_hides_no_missing_past(odd: int) -> None:
    origin = source(Paging.NEWEST, 720)
    rows: list[Any] = [{"odd": number} if number == odd else row for number, row in enumerate(minutes([*range(720)]))]
    page = Page(Answer(START, "rows", {}, 200, None, ""), rows)
    assert [one.content for one in pages(origin, origin.endpoints[0], request(5, 718), lambda *_: page)] == [rows]
    with pytest.raises(SourceUnavailable, match="no longer has"):
        # The page is as full as it can be: what was before its first row is unknown.
        list(pages(origin, origin.endpoints[0], request(-5, 718), lambda *_: page))


@pytest.mark.parametrize("odd", [3599, 3600, 3601])
def test_an_odd_first_aggregate_locates_no_later_trade(odd: int) -> None:
    trades = [{"T": START_MS + number * 1000, "a": number} for number in range(6000)]
    locator = RestEndpoint("aggs", "public", LIMIT, 1, 1000, Paging.ID, "T", "a")
    origin = source(Paging.ID, 50, locator)

    def fetch(endpoint: RestEndpoint, params: Mapping[str, str | int]) -> Page:
        page = InMemory(trades)(endpoint, params)
        if endpoint is locator:
            rows = [{"odd": one["a"]} if one["a"] == odd else {**one, "f": one["a"]} for one in page.content]
            return Page(page.answer, rows)
        return page

    if odd == 3600:
        with pytest.raises(SchemaDrift, match="no first trade"):
            numbers_in(fetch, origin, request(60, 100, 0))
    else:
        found, _ = numbers_in(fetch, origin, request(60, 100, 0))
        assert [number for number in found if 3600 <= number < 6000] == list(range(3600, 6000))


def test_control_without_the_rule_one_odd_row_fails_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PageReader, "rows", lambda reader, page: rows_of(page, reader.endpoint))
    ask = oddly(InMemory(minutes(list(range(60)))), 30)
    with pytest.raises(SchemaDrift, match="has no time"):
        numbers_in(ask, source(Paging.TIME, 20), request(0, 60))
