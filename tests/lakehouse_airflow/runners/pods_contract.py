"""How steps behave as pods, whatever runs the pods: the provider's own operator, client and trigger, unmodified.

A module of tests makes a class of this one and gives it a fixture `place`.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kubernetes.cluster import Node
from tests.fakes.kubernetes.pod_security import OURS, RESTRICTED, violations
from tests.lakehouse_airflow.runners.conftest import GOOD, GOOD_FIGURES, ORDER, WHAT_DECIDES, finished, task_context
from tests.lakehouse_airflow.runners.pods_place import (
    CANARY,
    REPOSITORY,
    SECRET_VARIABLE,
    SHORT,
    SLOW,
    TALKING,
    WORKER,
    Place,
    both_ways,
    failure,
    in_thread,
    is_final,
)
from tests.waiting import wait_until


class PodsContract:
    @both_ways
    def test_a_good_result_gives_its_counts_and_the_pod_is_removed(self, deferrable: bool, place: Place) -> None:
        deferrals: list[int] = []
        one = place.operator(facts=GOOD, script="time.sleep(1)", deferrable=deferrable)
        assert finished(one, task_context(), lambda: deferrals.append(1)) == GOOD_FIGURES
        assert bool(deferrals) is deferrable
        assert len(place.cluster.created) == 1
        wait_until(lambda: place.cluster.pods == {})
        assert place.api.refused == []

    @both_ways
    @WHAT_DECIDES
    def test_the_result_file_decides(
        self, facts: bytes | None, code: int, message: str, final: bool, deferrable: bool, place: Place
    ) -> None:
        error = failure(place.operator(code=code, facts=facts, deferrable=deferrable))
        assert message in str(error)
        assert is_final(error) is final

    @both_ways
    def test_a_server_that_lies_about_success_convinces_nobody(self, deferrable: bool, place: Place) -> None:
        lies: list[str] = []

        def succeeded(pod: dict[str, Any]) -> None:
            if pod["status"]["phase"] == "Failed":
                lies.append(pod["metadata"]["name"])
                pod["status"]["phase"] = "Succeeded"
                pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] = 0

        place.api.lie = succeeded
        error = failure(place.operator(code=7, deferrable=deferrable))
        assert "left no result" in str(error)
        assert "exit code 0" in str(error)
        assert lies, "the fault was met"

    @both_ways
    def test_a_server_that_lies_about_failure_fails_no_order_for_good(self, deferrable: bool, place: Place) -> None:
        lies: list[str] = []

        def failed(pod: dict[str, Any]) -> None:
            if pod["status"]["phase"] == "Succeeded":
                lies.append(pod["metadata"]["name"])
                pod["status"]["phase"] = "Failed"
                pod["status"]["containerStatuses"][0]["state"]["terminated"] |= {"exitCode": 3, "reason": "Error"}

        place.api.lie = failed
        error = failure(place.operator(facts=GOOD, deferrable=deferrable))
        assert "contradict each other" in str(error)
        assert not is_final(error), "the next try tells"
        assert lies, "the fault was met"

    def test_a_pod_is_restricted_and_more(self, place: Place) -> None:
        finished(place.operator(facts=GOOD, service_account="lake-steps"), task_context())
        [pod] = place.cluster.created
        assert violations(pod, (*RESTRICTED, *OURS)) == []
        assert len(pod["spec"]["containers"]) == 1, "no sidecar"
        assert pod["spec"]["containers"][0]["args"] == ["step", "pull", "--work-order", ORDER]
        assert pod["spec"]["serviceAccountName"] == "lake-steps"

    def test_a_secret_is_referred_to_and_reaches_the_step_and_no_log(
        self, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        place.monkeypatch.setenv(SECRET_VARIABLE, CANARY)
        place.cluster.secrets["lake-keys/secret"] = f"{CANARY}-of-the-cluster"
        script = (
            f"pathlib.Path(os.environ['CRYPTO_LAKEHOUSE_LAKE'], 'seen').write_text(os.environ['{SECRET_VARIABLE}'])"
        )
        failure(place.operator(code=3, script=script, secrets={SECRET_VARIABLE: "lake-keys/secret"}))
        assert (place.lake / "seen").read_text() == f"{CANARY}-of-the-cluster"
        assert CANARY not in json.dumps([place.cluster.created, place.cluster.events])
        assert CANARY not in "".join(capfd.readouterr())

    @both_ways
    def test_an_image_that_is_nowhere_fails_soon_and_is_named(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        place.image = "127.0.0.1:9/nowhere:none"
        began = time.monotonic()
        error = failure(place.operator(deferrable=deferrable, startup_timeout_seconds=600))
        assert time.monotonic() - began < 600, "sooner than it would have been given up"
        said = "".join(capfd.readouterr())
        assert "left no result" in str(error)
        assert not is_final(error)
        assert "the operator reports: " in said
        told = "unable to start: (ErrImagePull Failed to pull|ImagePullBackOff Back-off pulling)"
        assert re.search(f'Image cannot be pulled, {told} image "{place.image}"', said)
        wait_until(lambda: place.cluster.pods == {})

    @both_ways
    def test_a_registry_in_trouble_is_waited_for_no_longer_than_said(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        waits: list[str] = []

        def busy(pod: dict[str, Any]) -> None:
            for one in pod["status"].get("containerStatuses", ()):
                if waiting := one["state"].get("waiting"):
                    waits.append(waiting["reason"])
                    waiting["message"] = "registry: 503 Service Unavailable"

        place.image = "127.0.0.1:9/nowhere:none"
        place.api.lie = busy
        began = time.monotonic()
        failure(place.operator(deferrable=deferrable, **SHORT))
        assert {"ErrImagePull", "ImagePullBackOff"} <= set(waits), "the fault was met"
        assert SHORT["startup_timeout_seconds"] <= time.monotonic() - began
        assert "Pod took too long to start. More than 3s" in "".join(capfd.readouterr())

    @both_ways
    def test_a_pod_that_fits_nowhere_fails_in_the_time_said_and_tells_why(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        place.cluster.nodes = (Node(mib=128),)
        began = time.monotonic()
        error = failure(place.operator(deferrable=deferrable, **SHORT))
        assert SHORT["startup_timeout_seconds"] <= time.monotonic() - began
        assert "left no result" in str(error)
        said = "".join(capfd.readouterr())
        assert "Pod took too long to be scheduled on the cluster" in said
        assert "0/1 nodes are available: 1 Insufficient memory." in said
        wait_until(lambda: place.cluster.pods == {})

    def test_a_pod_waits_for_room(self, place: Place) -> None:
        place.cluster.nodes = (Node(mib=128),)
        one = place.operator(facts=GOOD)
        with in_thread(one) as task:
            wait_until(lambda: bool(place.cluster.events))
            place.cluster.nodes = (Node(mib=8192),)
        assert task.result == GOOD_FIGURES
        assert place.cluster.events[0]["reason"] == "FailedScheduling", "the fault was met"

    def test_a_secret_that_is_nowhere_fails_in_the_time_said_and_tells_why(
        self, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        failure(place.operator(secrets={SECRET_VARIABLE: "lake-keys/secret"}, **SHORT))
        assert 'secret "lake-keys" not found' in "".join(capfd.readouterr())

    def test_settings_choose_the_node(self, place: Place) -> None:
        lake_pool = Node("lake", {"pool": "lake"}, ("spot=:NoSchedule",))
        place.cluster.nodes = (Node("other"), lake_pool, Node("taken", {"pool": "lake"}, ("gpu=:NoExecute",)))
        toleration = {"key": "spot", "operator": "Exists", "effect": "NoSchedule"}
        finished(place.operator(facts=GOOD, node_selector={"pool": "lake"}, tolerations=[toleration]), task_context())
        assert place.cluster.placed == ["lake"]
        failure(place.operator(facts=GOOD, node_selector={"pool": "lake"}, **SHORT))
        assert place.cluster.placed == ["lake"], "the control: without the toleration it is placed nowhere"

    def test_a_try_that_was_cut_off_is_joined_by_the_next_and_the_step_runs_once(self, place: Place) -> None:
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred):
            place.operator(facts=GOOD, script=SLOW, deferrable=True).execute(task_context())
        place.wait_for("started")
        # The trigger never fires: the triggerer's machine is gone, and the task was retried.
        one = place.operator(facts=GOOD, script=SLOW)
        place.go_when_joined()
        assert finished(one, task_context(try_number=2)) == GOOD_FIGURES
        assert len(place.cluster.created) == 1, "it was joined"

    @both_ways
    def test_a_worker_that_was_killed_leaves_a_pod_that_the_next_try_joins(
        self, deferrable: bool, place: Place
    ) -> None:
        place.operator(facts=GOOD, script=SLOW)
        path = os.pathsep.join(str(REPOSITORY / name) for name in ("include", "."))
        worker = subprocess.Popen([sys.executable, "-c", WORKER], env={**os.environ, "PYTHONPATH": path})
        try:
            place.wait_for("started")
            assert worker.poll() is None, "the fault: it was at work"
        finally:
            worker.kill()
            worker.wait()
        one = place.operator(facts=GOOD, script=SLOW, deferrable=deferrable)
        place.go_when_joined()
        assert finished(one, task_context(try_number=2)) == GOOD_FIGURES
        assert len(place.cluster.created) == 1, "it was joined"

    def test_a_pod_of_an_earlier_try_that_has_ended_is_replaced(self, place: Place) -> None:
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred):
            place.operator(code=9, script=SLOW, deferrable=True).execute(task_context())
        place.wait_for("started")
        place.go()
        wait_until(place.ended)
        place.cluster.linger_seconds = 1.0
        assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES
        assert len(place.cluster.created) == 2
        assert place.cluster.created[0]["metadata"]["name"] == place.cluster.created[1]["metadata"]["name"]

    def test_a_running_pod_that_the_operator_gave_up_is_replaced_and_not_joined(self, place: Place) -> None:
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred):
            place.operator(script=SLOW, deferrable=True).execute(task_context())
        place.wait_for("started")
        [name] = place.cluster.pods
        # It marks a pod before it removes it, and the server broke down in between.
        place.cluster.label(name, {"already_checked": "True"})
        assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES
        assert len(place.cluster.created) == 2

    def test_a_pod_of_another_lake_in_the_same_namespace_is_left_alone(self, place: Place, tmp_path: Path) -> None:
        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred):
            place.operator(script=SLOW, deferrable=True).execute(task_context())
        place.wait_for("started")
        other = place.lake = tmp_path / "other"
        other.mkdir()
        other.chmod(0o777)
        place.monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(other))
        place.cluster.claims["lake-claim"] = other
        assert finished(place.operator(facts=GOOD), task_context()) == GOOD_FIGURES
        labels = [pod["metadata"]["labels"] for pod in place.cluster.created]
        assert [one["run_id"] for one in labels] == ["manual__1"] * 2, "the fault: Airflow's labels are the same"
        assert len({one["crypto-lakehouse/name"] for one in labels}) == 2

    def test_a_connection_that_is_cut_between_looks_does_not_fail_a_step(self, place: Place) -> None:
        cuts: list[str] = []

        def cut(method: str, path: str) -> tuple[int, str] | None:
            if method == "GET" and path.rpartition("/")[2].startswith("lakehouse-"):
                place.go()
                if len(cuts) < 2:
                    cuts.append(path)
                    return 0, ""
            return None

        one = place.operator(facts=GOOD, script=SLOW, deferrable=True)

        def deferred() -> None:
            place.wait_for("started")
            place.api.fault = cut

        assert finished(one, task_context(), deferred) == GOOD_FIGURES
        assert len(cuts) == 2, "the fault was met"
        assert len(place.cluster.created) == 1

    @both_ways
    def test_a_pod_is_joined_whose_creation_was_not_answered(self, deferrable: bool, place: Place) -> None:
        lost: list[str] = []

        def lose(method: str, path: str) -> bool:
            if method == "POST" and not lost:
                lost.append(path)
                return True
            return False

        place.api.lose = lose
        assert finished(place.operator(facts=GOOD, deferrable=deferrable), task_context()) == GOOD_FIGURES
        assert len(lost) == 1, "the fault was met"
        assert len(place.cluster.created) == 1

    @both_ways
    def test_a_log_that_is_cut_in_the_middle_is_read_on(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        cuts: list[int] = []

        def cut(path: str, sent: int) -> bool:
            if path.endswith("/log") and sent == 8 and len(cuts) < 2:
                cuts.append(sent)
                return True
            return False

        place.api.cut = cut
        one = place.operator(facts=GOOD, script=TALKING, deferrable=deferrable)
        assert finished(one, task_context()) == GOOD_FIGURES
        assert len(cuts) == 2, "the fault was met"
        said = "".join(capfd.readouterr())
        assert [number for number in range(40) if not re.search(rf"line {number}\b", said)] == []

    def test_a_watch_that_is_cut_in_the_middle_does_not_fail_a_step(self, place: Place) -> None:
        cuts: list[str] = []

        def cut(path: str, _sent: int) -> bool:
            if path.endswith("/events"):
                cuts.append(path)
                return True
            return False

        place.api.cut = cut
        place.cluster.nodes = (Node(mib=128),)
        one = place.operator(facts=GOOD, deferrable=True)
        with in_thread(one) as task:
            wait_until(lambda: bool(cuts))
            place.cluster.nodes = (Node(),)
        assert task.result == GOOD_FIGURES

    @both_ways
    def test_a_pod_that_somebody_deletes_fails_the_try_and_the_next_succeeds(
        self, deferrable: bool, place: Place
    ) -> None:
        one = place.operator(facts=GOOD, script=SLOW, deferrable=deferrable)
        with in_thread(one) as task:
            place.wait_for("started")
            [name] = place.cluster.pods
            place.cluster.remove(name, 0.0)
        assert "left no result" in str(task.result)
        assert not is_final(task.result)
        assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES
        assert len(place.cluster.created) == 2

    def test_a_node_that_is_gone_with_its_pod_fails_the_try_and_the_next_succeeds(self, place: Place) -> None:
        with in_thread(place.operator(facts=GOOD, script=SLOW, deferrable=True)) as task:
            place.wait_for("started")
            [name] = place.cluster.pods
            place.cluster.forget(name)
        assert "left no result" in str(task.result)
        assert finished(place.operator(facts=GOOD), task_context(try_number=2)) == GOOD_FIGURES

    @both_ways
    def test_a_pod_that_takes_too_long_is_ended_by_the_cluster(
        self, deferrable: bool, place: Place, capfd: pytest.CaptureFixture[str]
    ) -> None:
        failure(place.operator(script=SLOW, deferrable=deferrable, deadline_seconds=2))
        assert (place.lake / "started").exists(), "the fault: it was at work"
        assert "DeadlineExceeded" in "".join(capfd.readouterr())

    def test_killing_the_task_removes_the_pod(self, place: Place) -> None:
        one = place.operator(facts=GOOD, script=SLOW)
        with in_thread(one):
            place.wait_for("started")
            one.on_kill()
        wait_until(lambda: place.cluster.pods == {})
        assert not (place.lake / "go").exists(), "the fault: it was at work"

    def test_ending_a_deferred_task_by_hand_removes_the_pod(self, place: Place) -> None:
        import asyncio

        from airflow.sdk.exceptions import TaskDeferred

        with pytest.raises(TaskDeferred) as raised:
            place.operator(facts=GOOD, script=SLOW, deferrable=True).execute(task_context())
        place.wait_for("started")
        asyncio.run(raised.value.trigger.on_kill())
        wait_until(lambda: place.cluster.pods == {})
