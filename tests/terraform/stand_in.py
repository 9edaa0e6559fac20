"""moto's server, quiet, with two things without which Terraform waits for ever.

They are a header of lifecycles, and that versions can be deleted where delete markers lie between them.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.s3.models import FakeDeleteMarker
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

_LIFECYCLE_HEADER = ("x-amz-transition-default-minimum-object-size", "all_storage_classes_128K")


def _dispose(_marker: FakeDeleteMarker, _garbage: bool = False) -> None:
    """Does nothing: moto disposes of everything that a list of versions loses, and a marker holds no file."""


# Without it, moto 5.2.5 answers DeleteObjects with 500, and Terraform repeats the request until its own limit.
FakeDeleteMarker.dispose = _dispose  # type: ignore[attr-defined]


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Says nothing: a thousand requests are no news."""


def _with_lifecycle_header(app: Wsgi) -> Wsgi:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            is_lifecycle = environ["QUERY_STRING"].startswith("lifecycle") and status.startswith("200")
            return start_response(status, [*headers, *([_LIFECYCLE_HEADER] if is_lifecycle else [])], *rest)

        return app(environ, start)

    return answer


@contextmanager
def stand_in(host: str = "127.0.0.1") -> Iterator[str]:
    """Serves AWS's stand-in at an address of this machine and yields its endpoint."""
    app = _with_lifecycle_header(DomainDispatcherApplication(create_backend_app))
    server = make_server(host, 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
