"""From plan to publish: what the archive lacks is asked of the exchange, once, and both meet in one partition."""

import multiprocessing
import os
import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import UnknownSymbol
from crypto_lakehouse.exit_codes import EXIT_USAGE, exit_code
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.records import Reconciliation
from crypto_lakehouse.running import run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest
from crypto_lakehouse.steps.delta import COMMIT_OBJECTS
from crypto_lakehouse.vocabulary import Source, Step
from tests.crypto_lakehouse.steps.delta_runs import NAME, Deployment, carry_out, starts, unreachable
from tests.fakes.bucket import FakeBucket, serving
from tests.fakes.exchange import LocalExchange
from tests.rest_lake import utc
from tests.waiting import STANDSTILL_SECONDS, wait_until

FIRST, SECOND, THIRD = (date(2025, 1, day) for day in (1, 2, 3))


def whole(tmp_path: Path, *days: date) -> pl.DataFrame:
    """Returns what a lake publishes that had all days from the archive."""
    with serving(FakeBucket()) as bucket, LocalExchange() as exchange:
        other = Deployment(bucket, exchange, tmp_path / "whole")
        other.publish(*days)
        assert other.run(other.request(days[0], days[-1], delta=False)).status == "succeeded"
        return other.rows()


def test_a_day_missing_in_the_archive_is_filled_and_nothing_else_is_asked(
    deployment: Deployment, tmp_path: Path
) -> None:
    deployment.publish(FIRST, THIRD)
    summary = deployment.run(deployment.request(FIRST, THIRD))
    assert (summary.status, summary.failures) == ("succeeded", [])
    assert summary.figures.plan.spans_to_request == 1
    assert summary.figures.plan.objects_to_pull == 2
    asked = starts(deployment.asked())
    assert min(asked) == utc(2025, 1, 2)
    assert max(asked) < utc(2025, 1, 3)
    assert summary.figures.delta.requests == len(asked) == 3
    assert_frame_equal(deployment.rows(), whole(tmp_path, FIRST, SECOND, THIRD))
    assert deployment.conditions() == ["available"]


def test_a_second_run_has_nothing_to_do_and_asks_nothing(deployment: Deployment) -> None:
    deployment.publish(FIRST)
    deployment.run(deployment.request(FIRST, SECOND))
    before = len(deployment.exchange.requests)
    assert before > 0
    again = deployment.run(deployment.request(FIRST, SECOND))
    assert (again.status, len(deployment.exchange.requests)) == ("nothing_to_do", before)


def test_a_longer_request_asks_only_for_what_is_new(deployment: Deployment) -> None:
    deployment.run(deployment.request(FIRST, SECOND))
    before = len(deployment.exchange.requests)
    deployment.run(deployment.request(FIRST, THIRD))
    assert min(starts(deployment.asked(before))) == utc(2025, 1, 3)
    assert deployment.rows().height == 3 * 1440


def test_when_the_archive_comes_its_rows_take_the_place_and_are_counted_equal(deployment: Deployment) -> None:
    deployment.publish(FIRST)
    deployment.run(deployment.request(FIRST, SECOND))
    frame, before = deployment.rows(), len(deployment.exchange.requests)
    deployment.publish(SECOND)
    summary = deployment.run(deployment.request(FIRST, SECOND))
    assert summary.status == "succeeded"
    assert len(deployment.exchange.requests) == before
    (manifest,) = deployment.manifests()
    assert manifest.reconciliations == (Reconciliation("2025-01-02", Source.ARCHIVE_DAILY, Source.REST, 1440, 0),)
    assert_frame_equal(deployment.rows(), frame)


def test_where_the_archive_says_otherwise_its_row_is_kept_and_the_difference_is_named(deployment: Deployment) -> None:
    deployment.run(deployment.request(FIRST, FIRST))
    before = deployment.rows()

    def with_another_trade(csv: bytes) -> bytes:
        lines = csv.decode().splitlines()
        fields = lines[900].split(",")
        fields[8] = str(int(fields[8]) + 3)
        return "\n".join([*lines[:900], ",".join(fields), *lines[901:], ""]).encode()

    deployment.publish(FIRST, edit=with_another_trade)
    assert deployment.run(deployment.request(FIRST, FIRST)).status == "succeeded"
    (found,) = deployment.manifests()[0].reconciliations
    assert (found.equal, found.different) == (1439, 1)
    assert [(one.column, one.rows, one.largest) for one in found.columns] == [("trade_count", 1, "3")]
    assert (deployment.rows()["trade_count"] - before["trade_count"]).sum() == 3
    # The archive is the better source: that it corrects a delta is no fault of the partition.
    assert deployment.conditions() == ["available"]


def test_without_any_archive_a_named_symbol_is_asked_for(deployment: Deployment) -> None:
    assert deployment.run(deployment.request(FIRST, FIRST)).status == "succeeded"
    assert deployment.rows().height == 1440


