"""What people write for a time, a market or a kind is checked, and the message names what is known."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query.arguments import (
    Instant,
    checked_instant,
    checked_kind,
    checked_market,
    checked_patterns,
)
from crypto_lakehouse.vocabulary import InstrumentKind, Market

MORNING = datetime(2024, 12, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "moment"),
    [
        (None, None),
        ("2024-12-31", datetime(2024, 12, 31, tzinfo=UTC)),
        ("2024-12-31T08:00", MORNING),
        ("2024-12-31T09:00+01:00", MORNING),
        (date(2024, 12, 31), datetime(2024, 12, 31, tzinfo=UTC)),
        (datetime(2024, 12, 31, 8), MORNING),  # noqa: DTZ001
        (datetime(2024, 12, 31, 3, tzinfo=timezone(timedelta(hours=-5))), MORNING),
    ],
)
def test_a_time_without_a_zone_is_utc(instant: Instant | None, moment: datetime | None) -> None:
    assert checked_instant(instant) == moment


def test_markets_kinds_and_symbols_are_taken_as_text_or_value() -> None:
    assert checked_market("um") is checked_market(Market.UM) is Market.UM
    assert checked_kind("perpetual") is InstrumentKind.PERPETUAL
    assert checked_patterns("BTC*") == ["BTC*"]
    assert checked_patterns(["BTCUSDT", "ETH?"]) == ["BTCUSDT", "ETH?"]


@pytest.mark.parametrize(
    ("check", "wrong", "advice"),
    [
        (checked_instant, "yesterday", "2024-12-31"),
        (checked_market, "mars", "Known: spot, um, cm, option"),
        (checked_kind, "stock", "Known: spot"),
        (checked_patterns, "../x", ""),
    ],
)
def test_what_is_not_known_is_refused_with_advice(check: Callable[[str], object], wrong: str, advice: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check(wrong)
    assert advice in refused.value.advice
