"""The exchange misbehaves in each of seventeen ways: nothing false becomes a row, nobody asks while told not to.

Over real HTTP on loopback, in virtual time. What the double does not do: it never closes a connection, never answers
slowly, and bans only for its own budget's sake.
"""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.endpoints.spec import RateLimit
from crypto_lakehouse.errors import (
    ExchangeRefused,
    InvalidRequest,
    LakehouseError,
    RateLimited,
    SourceUnavailable,
)
from crypto_lakehouse.exchange.client import ExchangeClient
from crypto_lakehouse.exchange.limiter import REFUSAL_SECONDS, RateLimiter
from crypto_lakehouse.exchange.missing import Series
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import RequestSpan
from crypto_lakehouse.runs.orders import DeltaOrder, write_order
from crypto_lakehouse.runs.results import read_result
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.spans import Span
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.vocabulary import Frequency, Interval, Market, Step
from tests.fakes.exchange import Fault, LocalExchange, SeenRequest
from tests.fakes.exchange.talking import ask
from tests.faults.asking import ask_the_time
from tests.rest_fixtures import OpenLake, open_lake
from tests.rest_lake import RestLake, VirtualTime, archive_inputs, exchange_settings, silver_frame, utc
from tests.waiting import STANDSTILL_SECONDS

__all__ = ["open_lake"]

NOW = utc(2025, 1, 3, 10, 7, 30)
UM = dataset("binance_um_klines")
SERIES = Series("BTCUSDT", "1m")
WANTED = (utc(2025, 1, 1), utc(2025, 1, 3))

STOPS = {
    Fault.RATE_LIMITED_WITH_RETRY_AFTER: 2.0,
    Fault.RATE_LIMITED_WITHOUT: 60.0,
    Fault.BANNED_418: 120.0,
    Fault.TOO_MANY_1003: 60.0,
}
"""For how long each asks everybody to wait, where it does not say: a window's length."""

REFUSALS = (Fault.WAF_403, Fault.GEO_451)
OUTAGES = (Fault.ERROR_500, Fault.ERROR_502, Fault.ERROR_504)
OUR_FAULTS = (Fault.BAD_INTERVAL_1120, Fault.BAD_PARAMETER_1130)
PAGES = (Fault.EMPTY_LIST, Fault.SHORT_PAGE, Fault.REPEATED_PAGE, Fault.OPEN_CANDLE, Fault.NO_WEIGHT_HEADER)
LASTING = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    """The rows as the archive has them, which an undisturbed run equals too."""
    folder = tmp_path_factory.mktemp("archive")
    days = (date(2025, 1, 1), date(2025, 1, 2))
    keys = [ArchiveKey(UM, Frequency.DAILY, "BTCUSDT", Interval.M1, day) for day in days]
    return silver_frame(UM, archive_inputs(keys, folder), folder)


def run(lake: RestLake) -> LakehouseError | None:
    """Asks for what is missing, as a run does; returns what went wrong."""
    try:
        lake.fetch_missing(UM, SERIES, WANTED)
    except LakehouseError as error:
        return error
    return None


def is_part_of(frame: pl.DataFrame, whole: pl.DataFrame) -> bool:
    return frame.is_empty() or frame.equals(whole.filter(pl.col("open_time").is_in(frame["open_time"].implode())))


def refused(requests: list[SeenRequest]) -> list[SeenRequest]:
    return [one for one in requests if one.status != 200]


def requests_within(requests: list[SeenRequest], seconds: float) -> int:
    """Returns how many requests came within so many seconds after one that was not answered with 200."""
    times = [(one.at, one.status) for one in requests]
    return sum(
        any(status != 200 and at < earlier + seconds for earlier, status in times[:number])
        for number, (at, _) in enumerate(times)
    )


class Deaf(RateLimiter):
    """The defence switched off: a limiter that does not hear when it is told to wait."""

    def stop(self, limit: RateLimit, seconds: float, reason: str, *, is_refusal: bool = False) -> None:
        """Does nothing."""


def deaf_client(lake: RestLake) -> ExchangeClient:
    heard = lake.limiter(UM.market)
    deaf = Deaf(heard.path, heard.address, heard.share, heard.max_wait_seconds, heard.clock, heard.sleep)
    return lake.client(UM.market, deaf)