def test_a_symbol_nobody_knows_fails_by_name_and_stops_no_other(deployment: Deployment) -> None:
    summary = deployment.run(deployment.request(FIRST, FIRST, ("NOUSDT", "BTCUSDT")))
    failure = summary.failures[0]
    assert isinstance(failure.error, UnknownSymbol)
    assert exit_code(failure.error) == EXIT_USAGE
    assert "'NOUSDT'" in str(failure.error)
    assert 400 in [answer.status for answer in deployment.asked()]
    assert deployment.rows()["symbol"].unique().to_list() == ["BTCUSDT"]


@pytest.mark.parametrize("name", ["binance_um_funding_rate", "binance_spot_agg_trades", "binance_cm_metrics"])
def test_datasets_without_candles_go_the_same_way(deployment: Deployment, name: str) -> None:
    row = dataset(name)
    # Metrics are answered for thirty days.
    day = datetime.now(UTC).date() - timedelta(days=5)
    request = deployment.request(day, day, (row.sample_symbol,), dataset=name, intervals=())
    assert deployment.run(request).failures == []
    times = deployment.rows(name)[row.event_time]
    assert times.dt.date().unique().to_list() == [day]
    before = len(deployment.exchange.requests)
    again = deployment.request(day, day, (row.sample_symbol,), dataset=name, intervals=())
    assert deployment.run(again).status == "nothing_to_do"
    assert len(deployment.exchange.requests) == before


def test_a_request_that_ends_today_reaches_up_to_the_last_closed_candle(deployment: Deployment) -> None:
    started = datetime.now(UTC)
    today = started.date()
    summary = deployment.run(deployment.request(today - timedelta(days=1), today))
    assert summary.failures == []
    closes = deployment.rows()["close_time"].max()
    assert isinstance(closes, datetime)
    assert started - timedelta(seconds=130) < closes < datetime.now(UTC)
    opens = deployment.rows()["open_time"]
    assert opens.len() == (opens.max() - opens.min()) // timedelta(minutes=1) + 1  # type: ignore[operator]


def test_with_the_exchange_down_the_archive_is_published_and_the_run_says_failed(deployment: Deployment) -> None:
    deployment.publish(FIRST)
    request = deployment.request(FIRST, SECOND)
    summary = run_pipeline(request, unreachable(deployment.settings()))
    assert summary.status == "failed"
    assert summary.failures[0].step == Step.DELTA
    assert type(summary.failures[0].error).__name__ == "SourceUnavailable"
    assert deployment.exchange.requests == []
    assert deployment.rows().height == 1440
    # The control, and the recovery: with the exchange there, the rest follows.
    assert deployment.run(deployment.request(FIRST, SECOND)).status == "succeeded"
    assert deployment.rows().height == 2880


class Killer:
    """A clock that ends a process with SIGKILL when it is looked at for the given time, after its first commit."""

    def __init__(self, looks: int, log: BronzeLog) -> None:
        self.left, self.pid, self.log = looks, 0, log

    def __call__(self) -> float:
        self.left -= 1
        if self.left == 0 and self.pid:
            wait_until(lambda: not self.log.latest(NAME).is_empty())
            os.kill(self.pid, signal.SIGKILL)
        return time.time()


def test_after_a_kill_in_the_middle_only_what_was_not_committed_is_asked_again(tmp_path: Path) -> None:
    # Four threads ask for the time first; at the thirtieth window twenty are done.
    log = BronzeLog(LocalStorage(tmp_path / "lake"))
    killer = Killer(4 + 30, log)

    def three_years() -> PlanRequest:
        return deployment.request(date(2022, 1, 1), date(2024, 12, 31), intervals=("1d",))

    with serving(FakeBucket()) as bucket:
        with LocalExchange(clock=killer) as exchange:
            deployment = Deployment(bucket, exchange, tmp_path)
            process = multiprocessing.get_context("forkserver").Process(
                target=carry_out, args=(deployment.settings(), three_years())
            )
            process.start()
            killer.pid = process.pid or 0
            process.join(STANDSTILL_SECONDS)
            assert process.exitcode == -signal.SIGKILL
            held = log.latest(NAME)
            assert held.height == COMMIT_OBJECTS
            assert len(exchange.requests) < 4 + 36
        # Another exchange with the same rows: what the dead process still had under way can't be counted there.
        with LocalExchange() as exchange:
            deployment.exchange = exchange
            assert deployment.run(three_years()).failures == []
            asked = starts(deployment.asked())
            assert len(asked) == len(set(asked)) == 36 - COMMIT_OBJECTS
            assert set(asked).isdisjoint(held["start"].to_list())
            days = deployment.rows()["open_time"].dt.date().to_list()
            assert days == [date(2022, 1, 1) + timedelta(days=number) for number in range(1096)]
            assert deployment.run(three_years()).status == "nothing_to_do"
