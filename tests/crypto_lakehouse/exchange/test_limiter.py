"""One budget for all processes: held, by the exchange's own count, across windows, stops and clocks that differ."""

import multiprocessing
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.endpoints.spec import RateLimit
from crypto_lakehouse.errors import ExchangeRefused, RateLimited
from crypto_lakehouse.exchange.limiter import REFUSAL_SECONDS, RateLimiter
from tests.crypto_lakehouse.exchange.taking import (
    SHARE,
    WEIGHT,
    FastTime,
    ask_often,
    stop_all,
    take_unguarded,
    take_until_full,
)
from tests.fakes.exchange import LocalExchange
from tests.rest_lake import VirtualTime, exchange_settings
from tests.waiting import STANDSTILL_SECONDS

LIMIT = RateLimit("weight", 100, 60, "x-used")
OTHER = RateLimit("other", 10, 300)
SHARED = RateLimit("shared weight", 100, 60, "x-used", shared="both")
PROCESSES = multiprocessing.get_context("forkserver")
NOON = 1_735_905_600.0
"""2025-01-03T12:00:00Z, the start of a window of any length used here."""


def limiter(
    folder: Path, time: VirtualTime, share: float = 0.5, max_wait: float = 150.0, name: str = "a"
) -> RateLimiter:
    return RateLimiter(folder / "limits.sqlite", name, share, max_wait, time, time.sleep)


@pytest.fixture
def time() -> VirtualTime:
    return VirtualTime(NOON + 10)


