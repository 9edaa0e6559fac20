"""What a run would ask: of names, of globs, within reach of what the archive shows; a dry run asks nothing itself."""

from datetime import UTC, date, datetime, timedelta

import pytest

from crypto_lakehouse.running import explain
from crypto_lakehouse.runs.orders import PlanRequest
from tests.crypto_lakehouse.steps.delta_runs import Deployment

FIRST, SECOND, THIRD = (date(2025, 1, day) for day in (1, 2, 3))


def windows(deployment: Deployment, request: PlanRequest, **exchange: object) -> list[str]:
    """Returns the windows of a dry run, which asked the exchange nothing."""
    found = explain(request, deployment.settings(**exchange))
    assert deployment.exchange.requests == []
    assert len(found["spans"]) == found["counts"]["spans_to_request"]
    return [str(one).replace("T00:00:00+00:00", "") for one in found["spans"]]


def test_what_the_archive_is_about_to_bring_is_not_asked_for(deployment: Deployment) -> None:
    deployment.publish(SECOND)
    assert windows(deployment, deployment.request(FIRST, THIRD)) == [
        "BTCUSDT 1m 2025-01-01 2025-01-02",
        "BTCUSDT 1m 2025-01-03 2025-01-04",
    ]


def test_a_glob_asks_for_the_symbols_the_archive_has_and_from_their_first_day_on(deployment: Deployment) -> None:
    deployment.publish(SECOND)
    deployment.publish(FIRST, symbol="ETHUSDT")
    deployment.publish(FIRST, symbol="SOLBUSD")
    assert windows(deployment, deployment.request(FIRST, THIRD, ("*USDT",))) == [
        "BTCUSDT 1m 2025-01-03 2025-01-04",
        "ETHUSDT 1m 2025-01-02 2025-01-04",
    ]
    assert windows(deployment, deployment.request(FIRST, THIRD, ("XRP*",))) == []


def test_a_name_is_asked_for_once_though_a_glob_matches_it_too(deployment: Deployment) -> None:
    deployment.publish(SECOND)
    assert windows(deployment, deployment.request(FIRST, SECOND, ("BTCUSDT", "BTC*"))) == [
        "BTCUSDT 1m 2025-01-01 2025-01-02"
    ]


def test_a_symbol_of_a_glob_that_ended_is_asked_for_only_some_weeks_more(deployment: Deployment) -> None:
    deployment.publish(FIRST)
    last = date(2025, 6, 30)
    assert windows(deployment, deployment.request(FIRST, last, ("BTC*",)))[-1] == "BTCUSDT 1m 2025-02-01 2025-02-16"
    assert windows(deployment, deployment.request(FIRST, last))[-1] == "BTCUSDT 1m 2025-06-01 2025-07-01"


def test_each_interval_is_asked_for(deployment: Deployment) -> None:
    request = deployment.request(FIRST, FIRST, intervals=("1m", "1h", "1d"))
    assert windows(deployment, request) == [f"BTCUSDT {one} 2025-01-01 2025-01-02" for one in ("1d", "1h", "1m")]


def test_days_of_the_past_end_at_midnight_and_those_of_today_now(deployment: Deployment) -> None:
    today = datetime.now(UTC).date()
    old = today - timedelta(days=3)
    (past,) = [one for one in windows(deployment, deployment.request(old, old)) if one]
    assert past.endswith(f" {old + timedelta(days=1)}")
    live = windows(deployment, deployment.request(today - timedelta(days=1), today - timedelta(days=1)))
    # A run of yesterday reaches up to now: nobody waits for the archive.
    end = datetime.fromisoformat(live[-1].rpartition(" ")[2])
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("others", "exchange"),
    [
        ({"delta": False}, {}),
        ({}, {"enabled": False}),
        ({"dataset": "binance_um_book_depth", "intervals": ()}, {}),
        ({"dataset": "binance_um_trades", "intervals": ()}, {"api_key": None}),
    ],
)
def test_nothing_is_asked_where_it_is_not_wanted_or_cannot_be(
    deployment: Deployment, others: dict[str, object], exchange: dict[str, object]
) -> None:
    assert windows(deployment, deployment.request(FIRST, FIRST, **others), **exchange) == []


def test_with_a_key_the_trades_of_futures_are_asked_for(deployment: Deployment) -> None:
    request = deployment.request(FIRST, FIRST, dataset="binance_um_trades", intervals=())
    assert windows(deployment, request) == ["BTCUSDT 2025-01-01 2025-01-02"]
