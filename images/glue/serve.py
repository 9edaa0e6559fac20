"""Serves moto's stand-in for AWS Glue on port 5000, after filling it from the lake.

moto keeps everything in memory, and each start rebuilds the catalog from the lake. So a restart loses nothing, and
nothing needs a backup. Callers are identified by the id of their key; signatures are not checked.
"""

import configparser
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

PORT, OWN_PORT = 5000, 5001
REBUILD = (str(Path(sys.executable).with_name("crypto-lakehouse")), "catalog", "rebuild")
Answer = Callable[[str, list[tuple[str, str]]], Any]


def main() -> int:
    """Serves until it gets a signal to end; returns the exit code."""
    glue = _for_owners_of(_key_id(), create_backend_app("glue"))
    # Nobody else may publish during the rebuild: it would take a new partition for a stale one.
    _serve(glue, "127.0.0.1", OWN_PORT)
    own = {"CRYPTO_LAKEHOUSE_CATALOG__GLUE_ENDPOINT_URL": f"http://127.0.0.1:{OWN_PORT}"}
    if code := subprocess.run(REBUILD, env={**os.environ, **own}, check=False).returncode:  # noqa: S603  a list, our own words
        return code
    # On all addresses of the container: compose decides who can reach them.
    _serve(glue, "0.0.0.0", PORT)  # noqa: S104  see above
    signal.sigwait((signal.SIGTERM, signal.SIGINT))
    return 0


def _key_id() -> str:
    credentials = configparser.ConfigParser()
    credentials.read(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    return credentials["default"]["aws_access_key_id"]


def _for_owners_of(key_id: str, application: Any) -> Any:
    def checked(environ: dict[str, Any], start: Answer) -> Iterable[bytes]:
        if f"Credential={key_id}/" in environ.get("HTTP_AUTHORIZATION", ""):
            return application(environ, start)
        start("403 Forbidden", [("Content-Type", "application/x-amz-json-1.1")])
        return [b'{"__type": "UnrecognizedClientException", "message": "this key is not the lake\'s"}']

    return checked


def _serve(application: Any, address: str, port: int) -> None:
    server = make_server(address, port, application, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    # Before the first thread starts: only this thread receives the signals.
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
    sys.exit(main())
