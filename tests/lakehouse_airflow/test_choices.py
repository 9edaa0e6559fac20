"""The Params of a run: what they accept, what they mean when empty, and that an unknown one is refused."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.settings import default_profiles, load_settings

pytestmark = pytest.mark.filterwarnings("ignore")

KLINES = "binance_um_klines"


def params(name: str = KLINES) -> dict[str, Any]:
    from lakehouse_airflow.choices import run_params

    return dict(run_params(dataset(name)))


def accepted(name: str, conf: dict[str, Any]) -> dict[str, Any]:
    """Returns the Params of a run as Airflow's API checks them, before there is a run."""
    from airflow.sdk import DAG
    from airflow.serialization.serialized_objects import DagSerialization

    dag = DAG(dag_id=name, schedule=None, params=params(name))
    stored = DagSerialization.from_dict(DagSerialization.to_dict(dag))
    checked: dict[str, Any] = stored.params.deep_merge(conf).validate()
    return checked


@pytest.mark.parametrize(("name", "has_intervals"), [(KLINES, True), ("binance_um_trades", False)])
def test_only_datasets_with_intervals_have_that_choice(name: str, has_intervals: bool) -> None:
    assert ("intervals" in params(name)) is has_intervals


def test_every_choice_has_a_description() -> None:
    assert [name for name, param in params().items() if not param.description] == []


def test_every_choice_may_be_empty_and_then_means_what_the_deployment_says() -> None:
    from lakehouse_airflow.operators import plan_request

    empty = dict.fromkeys(params())
    assert accepted(KLINES, empty) == empty
    run = SimpleNamespace(run_id="r", run_type="manual", data_interval_start=None, data_interval_end=None)
    run.run_after = datetime(2025, 1, 3, 9, tzinfo=UTC)
    untouched = {name: param.value for name, param in params().items()}
    assert plan_request(KLINES, run, empty) == plan_request(KLINES, run, untouched) == plan_request(KLINES, run, {})


def test_airflow_s_form_marks_no_choice_as_required() -> None:
    # The form's own rule: a type, and null is not one of the types.
    kinds = {name: param.schema.get("type") for name, param in params().items()}
    assert [name for name, kind in kinds.items() if kind and "null" not in kind] == []


@pytest.mark.parametrize(
    ("choice", "good", "bad"),
    [
        ("symbols", ["BTCUSDT", "ETH*"], "BTCUSDT"),
        ("symbols", ["币安人生USDT", "BTCUSD_PERP", "BTC-?"], ["BTC/USDT"]),
        ("symbols", [], ["BTCUSDT", "BTCUSDT"]),
        ("symbols", ["BTCUSDT", ""], ["BTCUSDT, ETHUSDT"]),
        ("symbols", ["A" * 32], ["A" * 33]),
        ("intervals", ["1h", "1mo"], [1]),
        ("intervals", [], ["1M"]),
        ("start_date", "2025-01-01", "January"),
        ("start_date", "2024-02-29", "2025-02-29"),
        ("end_date", None, 20250101),
        ("end_date", None, "01.02.2025"),
        ("delta", False, "no"),
        ("fill", True, 1),
        ("profile", min(default_profiles()), "no-such-profile"),
    ],
)
def test_a_choice_accepts_what_it_describes_and_nothing_else(choice: str, good: Any, bad: Any) -> None:
    from airflow.sdk.exceptions import ParamValidationError

    assert accepted(KLINES, {choice: good})[choice] == good
    with pytest.raises(ParamValidationError, match=f"Invalid input for param {choice}: "):
        accepted(KLINES, {choice: bad})


def test_the_line_that_ends_a_list_of_symbols_is_no_symbol() -> None:
    from lakehouse_airflow.operators import plan_request

    run = SimpleNamespace(run_id="r", run_type="manual", data_interval_start=None, data_interval_end=None)
    run.run_after = datetime(2025, 1, 3, 9, tzinfo=UTC)
    assert plan_request(KLINES, run, {"symbols": ["BTCUSDT", ""]}).symbols == ("BTCUSDT",)


@pytest.mark.parametrize("row", [row for row in DATASETS if row.has_interval], ids=lambda row: row.name)
def test_the_form_offers_each_interval_of_the_dataset_and_no_other(row: Any) -> None:
    choice = params(row.name)["intervals"].schema
    assert choice["examples"] == choice["items"]["enum"] == [interval.value for interval in row.intervals]


def test_the_profiles_of_the_configuration_are_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_PROFILES", '{"default": {}, "at-night": {"workers": 2}}')
    load_settings.cache_clear()
    assert params()["profile"].schema["enum"] == [None, "at-night", "default"]


def test_a_configuration_that_is_not_valid_takes_no_dag_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_PROFILES", '{"default": {"workers": "many"}}')
    load_settings.cache_clear()
    assert params()["profile"].schema["enum"] == [None, *sorted(default_profiles())]


@pytest.mark.parametrize(
    ("known", "conf", "message"),
    [
        (
            ["symbols", "delta"],
            {"symbls": ["BTCUSDT"], "delta": False},
            "there is no Param 'symbls'\nNearest: symbols. This DAG has symbols, delta",
        ),
        (["symbols"], {"x": 1, "y": 2}, "there is no Param 'x', 'y'\nThis DAG has symbols"),
        ([], {"symbols": ["BTCUSDT"]}, "there is no Param 'symbols'\nThis DAG has none"),
    ],
    ids=["misspelled", "several", "a DAG without Params"],
)
def test_an_unknown_key_is_refused_and_the_nearest_named(known: list[str], conf: dict[str, Any], message: str) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from lakehouse_airflow.choices import refuse_unknown_keys

    with pytest.raises(AirflowFailException) as raised:
        refuse_unknown_keys(known, conf)
    assert str(raised.value) == f"{message}\nSee docs/runbook.md#a-request-is-not-valid"


@pytest.mark.parametrize("conf", [None, {}, {"symbols": ["BTCUSDT"]}])
def test_known_keys_and_none_pass(conf: dict[str, Any] | None) -> None:
    from lakehouse_airflow.choices import refuse_unknown_keys

    refuse_unknown_keys(["symbols"], conf)
