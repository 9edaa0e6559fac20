"""Runs a pod's command as a process of this machine: an image is a command line here, a claim is a folder."""

import os
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes.kubernetes.cluster import Ending, Line, Mount, Pod
from tests.waiting import STANDSTILL_SECONDS


class ProcessRun:
    """A process, and what it printed."""

    def __init__(self, process: "subprocess.Popen[bytes]", environment: Mapping[str, str]) -> None:
        self.process, self.environment = process, environment
        self.lines: list[Line] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for text in self.process.stdout:
            self.lines.append(Line(datetime.now(UTC), text.rstrip(b"\n")))

    def ending(self) -> Ending | None:
        code = self.process.poll()
        if code is None or self._reader.is_alive():
            return None
        return Ending(code % 256 if code >= 0 else 128 - code)

    def stop(self, grace_seconds: float) -> None:
        self.process.terminate()
        try:
            self.process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(STANDSTILL_SECONDS)


@dataclass
class Processes:
    """A carrier of processes.

    Args:
        folder: Where volumes that go with a pod are made.
        images: Command lines by an image's name.
        environment: What every process gets besides its own.
    """

    folder: Path
    images: dict[str, list[str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    runs: list[ProcessRun] = field(default_factory=list)

    def has(self, image: str) -> bool:
        return image in self.images

    def start(self, pod: Pod, environment: Mapping[str, str], mounts: list[Mount]) -> ProcessRun:
        container = pod["spec"]["containers"][0]
        folders = {mount.path: str(mount.folder or tempfile.mkdtemp(dir=self.folder)) for mount in mounts}
        # A variable that names a place in the container names the folder instead.
        moved = {name: _moved(value, folders) for name, value in environment.items()}
        given = {"PATH": os.environ["PATH"], **self.environment, **moved}
        process = subprocess.Popen(
            [*self.images[container["image"]], *container["args"]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=given,
        )
        self.runs.append(ProcessRun(process, given))
        return self.runs[-1]


def _moved(value: str, folders: Mapping[str, str]) -> str:
    for path, folder in folders.items():
        if value == path:
            return folder
        value = value.replace(f'"{path}/', f'"{folder}/')
    return value