def test_each_of_the_seventeen_faults_is_in_one_of_the_kinds() -> None:
    kinds = [*STOPS, *REFUSALS, *OUTAGES, *OUR_FAULTS, *PAGES, Fault.TOO_OLD_4166]
    assert sorted(kinds) == sorted(Fault)
    assert len(kinds) == 17


def test_without_a_fault_the_rows_are_the_archives(open_lake: OpenLake, undisturbed: pl.DataFrame) -> None:
    lake = open_lake(NOW)
    assert run(lake) is None
    assert_frame_equal(lake.silver(UM), undisturbed)
    assert undisturbed.height == 2880


@pytest.mark.parametrize("at_page", [0, 1, 3])
@pytest.mark.parametrize("fault", [one for one in Fault if one is not Fault.TOO_OLD_4166])
def test_after_any_fault_reruns_end_in_the_undisturbed_rows(
    open_lake: OpenLake, undisturbed: pl.DataFrame, fault: Fault, at_page: int
) -> None:
    lake = open_lake(NOW)
    first = (WANTED[0], WANTED[0] + timedelta(minutes=499 * at_page))
    if at_page:
        lake.fetch_missing(UM, SERIES, first)
    lake.exchange.inject(fault)
    error = run(lake)
    assert lake.exchange.fired == {fault: 1}
    assert is_part_of(lake.silver(UM), undisturbed)
    if error is None:
        assert fault not in (*REFUSALS, *OUR_FAULTS)
    else:
        assert fault in (*REFUSALS, *OUR_FAULTS)
        lake.time.now += REFUSAL_SECONDS
        assert run(lake) is None
    assert_frame_equal(lake.silver(UM), undisturbed)
    asked = len(lake.exchange.requests)
    assert lake.fetch_missing(UM, SERIES, WANTED) == []
    assert len(lake.exchange.requests) == asked


ERRORS = {
    **dict.fromkeys(STOPS, RateLimited),
    **dict.fromkeys(REFUSALS, ExchangeRefused),
    **dict.fromkeys(OUTAGES, SourceUnavailable),
    **dict.fromkeys(OUR_FAULTS, InvalidRequest),
    Fault.REPEATED_PAGE: SourceUnavailable,
}


@pytest.mark.parametrize("fault", ERRORS)
def test_a_fault_that_lasts_is_an_error_with_a_bounded_number_of_requests(
    open_lake: OpenLake, undisturbed: pl.DataFrame, fault: Fault
) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(fault, times=LASTING)
    error = run(lake)
    assert type(error) is ERRORS[fault]
    assert 1 <= lake.exchange.fired[fault] <= lake.settings.attempts
    assert is_part_of(lake.silver(UM), undisturbed)
    assert lake.missing(UM, SERIES, WANTED) != [], "an error is never a success: it is asked for again"


def test_an_empty_page_that_lasts_is_believed_and_the_archive_makes_up_for_it(
    open_lake: OpenLake, undisturbed: pl.DataFrame, tmp_path: Path
) -> None:
    # The known price of believing in silence: an exchange that answers so twice cannot be told from one without rows.
    lake = open_lake(NOW)
    lake.exchange.inject(Fault.EMPTY_LIST, times=2)
    assert run(lake) is None
    assert lake.exchange.fired == {Fault.EMPTY_LIST: 2}
    assert lake.silver(UM).is_empty()
    assert lake.missing(UM, SERIES, WANTED) == []
    keys = [ArchiveKey(UM, Frequency.DAILY, "BTCUSDT", Interval.M1, date(2025, 1, day)) for day in (1, 2)]
    assert_frame_equal(lake.silver(UM, [*lake.held(UM), *archive_inputs(keys, tmp_path)]), undisturbed)


@pytest.mark.parametrize("fault", STOPS)
def test_nobody_asks_before_the_time_the_exchange_set_is_up(open_lake: OpenLake, fault: Fault) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(fault, times=2)
    assert run(lake) is None
    assert lake.exchange.fired == {fault: 2}
    assert requests_within(lake.exchange.requests, STOPS[fault]) == 0
    assert lake.time.now >= NOW.timestamp() + 2 * STOPS[fault]


@pytest.mark.parametrize("fault", STOPS)
def test_a_limiter_that_does_not_listen_would_be_caught(open_lake: OpenLake, fault: Fault) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(fault, times=2)
    (wanted,) = lake.missing(UM, SERIES, WANTED)
    lake.fetch(UM, wanted, deaf_client(lake))
    assert lake.exchange.fired == {fault: 2}
    assert requests_within(lake.exchange.requests, STOPS[fault]) > 0


