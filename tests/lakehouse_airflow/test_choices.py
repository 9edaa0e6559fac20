"""The Params of a run: what they accept, and that each has a description."""

from typing import Any

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.settings import default_profiles

pytestmark = pytest.mark.filterwarnings("ignore")


def params(name: str) -> dict[str, Any]:
    from lakehouse_airflow.choices import run_params

    return dict(run_params(dataset(name)))


@pytest.mark.parametrize(("name", "has_intervals"), [("binance_um_klines", True), ("binance_um_trades", False)])
def test_only_datasets_with_intervals_have_that_choice(name: str, has_intervals: bool) -> None:
    assert ("intervals" in params(name)) is has_intervals


def test_every_choice_has_a_description() -> None:
    assert [name for name, param in params("binance_um_klines").items() if not param.description] == []


@pytest.mark.parametrize(
    ("choice", "good", "bad"),
    [
        ("symbols", ["BTCUSDT", "ETH*"], "BTCUSDT"),
        ("symbols", [], ["BTCUSDT", "BTCUSDT"]),
        ("intervals", ["1h"], [1]),
        ("start_date", "2025-01-01", "January"),
        ("end_date", None, 20250101),
        ("delta", False, "no"),
        ("fill", True, 1),
        ("profile", min(default_profiles()), "no-such-profile"),
    ],
)
def test_a_choice_accepts_what_it_describes_and_nothing_else(choice: str, good: Any, bad: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    param = params("binance_um_klines")[choice]
    assert param.resolve(good) == good
    with pytest.raises(ParamValidationError):
        param.resolve(bad)
