"""Every bench runs, on little data: the figures mean nothing here, that they come about does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.vocabulary import Step
from tests.bench import contest, render, startup, suite
from tests.bench.contest import NOT_INSTALLED
from tests.bench.hostile import PASSES, sound
from tests.bench.ours import NAME
from tests.bench.peers import PEERS

HOW = ("--help", "without its order")
NAMES = (*suite.BENCHES, *suite.BY_HAND)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The results of all benches, as on a machine without the peers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contest, "PEERS_PYTHON", Path("/nonexistent/python"))
        benches = suite.smoke(tmp_path_factory.mktemp("bench"))
        assert set(benches) == set(NAMES)
        yield {name: run() for name, run in benches.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["trades", "large", "month", "small"])
def test_a_contest_has_a_figure_for_every_contender_that_is_here(name: str, kept: dict[str, Any]) -> None:
    for contender, figures in kept[name]["contenders"].items():
        if contender in PEERS:
            assert figures == {"status": NOT_INSTALLED}
        else:
            assert figures["seconds"] > 0
            assert figures["rows"] == {"month": 44_640, "small": 4 * 1440}.get(name, 5_000)
            assert figures["peak_mb"] >= figures["imported_mb"] > 0
    assert NAME in kept[name]["contenders"]


@pytest.mark.slow
def test_the_other_benches_say_what_they_worked_on(kept: dict[str, Any]) -> None:
    assert kept["pull"]["objects"] == 3
    assert kept["plan"]["keys"] == 40
    assert (kept["gate"]["partitions"], kept["gate"]["rows"], kept["gate"]["conditions"]) == (2, 2880, ["available"])
    assert (kept["gaps"]["series"], kept["gaps"]["days"]) == (3, 180)
    assert kept["gaps"]["gaps"] > 0
    assert kept["reconcile"]["rows_in"] == 2 * 44_640
    assert (kept["reconcile"]["pairs_equal"], kept["reconcile"]["pairs_different"]) == (44_595, 45)
    assert kept["dag_parse"]["dags"] >= 27
    first, second, *_ = Step
    assert list(kept["startup"]) == ["python", *(f"step {step} {how}" for step in (first, second) for how in HOW)]


def test_the_starts_of_every_step_are_measured_where_figures_are_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_median", lambda command, _environment, _repeats: command)
    commands = startup.run_startup()
    assert set(commands) == {"python", *(f"step {step} {how}" for step in Step for how in HOW)}
    for step in Step:
        assert commands[f"step {step} --help"][1:] == ["step", step, "--help"]


@pytest.mark.slow
def test_no_fault_passes_us_in_silence_and_a_sound_file_does(kept: dict[str, Any]) -> None:
    answers = {fault: said[NAME] for fault, said in kept["hostile"].items()}
    silent = {fault for fault, answer in answers.items() if answer["did"] == PASSES}
    assert silent == {fault for fault in answers if fault.startswith("nothing")}
    assert all(sound(answers[fault]) for fault in silent)


@pytest.mark.slow
def test_absent_peers_are_reported_as_such_for_every_fault(kept: dict[str, Any]) -> None:
    did = {said[peer]["did"] for said in kept["hostile"].values() for peer in PEERS}
    assert did == {NOT_INSTALLED}


@pytest.mark.slow
def test_the_page_shows_every_result(kept: dict[str, Any]) -> None:
    from tests.bench.machine import machine

    page = render.page({name: {"machine": machine(), "result": result} for name, result in kept.items()})
    assert page.count("Not measured yet") == len(suite.WITH_ENGINE)
    assert page.count(NOT_INSTALLED) >= 2 * len(PEERS)
    assert page.count("<sub>") == len(NAMES)


def test_the_committed_page_is_what_the_committed_results_say() -> None:
    assert render.PAGE.read_text() == render.page(render._kept())