@pytest.mark.parametrize("fault", [*STOPS, *REFUSALS])
def test_a_stop_holds_for_another_process_too(open_lake: OpenLake, fault: Fault) -> None:
    lake = open_lake(NOW, attempts=1, max_wait_seconds=0)
    lake.exchange.inject(fault)
    assert isinstance(run(lake), LakehouseError)
    before = len(lake.exchange.requests)
    assert (lake.exchange.fired[fault], before) == (1, 1)
    outcomes = _asked_by_processes(lake, 2)
    assert outcomes == [ERRORS[fault].__name__] * 2
    assert len(lake.exchange.requests) == before
    lake.time.now += REFUSAL_SECONDS
    assert _asked_by_processes(lake, 1) == ["answered"]


def _asked_by_processes(lake: RestLake, count: int) -> list[str]:
    context = multiprocessing.get_context("forkserver")
    told = context.Queue()
    arguments = (lake.settings, Market.UM, lake.time.now, told)
    runs = [context.Process(target=ask_the_time, args=arguments) for _ in range(count)]
    for one in runs:
        one.start()
    outcomes = [told.get(timeout=STANDSTILL_SECONDS) for _ in runs]
    for one in runs:
        one.join(STANDSTILL_SECONDS)
    return outcomes


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_is_not_asked_again_for_an_hour(open_lake: OpenLake, fault: Fault) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(fault, times=LASTING)
    for _ in range(5):
        assert isinstance(run(lake), ExchangeRefused)
        lake.time.now += REFUSAL_SECONDS / 5 - 1
    assert (lake.exchange.fired[fault], len(lake.exchange.requests)) == (1, 1)
    lake.time.now += 60
    run(lake)
    assert lake.exchange.fired[fault] == 2


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_limiter_that_forgets_refusals_would_be_caught(open_lake: OpenLake, fault: Fault) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(fault, times=LASTING)
    (wanted,) = lake.missing(UM, SERIES, WANTED)
    for _ in range(3):
        with pytest.raises(ExchangeRefused):
            lake.fetch(UM, wanted, deaf_client(lake))
    assert requests_within(lake.exchange.requests, REFUSAL_SECONDS) == 2


@pytest.mark.parametrize("market", [Market.SPOT, Market.CM])
def test_a_refusal_of_one_host_leaves_the_others_alone(open_lake: OpenLake, market: Market) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(Fault.GEO_451)
    assert isinstance(run(lake), ExchangeRefused)
    assert lake.client(market).server_time() == NOW


