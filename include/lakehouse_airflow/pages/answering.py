"""Answers of the pages: their headers, and a page in words for each error."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from crypto_lakehouse.errors import LakehouseError, TransientError
from crypto_lakehouse.reports.run_pages import Link, Message, message_page
from lakehouse_airflow.pages import Application, Receive, Send, base_path
from lakehouse_airflow.pages import Message as Event

HEADERS = {
    # Pages of the lake hold their own style, and nothing else is loaded or run: a hostile file of the lake
    # cannot act in the name of the user.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
"""Headers of every answer."""


_UNKNOWN_LOGIN = "Invalid JWT token"
"""Airflow's words, with status 403, for a login of another key or of an account that is gone: a new login helps."""


class NoPage(Exception):
    """There is no such page.

    Args:
        message: The reason, and what to do.
        navigation: Links to pages that there are.
    """

    def __init__(self, message: Message, navigation: Sequence[Link] = ()) -> None:
        super().__init__(message.title)
        self.message, self.navigation = message, navigation


class WithHeaders:
    """An application whose answers have the headers of the pages, also those that its framework gives.

    Args:
        inner: The application.
    """

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answers a request."""

        async def send_with_headers(event: Event) -> None:
            if event["type"] == "http.response.start":
                ours = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                event = {**event, "headers": [*event.get("headers", ()), *ours]}
            await send(event)

        await self._inner(scope, receive, send_with_headers)


def add_error_pages(application: FastAPI) -> None:
    """Lets an application answer errors with pages, and a browser without a login with Airflow's login."""

    @application.exception_handler(NoPage)
    def no_page(_request: Request, error: NoPage) -> Response:
        return HTMLResponse(message_page(error.message, error.navigation), 404)

    @application.exception_handler(LakehouseError)
    def lake_failed(_request: Request, error: LakehouseError) -> Response:
        return HTMLResponse(message_page(_of_lake(error)), 503 if isinstance(error, TransientError) else 500)

    @application.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": error.detail}, error.status_code)
        if error.status_code == 401 or error.detail == _UNKNOWN_LOGIN:
            return RedirectResponse(_login(request), 303)
        return HTMLResponse(message_page(_of_airflow(error)), error.status_code)


def _login(request: Request) -> str:
    """Returns the address of Airflow's login, which leads back to the page."""
    page = quote(request.url.path, safe="/%")
    return f"{base_path()}/api/v2/auth/login?{urlencode({'next': page})}"


def _of_lake(error: LakehouseError) -> Message:
    return Message(
        "The lake did not answer as it should",
        paragraphs=(
            *(line for line in (error.what, error.advice) if line),
            "Airflow's API server reads the lake itself. It needs the settings of the lake (CRYPTO_LAKEHOUSE_LAKE, and "
            "the settings of its store) and the right to list and read it.",
        ),
    )


def _of_airflow(error: Any) -> Message:
    words = {
        403: "Your user of Airflow may not read the runs of this DAG. Ask for the right to read it.",
        404: "There is no such page.",
    }
    return Message(words.get(error.status_code, str(error.detail)))
