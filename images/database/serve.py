"""Serves PostgreSQL from the volume at /data, and creates its cluster at the first start."""

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "15"
PROGRAMS = Path("/usr/lib/postgresql") / VERSION / "bin"
DATA = Path("/data") / VERSION
PASSWORD = Path("/secrets/database/password")
_CLIENTS = "host airflow airflow all scram-sha-256\n"
_SETTINGS = {"listen_addresses": "*", "unix_socket_directories": "", "max_connections": "60", "shared_buffers": "64MB"}


def main() -> None:
    """Replaces this process by the server."""
    if not DATA.exists():
        _create_cluster()
    options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    os.execv(PROGRAMS / "postgres", ["postgres", "-D", str(DATA), *options])  # noqa: S606  our own arguments


def _create_cluster() -> None:
    # Created aside and moved, so that an interrupted start does not leave an incomplete cluster.
    unfinished = DATA.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    safe = ["--data-checksums", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8"]
    who = ["--username=airflow", f"--pwfile={PASSWORD}"]
    subprocess.run([PROGRAMS / "initdb", f"--pgdata={unfinished}", *safe, *who], check=True)  # noqa: S603  a list, our own words
    (unfinished / "pg_hba.conf").write_text(_CLIENTS, encoding="ascii")
    alone = [PROGRAMS / "postgres", "--single", "-D", unfinished, "postgres"]
    subprocess.run(alone, input=b"CREATE DATABASE airflow;\n", check=True)  # noqa: S603  a list, our own words
    unfinished.rename(DATA)


if __name__ == "__main__":
    main()
