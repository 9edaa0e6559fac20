"""Airflow's REST API as somebody outside uses it: over HTTP, with the generated password."""

from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import requests

from tests.waiting import STANDSTILL_SECONDS, wait_until


def token(url: str, password: str) -> str:
    """Returns a token for the administrator."""
    answer = requests.post(
        f"{url}/auth/token", json={"username": "admin", "password": password}, timeout=STANDSTILL_SECONDS
    )
    answer.raise_for_status()
    return str(answer.json()["access_token"])


@dataclass(frozen=True)
class AirflowApi:
    """The API, as somebody who has logged in."""

    url: str
    token: str = field(repr=False)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.request(
            method, f"{self.url}/api/v2/{path}", json=body, headers=headers, timeout=STANDSTILL_SECONDS
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def page(self, path: str) -> str:
        """Returns a page of Airflow's UI."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = requests.get(f"{self.url}/{path}", headers=headers, timeout=STANDSTILL_SECONDS)
        assert answer.ok, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer.text

    def parsed(self, dag: str) -> None:
        """Returns once the DAG processor has read the DAG."""
        wait_until(
            lambda: self.ask("GET", f"dags?dag_id_pattern={dag}")["total_entries"],
            progress=lambda: str(self.ask("GET", "importErrors")),
            pause=1,
        )

    def trigger(self, dag: str, conf: dict[str, Any]) -> str:
        """Starts a run and returns its id; a paused DAG would leave it waiting."""
        self.ask("PATCH", f"dags/{dag}", {"is_paused": False})
        return str(self.ask("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def finished(self, dag: str, run: str) -> str:
        """Returns the state of a run once it has ended; fails where no task of it changes any more."""

        def end() -> str:
            state = str(self.ask("GET", f"dags/{dag}/dagRuns/{run}")["state"])
            return state if state in {"success", "failed"} else ""

        return wait_until(end, progress=lambda: self.tasks(dag, run), pause=1)

    def tasks(self, dag: str, run: str) -> list[tuple[str, int, str, int]]:
        """Returns name, map index, state and tries of a run's tasks."""
        found = self.ask("GET", f"dags/{dag}/dagRuns/{run}/taskInstances?limit=200")["task_instances"]
        names = ("task_id", "map_index", "state", "try_number")
        return sorted(
            (task, index, str(state), number) for task, index, state, number in map(itemgetter(*names), found)
        )
