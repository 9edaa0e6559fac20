"""The row types of REST sources: endpoints, budgets and the order of pages. Standard library only."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from crypto_lakehouse.vocabulary import Stamp


class Paging(StrEnum):
    """How the pages of an endpoint follow each other."""

    TIME = "time"
    """Oldest first from the start of the request; the next page starts after the last row."""
    SPAN = "span"
    """As `TIME`, but a page requests no more time than fits into it: the order of a longer answer is not known."""
    ID = "id"
    """By time for the first row, then by identifier from the last row on."""
    BELOW_ID = "below_id"
    """The newest rows below an identifier; the identifier at the start of the request is found by binary search."""
    AFTER_TIME = "after_time"
    """Oldest first after an instant given to the nanosecond; the next page starts just before the last row."""
    NEWEST = "newest"
    """One page of the newest rows, for every request."""


class RestShape(StrEnum):
    """The form of the rows of an answer, which decides how they become lines of the archive's layout."""

    ARRAYS = "arrays"
    """A list per kline, its fields in the order of the layout, its close time among them."""
    CANDLES = "candles"
    """As `ARRAYS` without a close time: a kline ends an interval after it opened."""
    OBJECTS = "objects"
    """A row with an identifier; `RestSource.fields` has its members in the order of the layout."""
    FUNDING = "funding"
    """Objects of payments; the hours since the payment before are computed, for no answer has them."""
    METRICS = "metrics"
    """Objects of several endpoints, joined by their stamp."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests an exchange takes from one address.

    Args:
        name: Name of the budget; endpoints with the same name share it.
        amount: Weight, or requests, in a window.
        window_seconds: The window's length; windows start at multiples of it, UTC.
        header: The answer's header with what is used, in lower case; empty where there is none.
        shared: Name of the addresses that are counted together; empty where each address is counted for itself.
    """

    name: str
    amount: int
    window_seconds: int
    header: str = ""
    shared: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """How a request is spelled: the names of its parameters.

    Args:
        start: First instant, inclusive.
        end: Last instant, inclusive.
        stamp: How both are written.
        cursor: The cursor of the next page.
        limit: The number of rows; empty where it cannot be chosen.
        interval: The kline interval.
        interval_seconds: The unit of the interval; 0 where its name is sent.
    """

    start: str = "startTime"
    end: str = "endTime"
    stamp: Stamp = Stamp.EPOCH
    cursor: str = "fromId"
    limit: str = "limit"
    interval: str = "interval"
    interval_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Flag:
    """A member of a row that is a boolean, in the exchange's own words."""

    member: str | int
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class RestEndpoint:
    """One endpoint of an exchange's REST API.

    Args:
        path: Its last part, as in ccxt and the exchange's documentation: `klines`, `products/{id}/candles`.
        section: ccxt's name of its section of the API: `public`, `fapiPublic`, `fapiData`.
        limit: The budget that it uses.
        weight: What a page costs.
        page_rows: Rows requested in a page: the number at which a row costs least.
        paging: How its pages follow each other.
        time: Member or place of a row's time.
        identifier: Member or place of a row's identifier, where pages follow each other by it.
        stamp: How a row's time is written.
        rows_at: Member of the answer that holds the rows, or an object whose only list they are.
        newest_first: Whether an answer begins with its newest row.
        query: How a request is spelled.
    """

    path: str
    section: str
    limit: RateLimit
    weight: int
    page_rows: int
    paging: Paging
    time: str | int
    identifier: str | int = ""
    stamp: Stamp = Stamp.EPOCH
    rows_at: str = ""
    newest_first: bool = False
    query: Query = Query()

    @property
    def has_identifier(self) -> bool:
        """Whether rows have an identifier, so that several may be of one instant."""
        return self.identifier != ""


@dataclass(frozen=True, slots=True)
class RestSource:
    """Where a dataset's rows come from while the archive does not have them.

    Args:
        endpoints: The endpoints; the first decides which rows there are.
        shape: The form of its rows.
        fields: Members or places of a row in the order of the layout, where the shape is `OBJECTS`.
        flag: The field that is a boolean, in the exchange's own words.
        symbol_parameter: `symbol`, `pair` or `id`; with `by_pair`, a contract's pair is sent instead of its symbol.
        parameters: Further parameters of every request.
        step_seconds: Distance of rows, where it is no kline interval.
        reach_days: How many days back the endpoint has rows; None for all of them.
        reach_rows: How many of the newest klines it has, the open kline included; None for all of them.
        before_seconds: How much earlier a request starts than the rows wanted, for values that depend on earlier rows.
        after_seconds: How much later a request ends.
        locator: Gives, by time, the identifier at which `endpoints` start, where they take no time.
        needs_key: Whether a request needs an API key.
        microseconds_from: The first day whose times are requested in microseconds, as the archive has them.
    """

    endpoints: tuple[RestEndpoint, ...]
    shape: RestShape
    fields: tuple[str | int, ...] = ()
    symbol_parameter: str = "symbol"
    parameters: tuple[tuple[str, str], ...] = ()
    step_seconds: int = 0
    reach_days: float | None = None
    before_seconds: int = 0
    after_seconds: int = 0
    locator: RestEndpoint | None = None
    needs_key: bool = False
    microseconds_from: date | None = None
    reach_rows: int | None = None
    flag: Flag | None = None
    by_pair: bool = False
