"""The gaps step finds what is worth a run, and leaves it in its result for whoever triggers runs."""

from datetime import date

import pytest

from crypto_lakehouse.coverage.records import Fill
from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.running import run_alone
from crypto_lakehouse.runs.figures import GapsFigures
from crypto_lakehouse.runs.orders import GapsOrder, first_order_key, write_order
from crypto_lakehouse.runs.outcomes import GapsOutcome
from crypto_lakehouse.runs.results import Status, read_outcome
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.vocabulary import Step
from tests.small_lake import SmallLake, dropped

UM = "binance_um_klines"


def test_an_empty_lake_has_no_gap(small: SmallLake) -> None:
    result = run_alone(Step.GAPS, GapsOrder("r"), small.settings)
    assert (result.subject, result.status) == ("lake", Status.NOTHING_TO_DO)
    assert result.completed() == GapsOutcome(GapsFigures())


def test_a_gap_becomes_one_run_over_its_series_and_days(small: SmallLake) -> None:
    small.publish(UM, "2024-01-08", dropped(5, 8))
    small.publish(UM, "2024-01-09")
    small.run(UM, "2024-01-08", "2024-01-09")
    result = run_alone(Step.GAPS, GapsOrder("r"), small.settings)
    outcome: GapsOutcome = result.completed()
    (fill,) = outcome.fills
    assert outcome.figures == GapsFigures(datasets=1, symbols=1)
    # The days since then are missing too.
    assert fill == Fill(UM, ("BTCUSDT",), ("1h",), date(2024, 1, 8), fill.last_day)
    assert fill.last_day > date(2024, 1, 9)
    assert read_outcome(small.storage, first_order_key(Step.GAPS, "lake", "r"), GapsOutcome) == outcome


def test_an_order_below_another_subject_is_refused(small: SmallLake) -> None:
    key = f"runs/{UM}/r/gaps.json"
    write_order(small.storage, key, GapsOrder("r"))
    with pytest.raises(InvalidRequest, match="is not a lake"):
        run_step(Step.GAPS, key, small.settings)