def test_an_outage_is_asked_again_after_pauses_that_grow(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    lake.exchange.inject(Fault.ERROR_504, times=3)
    assert run(lake) is None
    assert lake.exchange.fired[Fault.ERROR_504] == 3
    assert len(lake.time.slept) == 3
    assert 0 < sum(lake.time.slept) < 60


def test_days_out_of_reach_leave_evidence_and_keep_what_came_before(
    open_lake: OpenLake, undisturbed: pl.DataFrame
) -> None:
    lake = open_lake(NOW)
    lake.fetch_missing(UM, SERIES, (WANTED[0], utc(2025, 1, 2)))
    lake.exchange.inject(Fault.TOO_OLD_4166)
    (part,) = lake.fetch_missing(UM, SERIES, WANTED)
    assert lake.exchange.fired == {Fault.TOO_OLD_4166: 1}
    assert [(one.status, "-4166" in one.body) for one in part.answers] == [(400, True)]
    frame = lake.silver(UM)
    assert (frame.height, is_part_of(frame, undisturbed)) == (1440, True)


@pytest.mark.parametrize("is_deaf", [False, True])
def test_when_others_use_up_the_budget_nobody_is_banned_for_our_sake(open_lake: OpenLake, is_deaf: bool) -> None:
    lake = open_lake(NOW, attempts=10)
    for _ in range(240):
        assert ask(lake.exchange, "um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1500").status == 200
    before = len(lake.exchange.requests)
    client = deaf_client(lake) if is_deaf else lake.client(UM.market)
    (wanted,) = lake.missing(UM, SERIES, WANTED)
    for _ in range(1 + is_deaf):
        with suppressed(is_deaf):
            lake.fetch(UM, wanted, client)
    ours = lake.exchange.requests[before:]
    assert len(refused(ours)) >= 1, "the budget was used up"
    if is_deaf:
        assert lake.exchange.requests_while_banned > 0
        return
    assert lake.exchange.requests_while_banned == 0
    assert len(refused(ours)) == 1
    assert requests_within(ours, 30.0) == 0
    assert lake.silver(UM).height == 2880


@contextmanager
def suppressed(is_deaf: bool) -> Iterator[None]:
    """Lets the errors pass of whom the exchange banned."""
    try:
        yield
    except RateLimited:
        assert is_deaf


@pytest.mark.parametrize("fault", [None, Fault.NO_WEIGHT_HEADER])
def test_in_no_minute_is_more_used_than_our_share(
    open_lake: OpenLake, undisturbed: pl.DataFrame, fault: Fault | None
) -> None:
    lake = open_lake(NOW, budget_share=0.0025)
    if fault:
        lake.exchange.inject(fault, times=LASTING)
    assert run(lake) is None
    assert (fault is None) or lake.exchange.fired[fault] > 5
    minutes = {int(one.at // 60) for one in lake.exchange.requests}
    used = [sum(one.weight for one in lake.exchange.requests if one.at // 60 == minute) for minute in minutes]
    assert max(used) == 6
    assert len(minutes) == 2
    assert_frame_equal(lake.silver(UM), undisturbed)


def test_the_header_tells_what_others_behind_the_address_use(open_lake: OpenLake) -> None:
    lake = open_lake(NOW)
    for _ in range(119):
        ask(lake.exchange, "um/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=1500")
    before = len(lake.exchange.requests)
    assert run(lake) is None
    ours = lake.exchange.requests[before:]
    # 1,190 of 2,400 were used; our share is 1,200: after one answer it is known that four more fit, of 2 each.
    assert sum(one.at < NOW.timestamp() + 30 for one in ours) == 5
    assert refused(ours) == []


def months_of_windows(count: int) -> tuple[RequestSpan, ...]:
    starts = [utc(2022 + number // 12, 1 + number % 12, 1) for number in range(count)]
    return tuple(RequestSpan("BTCUSDT", "1d", Span(one, one + timedelta(days=20))) for one in starts)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.GEO_451, ExchangeRefused),
        (Fault.WAF_403, ExchangeRefused),
        (Fault.BANNED_418, RateLimited),
        (Fault.BAD_PARAMETER_1130, InvalidRequest),
    ],
)
def test_one_window_that_may_not_be_asked_stops_those_that_wait(
    tmp_path: Path, fault: Fault, error: type[LakehouseError]
) -> None:
    with LocalExchange(clock=VirtualTime(NOW.timestamp())) as exchange:
        settings = Settings(
            lake=str(tmp_path / "lake"),
            exchange=exchange_settings(exchange.url, tmp_path, attempts=1, max_wait_seconds=0, workers=4),
        )
        storage, key = LocalStorage(tmp_path / "lake"), "runs/binance_um_klines/one/delta-000.json"
        write_order(storage, key, DeltaOrder(UM.name, "one", "", months_of_windows(24)))
        exchange.inject(fault)
        with pytest.raises(error):
            run_step(Step.DELTA, key, settings)
        assert exchange.fired == {fault: 1}
        # Those under way in the three other threads may still be answered; none of the twenty that wait is asked.
        assert sum(one.path.endswith("klines") for one in exchange.requests) <= 8
        result = read_result(storage, key, Step.DELTA)
        assert (result.status, result.error.name) == ("failed", error.__name__)
        held = BronzeLog(storage).latest(UM.name).height
        answered = sum(one.path.endswith("klines") and one.status == 200 for one in exchange.requests)
        assert held == answered, "what was answered is kept"


def test_an_outage_of_one_window_does_not_stop_the_others_and_the_step_fails(tmp_path: Path) -> None:
    with LocalExchange(clock=VirtualTime(NOW.timestamp())) as exchange:
        settings = Settings(
            lake=str(tmp_path / "lake"), exchange=exchange_settings(exchange.url, tmp_path, attempts=1, workers=4)
        )
        storage, key = LocalStorage(tmp_path / "lake"), "runs/binance_um_klines/one/delta-000.json"
        write_order(storage, key, DeltaOrder(UM.name, "one", "", months_of_windows(24)))
        exchange.inject(Fault.ERROR_502)
        with pytest.raises(SourceUnavailable):
            run_step(Step.DELTA, key, settings)
        assert exchange.fired == {Fault.ERROR_502: 1}
        assert BronzeLog(storage).latest(UM.name).height == 23
