"""Serves an S3 store on port 8333 from the volume at /data: SeaweedFS. Its other ports stay inside the container.

A healthy store has two buckets: the lake's, and one for the archive of the demonstration, which everybody on the
network may read. Each has its own key, which the service `secrets` creates. The key `reader` may read the lake and
change nothing.
"""

import configparser
import contextlib
import json
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import FrameType
from typing import Any

WEED = str(Path(sys.executable).with_name("weed"))
DATA, CONFIG, READY = Path("/data"), Path("/tmp/s3.json"), Path("/tmp/ready")  # noqa: S108  a container's own
SECRETS = Path("/secrets")
BUCKETS = {"lake": "lakehouse", "archive": "data.binance.vision"}
OPEN_TO_READERS = BUCKETS["archive"]
PORT, MASTER, FILER = 8333, 9333, 8888
_START_SECONDS, _ONCE_SECONDS = 60.0, 15.0
_OPTIONS = (
    *(f"-dir={DATA}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={MASTER}", "-volume.port=8081"),
    *("-volume.max=0", "-master.volumeSizeLimitMB=1024", "-filer", f"-filer.port={FILER}", "-s3", f"-s3.port={PORT}"),
    *("-s3.ip.bind=0.0.0.0", f"-s3.config={CONFIG}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
)


def main() -> int:
    """Serves until it gets a signal to end; returns the server's exit code."""
    READY.unlink(missing_ok=True)
    CONFIG.write_text(json.dumps({"identities": _identities()}), encoding="ascii")
    CONFIG.chmod(0o600)
    process = subprocess.Popen([WEED, "-logtostderr=true", "-v=0", "server", *_OPTIONS])  # noqa: S603  a list, our own words

    def end(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and not READY.exists():
        if time.monotonic() > deadline:
            process.kill()
        elif _answers() and _buckets_are_there():
            READY.touch()
        else:
            time.sleep(0.5)
    return process.wait()


def _identities() -> list[dict[str, Any]]:
    rights = {name: (bucket, ("Read", "Write", "List", "Tagging")) for name, bucket in BUCKETS.items()}
    rights["reader"] = (BUCKETS["lake"], ("Read", "List"))
    known: list[dict[str, Any]] = [
        {
            "name": name,
            "credentials": [_key(SECRETS / name / "credentials")],
            "actions": [f"{action}:{bucket}" for action in actions],
        }
        for name, (bucket, actions) in rights.items()
    ]
    return [*known, {"name": "anonymous", "actions": [f"{action}:{OPEN_TO_READERS}" for action in ("Read", "List")]}]


def _key(path: Path) -> dict[str, str]:
    credentials = configparser.ConfigParser(interpolation=None)
    with path.open(encoding="ascii") as file:
        credentials.read_file(file)
    pair = credentials["default"]
    return {"accessKey": pair["aws_access_key_id"], "secretKey": pair["aws_secret_access_key"]}


def _answers() -> bool:
    with contextlib.suppress(urllib.error.URLError, OSError):
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=3).status == 200)
    return False


def _buckets_are_there() -> bool:
    """Creates the buckets if they are missing; returns whether both can be listed."""
    shell = [WEED, "shell", f"-master=127.0.0.1:{MASTER}", f"-filer=127.0.0.1:{FILER}"]
    words = [*(f"s3.bucket.create -name {bucket}" for bucket in BUCKETS.values()), "s3.bucket.list"]
    with contextlib.suppress(subprocess.TimeoutExpired):
        output = subprocess.run(  # noqa: S603  our own program and words
            shell, input="\n".join([*words, ""]), capture_output=True, text=True, timeout=_ONCE_SECONDS, check=False
        ).stdout
        listed = {line.split()[0] for line in output.splitlines() if line.split()}
        return set(BUCKETS.values()) <= listed
    return False


if __name__ == "__main__":
    sys.exit(not (READY.exists() and _answers()) if sys.argv[1:] == ["--healthy"] else main())
