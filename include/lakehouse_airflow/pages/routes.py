"""The addresses of the pages. Airflow mounts plugins without its login, so each address asks for the login itself."""

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import Depends, FastAPI, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from lakehouse_airflow.pages import Application, reading
from lakehouse_airflow.pages.answering import WithHeaders, add_error_pages

MAY_READ_RUNS = Depends(requires_access_dag("GET", DagAccessEntity.RUN))


def readable_dags(user: GetUserDep) -> set[str]:
    """Returns the DAGs that the user may read."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def new_application() -> Application:
    """Returns the pages as an application."""
    # Automatic redirects to addresses with a slash would repeat the host that the request names.
    pages = FastAPI(title="Pages of the lake", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    add_error_pages(pages)

    @pages.get("/reports/")
    def index(readable: Annotated[set[str], Depends(readable_dags)]) -> Response:
        """Answers with the newest runs of all tables."""
        return HTMLResponse(reading.index_page(readable))

    @pages.get("/reports/{dag_id}/", dependencies=[MAY_READ_RUNS])
    def table(dag_id: str) -> Response:
        """Answers with the newest runs of a table."""
        return HTMLResponse(reading.table_page(dag_id))

    @pages.get("/reports/{dag_id}/{run_id}", dependencies=[MAY_READ_RUNS])
    def run(dag_id: str, run_id: str) -> Response:
        """Leads to the report of a run, or answers why there is none."""
        message = reading.run_message(dag_id, run_id)
        return RedirectResponse(reading.run_address(run_id), 307) if message is None else HTMLResponse(message)

    @pages.get("/reports/{dag_id}/{run_id}/{path:path}", dependencies=[MAY_READ_RUNS])
    def file(dag_id: str, run_id: str, path: str) -> Response:
        """Answers with a page that a run left in the lake."""
        return HTMLResponse(reading.run_file(dag_id, run_id, path))

    @pages.get("/{path:path}")
    def unknown(path: str) -> Response:
        """Answers that there is no such page."""
        raise HTTPException(404)

    return WithHeaders(pages)