def test_within_the_share_nobody_waits_and_then_until_the_next_window(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    for _ in range(10):
        one.acquire(LIMIT, 5)
    assert time.slept == []
    one.acquire(LIMIT, 5)
    assert time.now == pytest.approx(NOON + 60, abs=0.1)
    assert time.now > NOON + 60


def test_the_last_instant_of_a_window_and_the_first_of_the_next_are_two(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    time.now = NOON + 59.999
    one.acquire(LIMIT, 50)
    time.now = NOON + 60.0
    one.acquire(LIMIT, 50)
    assert time.slept == []
    one.acquire(LIMIT, 1)
    assert len(time.slept) == 1


def test_a_page_dearer_than_the_share_has_a_window_of_its_own(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time, share=0.01)
    one.acquire(LIMIT, 20)
    assert time.slept == []
    one.acquire(LIMIT, 20)
    assert time.now > NOON + 60


def test_budgets_of_other_names_and_addresses_are_their_own(tmp_path: Path, time: VirtualTime) -> None:
    limiter(tmp_path, time).acquire(LIMIT, 50)
    limiter(tmp_path, time, name="b").acquire(LIMIT, 50)
    limiter(tmp_path, time).acquire(OTHER, 5)
    assert time.slept == []


def test_what_the_exchange_says_is_used_counts_where_it_is_more(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    one.acquire(LIMIT, 5)
    one.note_used(LIMIT, 3)
    one.acquire(LIMIT, 45)
    assert time.slept == []
    time.now = NOON + 70
    one.note_used(LIMIT, 48)
    one.acquire(LIMIT, 5)
    assert time.now > NOON + 120, "others behind the same address have used it up"


@given(
    st.lists(
        st.tuples(st.integers(1, 40), st.floats(0, 30), st.booleans()),
        min_size=1,
        max_size=40,
    )
)
def test_no_window_ever_has_more_than_the_share(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, float, bool]]
) -> None:
    time = VirtualTime(NOON)
    folder = tmp_path_factory.mktemp("limits")
    takers = [limiter(folder, time), limiter(folder, time)]
    spent: Counter[int] = Counter()
    for weight, pause, who in steps:
        takers[who].acquire(LIMIT, weight)
        spent[int(time.now // 60)] += weight
        time.now += pause
    assert max(spent.values()) <= 50


def test_a_clock_that_lags_does_not_wipe_out_what_the_others_used(tmp_path: Path) -> None:
    right, lagging = VirtualTime(NOON + 61), VirtualTime(NOON + 59)
    first, second = limiter(tmp_path, right), limiter(tmp_path, lagging)
    first.acquire(LIMIT, 50)
    second.acquire(LIMIT, 1)
    first.acquire(LIMIT, 1)
    assert right.now > NOON + 120


def test_windows_that_are_over_are_forgotten(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    for _ in range(30):
        one.acquire(LIMIT, 50)
    with sqlite3.connect(one.path) as connection:
        assert connection.execute("SELECT count(*) FROM used").fetchone()[0] <= 3
    connection.close()


def test_a_stop_by_one_stops_all_until_its_time_is_up(tmp_path: Path, time: VirtualTime) -> None:
    limiter(tmp_path, time).stop(LIMIT, 120, "429")
    other = limiter(tmp_path, time)
    other.acquire(LIMIT, 1)
    assert time.slept == [120.0]
    other.acquire(LIMIT, 1)
    assert len(time.slept) == 1


def test_a_stop_of_another_address_stops_nobody_here(tmp_path: Path, time: VirtualTime) -> None:
    limiter(tmp_path, time, name="b").stop(LIMIT, 120, "429")
    limiter(tmp_path, time).acquire(LIMIT, 1)
    assert time.slept == []


def test_addresses_that_share_a_limit_share_its_budget_and_its_stops(tmp_path: Path, time: VirtualTime) -> None:
    one, other = (limiter(tmp_path, time, name=name) for name in ("um", "cm"))
    one.acquire(SHARED, 30)
    other.acquire(SHARED, 20)
    assert time.slept == []
    one.acquire(SHARED, 1)
    assert time.now > NOON + 60, "the other address has used the rest of the window"
    one.acquire(OTHER, 5)
    other.acquire(OTHER, 5)
    slept = len(time.slept)
    other.stop(SHARED, 120, "429")
    one.acquire(SHARED, 1)
    assert len(time.slept) == slept + 1
    one.acquire(OTHER, 0)
    other.stop(OTHER, 120, "429 of a limit of its own")
    one.acquire(SHARED, 1)
    assert len(time.slept) == slept + 1, "a limit that is not shared stops its own address alone"


def test_what_one_address_hears_is_used_counts_for_all_that_share_it(tmp_path: Path, time: VirtualTime) -> None:
    one, other = (limiter(tmp_path, time, name=name) for name in ("um", "cm"))
    one.acquire(SHARED, 1)
    one.note_used(SHARED, 50)
    other.acquire(SHARED, 1)
    assert time.now > NOON + 60


def test_the_advice_where_the_address_is_refused_never_costs_others_their_budget(
    tmp_path: Path, time: VirtualTime
) -> None:
    one = limiter(tmp_path, time)
    one.stop(LIMIT, REFUSAL_SECONDS, "451", is_refusal=True)
    with pytest.raises(ExchangeRefused) as refused:
        one.acquire(LIMIT, 1)
    assert "location" in refused.value.advice
    assert "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED=false" in refused.value.advice
    assert "limits.sqlite" not in str(refused.value)
    assert "delete" not in str(refused.value).lower()


def test_a_shorter_stop_does_not_end_a_longer_one(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    one.stop(LIMIT, 100, "418")
    one.stop(LIMIT, 2, "429")
    one.acquire(LIMIT, 1)
    assert time.slept == [100.0]


def test_a_stop_longer_than_we_wait_is_an_error_and_uses_nothing(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time, max_wait=60)
    one.stop(LIMIT, 61, "banned")
    with pytest.raises(RateLimited, match=r"banned; 61 s"):
        one.acquire(LIMIT, 50)
    time.now += 61
    one.acquire(LIMIT, 50)
    assert time.slept == []


def test_a_refusal_of_the_address_is_an_error_for_all_for_an_hour(tmp_path: Path, time: VirtualTime) -> None:
    limiter(tmp_path, time).stop(LIMIT, REFUSAL_SECONDS, "451 legal", is_refusal=True)
    for _ in range(3):
        with pytest.raises(ExchangeRefused, match="451 legal"):
            limiter(tmp_path, time).acquire(LIMIT, 1)
    assert time.slept == []
    time.now += REFUSAL_SECONDS
    limiter(tmp_path, time).acquire(LIMIT, 1)


def test_a_stop_set_while_one_waits_for_a_window_is_waited_out_too(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time)
    one.acquire(LIMIT, 50)

    def sleep(seconds: float) -> None:
        if not time.slept:
            limiter(tmp_path, time).stop(LIMIT, 100, "418")
        time.sleep(seconds)

    one.sleep = sleep
    one.acquire(LIMIT, 1)
    assert time.now >= NOON + 110


def _processes(target: Callable[..., None], arguments: tuple[Any, ...], count: int) -> None:
    runs = [PROCESSES.Process(target=target, args=arguments) for _ in range(count)]
    for one in runs:
        one.start()
    for one in runs:
        one.join(STANDSTILL_SECONDS)
    assert [one.exitcode for one in runs] == [0] * count


def _taken_by_four(target: Callable[..., None], folder: Path) -> list[int]:
    start, taken = PROCESSES.Barrier(4), PROCESSES.Queue()
    _processes(target, (folder / "limits.sqlite", start, taken), 4)
    return [taken.get(timeout=STANDSTILL_SECONDS) for _ in range(4)]


def test_four_processes_at_once_take_exactly_the_share(tmp_path: Path) -> None:
    counts = _taken_by_four(take_until_full, tmp_path)
    assert sum(counts) * WEIGHT == SHARE
    assert len([one for one in counts if one]) > 1, "they ran at the same time"


def test_without_one_transaction_for_both_the_share_would_be_broken(tmp_path: Path) -> None:
    assert sum(_taken_by_four(take_unguarded, tmp_path)) * WEIGHT > SHARE


def test_a_stop_by_another_process_is_seen_at_once(tmp_path: Path, time: VirtualTime) -> None:
    one = limiter(tmp_path, time, max_wait=0)
    one.acquire(LIMIT, 1)
    _processes(stop_all, (one.path, time.now), 1)
    with pytest.raises(RateLimited, match="418 of another process"):
        one.acquire(LIMIT, 1)


# A request that is reserved at the end of a window may arrive in the next: at this speed that is a second and a half.
@pytest.mark.parametrize(("share", "speed"), [(0.005, 40.0), (1.0, 1.0)])
def test_by_the_exchanges_own_count_three_processes_keep_to_the_share(
    tmp_path: Path, share: float, speed: float
) -> None:
    clock = FastTime(NOON, speed)
    with LocalExchange(clock=clock) as exchange:
        settings = exchange_settings(exchange.url, tmp_path, budget_share=share)
        _processes(ask_often, (settings, clock, 10), 3)
        used = Counter(int(one.at // 60) for one in exchange.requests)
    assert used.total() == 30
    assert (max(used.values()) <= 12) == (share < 1), "without a bound they use more"
