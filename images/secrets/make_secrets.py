"""Makes the secrets of a stack on one machine, once: `python make_secrets.py [FOLDER]`.

Each service mounts one folder of them and sees no other. What is there already is kept, so that a second start changes
nothing; to have a secret made anew, remove its file while the stack is down. Not so the database's password: the
cluster keeps its first one, and Airflow would be locked out by another in its URL.
"""

import base64
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

FOLDER = Path("/secrets")
_CREDENTIALS = "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n"
_DATABASE = "postgresql+psycopg2://airflow:{}@database:5432/airflow"


def main(folder: Path = FOLDER) -> int:
    """Writes what is missing; returns the exit code."""
    for name, new in _makers(folder).items():
        path = folder / name
        if not path.exists() and _write_once(path, new()):
            print(f"made {name}")
    return 0


def _makers(folder: Path) -> dict[str, Callable[[], str]]:
    """Returns what makes each file; a file may be made of those before it."""
    return {
        "database/password": secrets.token_hex,
        "airflow/database-url": lambda: _DATABASE.format((folder / "database/password").read_text(encoding="ascii")),
        "airflow/fernet-key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "airflow/jwt-secret": lambda: secrets.token_hex(64),
        "airflow/api-secret-key": secrets.token_hex,
        "login/passwords.json": lambda: json.dumps({"admin": secrets.token_urlsafe(18)}),
        "lake/credentials": _key_pair,
        "archive/credentials": _key_pair,
    }


def _key_pair() -> str:
    return _CREDENTIALS.format(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))


def _write_once(path: Path, text: str) -> bool:
    """Makes a file that is there as a whole or not at all, and that only its owner may read.

    Returns:
        Whether it was made here and not by another start meanwhile, whose secret counts.
    """
    path.parent.chmod(0o700)
    number, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link refuses to replace what is there.
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        Path(unfinished).unlink()
    return True


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
