"""The pages of the lake in Airflow's UI: reports of runs and Data Docs, behind Airflow's own login.

Every process of Airflow imports the plugin that names `application`; only the API server calls it. So the first request
loads what the pages need.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

PREFIX = "/lakehouse"
"""Where the API server mounts the pages."""

RUN_ROUTE = "lakehouse-run-report"
"""The name of the tab of a run, in addresses of Airflow's UI."""

EXTERNAL_VIEWS = [
    {
        "name": "Quality reports",
        "href": "lakehouse/reports/",
        "destination": "nav",
        "category": "browse",
        "url_route": "lakehouse-reports",
    },
    {
        "name": "Quality reports",
        "href": "lakehouse/reports/{DAG_ID}/",
        "destination": "dag",
        "url_route": "lakehouse-dag-reports",
    },
    {
        "name": "Quality report",
        "href": "lakehouse/reports/{DAG_ID}/{RUN_ID}",
        "destination": "dag_run",
        "url_route": RUN_ROUTE,
    },
    {
        "name": "Quality report",
        "href": "lakehouse/reports/{DAG_ID}/{RUN_ID}",
        "destination": "task_instance",
        "url_route": "lakehouse-task-report",
    },
]
"""The entry of the menu, and the tabs of a DAG, a run and a task. Addresses are relative to Airflow's base URL."""


def base_path() -> str:
    """Returns the path of Airflow's base URL, without a slash at its end."""
    from airflow.sdk.configuration import conf

    url: str = conf.get("api", "base_url", fallback="")
    return urlsplit(url).path.rstrip("/")


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Answers a request for a page."""
    await _application()(scope, receive, send)


@cache
def _application() -> Application:
    from lakehouse_airflow.pages.routes import new_application

    return new_application()
