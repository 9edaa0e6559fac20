"""The master: lives of symbols, and a past universe without the bias of those who survived."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.errors import SpecificationError
from crypto_lakehouse.instruments.days import MAX_HOLE_DAYS, ArchiveDays, DaySpan
from crypto_lakehouse.instruments.exchange_info import ABSENT, InstrumentInfo, changes, parse_exchange_info
from crypto_lakehouse.instruments.instrument import Instrument, instrument_frame, listed_on
from crypto_lakehouse.instruments.known_events import KNOWN_EVENTS, EventKind, KnownEvent, events_of
from crypto_lakehouse.instruments.master import build_instruments
from crypto_lakehouse.vocabulary import InstrumentKind, InstrumentStatus, Market
from tests.crypto_lakehouse.instruments.bodies import at, body, cm_symbol, millis, spot_symbol, um_symbol

NEWEST = "2026-01-10"
ALIVE = ("BTCUSDT", "2019-12-31", NEWEST)


def days(*spans: tuple[str, str, str]) -> list[ArchiveDays]:
    """Returns archive days of symbols; a symbol named twice has two spans."""
    found: dict[str, list[DaySpan]] = {}
    for symbol, first, last in spans:
        found.setdefault(symbol, []).append(DaySpan(date.fromisoformat(first), date.fromisoformat(last)))
    return [ArchiveDays(symbol, tuple(those)) for symbol, those in found.items()]


def seen(day: str, market: Market, *symbols: dict[str, object]) -> list[InstrumentInfo]:
    return parse_exchange_info(body(*symbols), market, at(day))


def of(instruments: Sequence[Instrument], symbol: str) -> list[Instrument]:
    return [one for one in instruments if one.symbol == symbol]


def validity(instruments: Sequence[Instrument]) -> list[tuple[str, str | None]]:
    return [(one.instrument_id, one.valid_to.isoformat() if one.valid_to else None) for one in instruments]


def universe(instruments: Sequence[Instrument], day: str) -> list[str]:
    return listed_on(instrument_frame(instruments), date.fromisoformat(day))["instrument_id"].to_list()


def test_the_archives_days_bound_validity_and_a_living_symbol_has_no_end() -> None:
    found = build_instruments(Market.UM, days(ALIVE, ("SRMUSDT", "2020-09-03", "2022-11-28")), [])
    assert validity(found) == [("BTCUSDT@2019-12-31", None), ("SRMUSDT@2020-09-03", "2022-11-28")]
    assert [one.status for one in found] == [InstrumentStatus.LISTED, InstrumentStatus.ENDED]
    assert found[0].evidence == ("archive",)


def test_a_symbol_published_late_by_a_week_is_still_listed_and_later_it_is_not() -> None:
    late, ended = ("AUSDT", "2024-01-01", "2026-01-03"), ("BUSDT", "2024-01-01", "2026-01-02")
    found = build_instruments(Market.UM, days(ALIVE, late, ended), [])
    assert of(found, "AUSDT")[0].valid_to is None
    assert of(found, "BUSDT")[0].valid_to == date(2026, 1, 2)


def test_a_reused_ticker_is_two_instruments_and_leftover_rows_belong_to_neither() -> None:
    # The archive goes on for months after Litentry's settlement; Lighter comes half a year later.
    listed = days(ALIVE, ("LITUSDT", "2021-02-05", "2025-06-30"), ("LITUSDT", "2025-12-23", NEWEST))
    old, new = of(build_instruments(Market.UM, listed, []), "LITUSDT")
    assert validity([old, new]) == [("LITUSDT@2021-02-05", "2025-01-31"), ("LITUSDT@2025-12-23", None)]
    assert old.settles_at == at("2025-01-31T09:00")
    assert (old.status, new.status) == (InstrumentStatus.ENDED, InstrumentStatus.LISTED)
    assert any("issues/495" in one for one in old.evidence)
    assert any("issues/495" in one for one in new.evidence)


def test_leftovers_without_a_gap_do_not_join_a_reused_ticker_to_its_namesake() -> None:
    listed = days(ALIVE, ("LITUSDT", "2021-02-05", NEWEST))
    found = of(build_instruments(Market.UM, listed, []), "LITUSDT")
    assert validity(found) == [("LITUSDT@2021-02-05", "2025-01-31"), ("LITUSDT@2025-12-23", None)]


def test_each_namesake_has_the_facts_that_were_seen_in_its_own_life() -> None:
    listed = days(ALIVE, ("LITUSDT", "2021-02-05", "2025-06-30"), ("LITUSDT", "2025-12-23", NEWEST))
    litentry = um_symbol("LITUSDT", "LIT", "2021-02-04", filters=[{"filterType": "LOT_SIZE", "stepSize": "0.1"}])
    lighter = um_symbol("LITUSDT", "LIT", "2025-12-23T17:30", filters=[{"filterType": "LOT_SIZE", "stepSize": "1"}])
    first = seen("2024-05-01", Market.UM, litentry)
    gone = changes({"LITUSDT": first[0]}, [], at("2025-02-01"))
    old, new = of(
        build_instruments(Market.UM, listed, [*first, *gone, *seen("2025-12-24", Market.UM, lighter)]), "LITUSDT"
    )
    assert (old.lot_size, new.lot_size) == (Decimal("0.1"), Decimal(1))
    assert (old.onboard_day, new.onboard_day) == (date(2021, 2, 4), date(2025, 12, 23))
    # Control: without the newer answer, nothing of the old contract is said of its namesake.
    (_, unsaid) = of(build_instruments(Market.UM, listed, [*first, *gone]), "LITUSDT")
    assert unsaid.lot_size is None


def test_lunausdt_of_spot_is_split_where_terra_gave_its_ticker_away() -> None:
    listed = days(ALIVE, ("LUNAUSDT", "2020-08-21", "2022-05-13"), ("LUNAUSDT", "2022-05-31", NEWEST))
    old, new = of(build_instruments(Market.SPOT, listed, []), "LUNAUSDT")
    assert validity([old, new]) == [("LUNAUSDT@2020-08-21", "2022-05-13"), ("LUNAUSDT@2022-05-31", None)]
    assert (old.successor, new.successor) == ("LUNCUSDT", None)


def test_a_gap_without_a_known_event_does_not_split_and_is_an_absence() -> None:
    spans = (("USDCUSDT", "2018-12-15", "2022-09-26"), ("USDCUSDT", "2023-03-11", NEWEST))
    (found,) = of(build_instruments(Market.SPOT, days(ALIVE, *spans), []), "USDCUSDT")
    assert (found.instrument_id, found.valid_to) == ("USDCUSDT@2018-12-15", None)
    assert found.absences == (DaySpan(date(2022, 9, 27), date(2023, 3, 10)),)
    assert any("issues/242" in one for one in found.evidence)
    instruments = build_instruments(Market.SPOT, days(ALIVE, *spans), [])
    assert universe(instruments, "2022-09-26") == ["BTCUSDT@2019-12-31", "USDCUSDT@2018-12-15"]
    assert universe(instruments, "2022-12-01") == ["BTCUSDT@2019-12-31"]
    assert universe(instruments, "2023-03-11") == ["BTCUSDT@2019-12-31", "USDCUSDT@2018-12-15"]


@pytest.mark.parametrize(
    "event", [one for one in KNOWN_EVENTS if one.kind is EventKind.SETTLEMENT], ids=lambda one: one.symbol
)
def test_days_after_a_settlement_are_nobodys(event: KnownEvent) -> None:
    assert event.last_day is not None
    listed = [
        *days(ALIVE),
        ArchiveDays(event.symbol, (DaySpan(date(2021, 1, 1), event.last_day + timedelta(days=25)),)),
    ]
    (found,) = of(build_instruments(Market.UM, listed, []), event.symbol)
    assert (found.valid_to, found.settles_at) == (event.last_day, event.ended_at)
    assert event.symbol in {one.split("@")[0] for one in universe([found], event.last_day.isoformat())}
    assert universe([found], (event.last_day + timedelta(days=1)).isoformat()) == []
    # Control: without the event, the leftovers count.
    (naive,) = of(build_instruments(Market.UM, listed, [], ()), event.symbol)
    assert naive.valid_to == event.last_day + timedelta(days=25)


def test_a_contract_listed_again_after_its_settlement_is_a_new_instrument() -> None:
    listed = days(ALIVE, ("GALUSDT", "2022-05-05", "2024-07-20"), ("GALUSDT", "2025-03-01", NEWEST))
    found = of(build_instruments(Market.UM, listed, []), "GALUSDT")
    assert validity(found) == [("GALUSDT@2022-05-05", "2024-07-11"), ("GALUSDT@2025-03-01", None)]


def test_an_onboard_date_after_a_gap_is_the_exchanges_word_for_a_new_contract() -> None:
    spans = (("XYZUSDT", "2021-01-01", "2022-01-01"), ("XYZUSDT", "2024-03-05", NEWEST))
    renewed = seen("2024-04-01", Market.UM, um_symbol("XYZUSDT", "XYZ", "2024-03-05"))
    found = of(build_instruments(Market.UM, days(ALIVE, *spans), renewed), "XYZUSDT")
    assert validity(found) == [("XYZUSDT@2021-01-01", "2022-01-01"), ("XYZUSDT@2024-03-05", None)]
    unchanged = seen("2024-04-01", Market.UM, um_symbol("XYZUSDT", "XYZ", "2021-01-01"))
    (one,) = of(build_instruments(Market.UM, days(ALIVE, *spans), unchanged), "XYZUSDT")
    assert one.instrument_id == "XYZUSDT@2021-01-01"


def test_what_only_the_exchange_knows_starts_on_its_onboard_day_and_goes_once_it_is_gone() -> None:
    pending = seen("2026-01-09", Market.UM, um_symbol("NEWUSDT", "NEW", "2026-01-12", status="PENDING_TRADING"))
    instruments = build_instruments(Market.UM, days(ALIVE), pending)
    (found,) = of(instruments, "NEWUSDT")
    assert (found.instrument_id, found.status, found.evidence) == (
        "NEWUSDT@2026-01-12", InstrumentStatus.PENDING, ("exchange info",),
    )  # fmt: skip
    assert universe(instruments, "2026-01-11") == ["BTCUSDT@2019-12-31"]
    assert universe(instruments, "2026-01-12") == ["BTCUSDT@2019-12-31", "NEWUSDT@2026-01-12"]
    gone = changes({"NEWUSDT": pending[0]}, [], at("2026-01-11"))
    assert of(build_instruments(Market.UM, days(ALIVE), [*pending, *gone]), "NEWUSDT") == []


def test_a_relisted_ticker_does_not_revive_the_old_instrument_before_the_archive_has_a_day() -> None:
    listed = days(("BTCUSDT", "2019-12-31", "2025-12-22"), ("LITUSDT", "2021-02-05", "2025-06-30"))
    lighter = seen("2025-12-24", Market.UM, um_symbol("LITUSDT", "LIT", "2025-12-23T17:30"))
    found = of(build_instruments(Market.UM, listed, lighter), "LITUSDT")
    assert validity(found) == [("LITUSDT@2021-02-05", "2025-01-31"), ("LITUSDT@2025-12-23", None)]


def test_exchange_info_overrides_the_spelling() -> None:
    listed = days(ALIVE, ("ABCEUR", "2024-01-01", NEWEST), ("PUPUSDT", "2024-01-01", NEWEST))
    infos = seen(
        NEWEST, Market.SPOT,
        spot_symbol("ABCEUR", "ABCE", "UR"), spot_symbol("PUPUSDT", "PUP", "USDT", permissions=["LEVERAGED"]),
    )  # fmt: skip
    split, leveraged = (of(build_instruments(Market.SPOT, listed, infos), one)[0] for one in ("ABCEUR", "PUPUSDT"))
    assert (split.base_asset, split.quote_asset, split.tick_size) == ("ABCE", "UR", Decimal("0.000001"))
    assert leveraged.kind is InstrumentKind.LEVERAGED_TOKEN
    assert "exchange info" in split.evidence


def test_a_delivery_contract_ends_with_its_delivery_whatever_the_archive_lists() -> None:
    spans = (("ETHUSDT_250926", "2025-03-28", "2025-09-29"), ("ETHUSDT_260327", "2025-09-26", NEWEST))
    done, running = build_instruments(Market.UM, days(ALIVE, *spans), [])[1:]
    assert (done.kind, done.valid_to, done.delivery_day) == (
        InstrumentKind.DELIVERY, date(2025, 9, 26), date(2025, 9, 26),
    )  # fmt: skip
    assert done.settles_at == at("2025-09-26T08:00")
    assert (running.valid_to, running.settles_at) == (None, at("2026-03-27T08:00"))


def test_a_perpetual_that_the_exchange_settles_ends_then() -> None:
    dying = um_symbol("DIEUSDT", "DIE", "2022-01-01", status="SETTLING", deliveryDate=millis("2026-01-05T09:00"))
    listed = days(ALIVE, ("DIEUSDT", "2022-01-01", "2026-01-08"))
    (found,) = of(build_instruments(Market.UM, listed, seen("2026-01-06", Market.UM, dying)), "DIEUSDT")
    assert (found.valid_to, found.settles_at, found.kind) == (
        date(2026, 1, 5), at("2026-01-05T09:00"), InstrumentKind.PERPETUAL,
    )  # fmt: skip


def test_whoever_looked_last_says_whether_a_symbol_is_listed() -> None:
    listed = days(ALIVE, ("AUSDT", "2024-01-01", "2026-01-08"))
    trading = seen("2026-01-09", Market.SPOT, spot_symbol("AUSDT", "A", "USDT"))
    halted = seen("2026-01-09", Market.SPOT, spot_symbol("AUSDT", "A", "USDT", status="BREAK"))
    gone = [InstrumentInfo(Market.SPOT, "AUSDT", at("2026-01-09"), ABSENT)]
    old = [InstrumentInfo(Market.SPOT, "AUSDT", at("2025-06-01"), ABSENT)]
    said = [of(build_instruments(Market.SPOT, listed, infos), "AUSDT")[0] for infos in (trading, halted, gone, old)]
    assert [(one.status, one.valid_to) for one in said] == [
        (InstrumentStatus.LISTED, None),
        (InstrumentStatus.HALTED, None),
        (InstrumentStatus.ENDED, date(2026, 1, 8)),
        (InstrumentStatus.LISTED, None),
    ]


def test_a_pair_that_spot_keeps_as_broken_for_years_has_ended() -> None:
    broken = seen("2026-01-09", Market.SPOT, spot_symbol("OLDUSDT", "OLD", "USDT", status="BREAK"))
    (found,) = of(
        build_instruments(Market.SPOT, days(ALIVE, ("OLDUSDT", "2019-01-01", "2021-01-01")), broken), "OLDUSDT"
    )
    assert found.valid_to == date(2021, 1, 1)


def test_contract_sizes_are_the_exchanges_own_or_the_known_rule() -> None:
    listed = days(
        ("BTCUSD_PERP", "2020-08-10", NEWEST), ("ETHUSD_PERP", "2020-08-10", NEWEST), ("BTCUSD", "2020-08-10", NEWEST)
    )
    index, btc, eth = build_instruments(Market.CM, listed, seen(NEWEST, Market.CM, cm_symbol("ETHUSD_PERP", "ETH", 12)))
    assert (btc.contract_size, btc.contract_unit) == (Decimal(100), "USD")
    assert (eth.contract_size, eth.contract_unit) == (Decimal(12), "USD")
    assert (index.kind, index.contract_size) == (InstrumentKind.INDEX, None)
    (linear,) = build_instruments(Market.UM, days(("1000SHIBUSDT", "2021-05-10", NEWEST)), [])
    assert (linear.contract_size, linear.contract_unit) == (Decimal(1), "1000SHIB")
    assert (linear.multiplier, linear.underlying_asset) == (1000, "SHIB")


def test_a_past_universe_has_the_dead_and_not_the_unborn() -> None:
    instruments = build_instruments(
        Market.UM,
        days(ALIVE, ("LUNAUSDT", "2021-01-28", "2022-05-12"), ("1000LUNCUSDT", "2022-09-09", NEWEST)),
        [],
    )
    assert universe(instruments, "2022-05-01") == ["BTCUSDT@2019-12-31", "LUNAUSDT@2021-01-28"]
    assert universe(instruments, "2022-06-01") == ["BTCUSDT@2019-12-31"]
    assert universe(instruments, "2026-01-10") == ["1000LUNCUSDT@2022-09-09", "BTCUSDT@2019-12-31"]
    assert of(instruments, "LUNAUSDT")[0].successor == "1000LUNCUSDT"


def test_every_known_event_has_a_reason_and_a_source() -> None:
    for event in KNOWN_EVENTS:
        assert event.source.startswith("https://github.com/")
        assert event.reason
    assert [one.kind for one in events_of(Market.UM, "LITUSDT")] == [EventKind.REUSE]
    assert events_of(Market.SPOT, "LITUSDT") == []


def test_an_event_after_which_a_symbol_starts_before_it_ended_is_refused() -> None:
    with pytest.raises(SpecificationError, match="before it ended"):
        KnownEvent(Market.UM, "X", EventKind.REUSE, "made up", "", at("2025-01-02T09:00"), at("2025-01-02T10:00"))


@pytest.mark.parametrize(
    "event",
    [one for one in KNOWN_EVENTS if one.started_at and one.is_cut],
    ids=lambda one: f"{one.market}-{one.symbol}",
)
def test_every_known_relisting_splits_a_symbol_at_its_days(event: KnownEvent) -> None:
    assert event.last_day is not None
    assert event.next_day is not None
    listed = [
        ArchiveDays("ALIVE", (DaySpan(date(2018, 1, 1), date(2026, 1, 10)),)),
        ArchiveDays(
            event.symbol, (DaySpan(date(2018, 1, 1), event.last_day), DaySpan(event.next_day, date(2026, 1, 10)))
        ),
    ]
    old, new = of(build_instruments(event.market, listed, []), event.symbol)
    assert (old.valid_to, new.valid_from, new.valid_to) == (event.last_day, event.next_day, None)


def day_of(number: int) -> date:
    return date(2022, 1, 1) + timedelta(days=number)


def spans_of(numbers: set[int]) -> tuple[DaySpan, ...]:
    """Returns days by number as spans that are more than a hole apart."""
    found: list[DaySpan] = []
    for number in sorted(numbers):
        if found and (day_of(number) - found[-1].last_day).days <= MAX_HOLE_DAYS + 1:
            found[-1] = DaySpan(found[-1].first_day, day_of(number))
        else:
            found.append(DaySpan(day_of(number), day_of(number)))
    return tuple(found)


NUMBERS = st.integers(0, 60)
EVENTS = st.builds(
    lambda ended, pause, started: KnownEvent(
        Market.UM, "XUSDT", EventKind.REUSE, "made up", "https://example.invalid",
        at(f"{day_of(ended)}T09:00"), at(f"{day_of(ended + pause)}T10:00") if started else None,
    ),
    NUMBERS, st.integers(1, 20), st.booleans(),
)  # fmt: skip
INFOS = st.builds(
    lambda seen_on, onboard, delivery, status: InstrumentInfo(
        Market.UM, "XUSDT", at(day_of(seen_on).isoformat()), status,
        onboard_at=None if onboard is None else at(day_of(onboard).isoformat()),
        delivery_at=None if delivery is None else at(f"{day_of(delivery)}T08:00"),
    ),
    NUMBERS, st.none() | NUMBERS, st.none() | NUMBERS, st.sampled_from(["TRADING", "SETTLING", "BREAK", ABSENT, None]),
)  # fmt: skip


@given(st.sets(NUMBERS, max_size=20), st.lists(INFOS, max_size=4), st.lists(EVENTS, max_size=3), NUMBERS)
def test_whatever_is_known_no_day_of_a_symbol_has_two_instruments(
    numbers: set[int], infos: list[InstrumentInfo], events: list[KnownEvent], newest: int
) -> None:
    listed = [ArchiveDays("ZUSDT", spans_of({0, newest}))]
    listed += [ArchiveDays("XUSDT", spans_of(numbers))] if numbers else []
    found = build_instruments(Market.UM, listed, infos, tuple(events))
    frame = instrument_frame(found)
    assert frame["instrument_id"].is_unique().all()
    lives = of(found, "XUSDT")
    for one in lives:
        assert one.valid_to is None or one.valid_to >= one.valid_from
    for one, other in pairwise(lives):
        assert one.valid_to is not None
        assert one.valid_to < other.valid_from
    if numbers and not events:
        assert lives[0].valid_from == day_of(min(numbers))
    for number in range(80):
        assert listed_on(frame, day_of(number)).filter(symbol="XUSDT").height <= 1
