"""Instants and numbers are the same thing, exactly."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from crypto_lakehouse.instants import epoch_microseconds, instant, microseconds

# Hypothesis takes bounds without a zone alone.
FIRST, FIRST_IN_BOTH, END = (datetime(year, 1, 1) for year in (1970, 2002, 2260))  # noqa: DTZ001  Hypothesis takes no other
instants = st.datetimes(FIRST, END, timezones=st.just(UTC))


@given(instants)
def test_an_instant_comes_back_from_its_number(one: datetime) -> None:
    assert instant(microseconds(one)) == one


@given(st.datetimes(FIRST_IN_BOTH, END, timezones=st.just(UTC)))
def test_either_unit_and_any_spelling_is_the_same_instant(one: datetime) -> None:
    whole = one.replace(microsecond=one.microsecond // 1000 * 1000)
    number = microseconds(whole)
    for spelled in (number, number // 1000, str(number), str(number // 1000)):
        assert epoch_microseconds(spelled) == number
