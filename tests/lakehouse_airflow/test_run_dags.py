"""DAGs without a scheduler: what is reported, and which exit code ends the program."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.waiting import is_running, wait_until

pytestmark = pytest.mark.filterwarnings("ignore")


class FakeDag:
    """A DAG whose runs end in a given state."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.confs: list[dict[str, Any]] = []

    def test(self, run_conf: dict[str, Any]) -> Any:
        self.confs.append(run_conf)
        return SimpleNamespace(state=self.state, run_id="manual__1")


@pytest.mark.parametrize(("states", "code"), [(["success", "success"], 0), (["failed", "success"], 1)])
def test_every_run_is_reported_and_a_failed_one_decides(
    states: list[str], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from lakehouse_airflow import run_dags

    dags = {f"dag_{number}": FakeDag(state) for number, state in enumerate(states)}
    monkeypatch.setattr(run_dags, "_dag", dags.__getitem__)
    runs = [{"dag_id": name, "conf": {"symbols": [name]}} for name in dags]
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert run_dags.main([tmp_path / "runs.json"]) == code
    lines = capfd.readouterr().out.splitlines()
    assert all(line.startswith("@") for line in lines)
    events = [json.loads(line[1:]) for line in lines]
    assert [event["state"] for event in events if event["event"] == "end"] == states
    assert [event["number"] for event in events if event["event"] == "start"] == [1, 2]
    assert [dag.confs for dag in dags.values()] == [[run["conf"]] for run in runs]


def test_a_value_that_no_param_takes_ends_the_program_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crypto_lakehouse.datasets import dataset
    from lakehouse_airflow import run_dags
    from lakehouse_airflow.choices import run_params

    name = "binance_um_klines"
    symbols = run_params(dataset(name))["symbols"]

    class CheckingDag:
        def test(self, run_conf: dict[str, Any]) -> None:
            symbols.resolve(run_conf["symbols"])

    monkeypatch.setattr(run_dags, "_dag", lambda _: CheckingDag())
    (tmp_path / "runs.json").write_text(json.dumps([{"dag_id": name, "conf": {"symbols": ["BTC/USDT"]}}]))
    with pytest.raises(SystemExit) as raised:
        run_dags.main([tmp_path / "runs.json"])
    assert str(raised.value).startswith(f"{name}: 'BTC/USDT' does not match ")
    assert "\n" not in str(raised.value)


_TWO_LISTS = """
import os, sys, time
from pathlib import Path
from types import SimpleNamespace
from lakehouse_airflow import run_dags
class Dag:
    def __init__(self, name):
        self.name = name
    def test(self, run_conf):
        print("the log of", self.name, flush=True)
        if self.name == "slow":
            Path(run_conf["place"]).write_text(str(os.getpid()))
            time.sleep(3600)
        return SimpleNamespace(state="failed" if self.name == "bad" else "success", run_id="manual__1")
run_dags._load_airflow = lambda: None
run_dags._dag = Dag
sys.exit(run_dags.main([Path(path) for path in sys.argv[1:]]))
"""


def written(path: Path, dag_id: str, **conf: str) -> str:
    path.write_text(json.dumps([{"dag_id": dag_id, "conf": conf}]))
    return str(path)


@pytest.mark.parametrize(("second", "code"), [("fine", 0), ("bad", 1)])
def test_lists_run_at_the_same_time_each_with_its_own_log(second: str, code: int, tmp_path: Path) -> None:
    lists = [written(tmp_path / f"{name}.json", name) for name in ("good", second)]
    done = subprocess.run([sys.executable, "-c", _TWO_LISTS, *lists], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    events = [json.loads(line[1:]) for line in done.stdout.splitlines()]
    assert {event["dag_id"] for event in events if event["event"] == "end"} == {"good", second}
    assert (tmp_path / f"{second}.log").read_text() == f"the log of {second}\n"


def test_the_processes_of_the_lists_end_with_the_program(tmp_path: Path) -> None:
    place = tmp_path / "place"
    lists = [written(tmp_path / f"{number}.json", "slow", place=f"{place}-{number}") for number in range(2)]
    with subprocess.Popen([sys.executable, "-c", _TWO_LISTS, *lists], stdout=subprocess.DEVNULL) as program:
        places = [Path(f"{place}-{number}") for number in range(2)]
        wait_until(lambda: all(one.exists() and one.read_text() for one in places), progress=program.poll)
        program.kill()
    wait_until(lambda: not any(is_running(int(one.read_text())) for one in places))


_LOADED = """
import os, sys
from lakehouse_airflow import run_dags
run_dags._load_airflow()
from airflow import settings
from airflow.sdk.execution_time.supervisor import in_process_api_server
made = in_process_api_server().app._cadwyn_initialized
print(len(os.listdir("/proc/self/task")), settings.engine.pool.checkedout(), made)
"""


@pytest.mark.slow
def test_a_process_that_has_loaded_airflow_can_be_forked_and_its_api_is_made() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-3:] == ["1", "0", "True"]


def test_dag_files_with_an_error_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing import dagbag

    from lakehouse_airflow import run_dags

    broken = SimpleNamespace(import_errors={"dags/x.py": "SyntaxError"}, dags={})
    monkeypatch.setattr(dagbag, "DagBag", lambda: broken)
    with pytest.raises(SystemExit, match="DAG files do not load"):
        run_dags._dag("any")


@pytest.mark.parametrize(("dag_id", "wanted"), [("binance_um_metrics", "binance_um_metrics"), ("fill_gaps", None)])
def test_only_a_dag_that_triggers_none_is_loaded_alone(
    dag_id: str, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.dag_processing import dagbag
    from airflow.sdk import get_parsing_context

    from lakehouse_airflow import run_dags

    seen: list[str | None] = []

    def bag() -> Any:
        seen.append(get_parsing_context().dag_id)
        return SimpleNamespace(import_errors={}, dags={dag_id: dag_id})

    monkeypatch.setattr(dagbag, "DagBag", bag)
    # The one before asked for another.
    monkeypatch.setenv(run_dags._WANTED, "binance_um_klines")
    assert (run_dags._dag(dag_id), seen) == (dag_id, [wanted])
