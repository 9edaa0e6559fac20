"""Waiting ends when the work is done or stands still, never because it is slow."""

from collections.abc import Iterator
from itertools import count

import pytest

from tests import waiting
from tests.waiting import wait_until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets ten minutes pass whenever the clock is looked at, and no time while waiting sleeps."""
    minutes = count(step=600)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: float(next(minutes)))
    monkeypatch.setattr(waiting.time, "sleep", lambda _seconds: None)
    yield


@pytest.mark.usefixtures("clock")
def test_slow_work_that_goes_on_is_waited_for() -> None:
    done = count()
    assert wait_until(lambda: next(done) == 50, progress=count().__next__)


@pytest.mark.usefixtures("clock")
def test_work_that_stands_still_is_given_up_with_its_last_state() -> None:
    with pytest.raises(AssertionError, match="900 s; the last state was 'stuck'"):
        wait_until(lambda: False, progress=lambda: "stuck")


def test_the_value_that_was_waited_for_is_returned() -> None:
    values = iter([0, "", None, ["container"]])
    assert wait_until(lambda: next(values), pause=0) == ["container"]
