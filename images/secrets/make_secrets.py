"""Creates the secrets of a stack on one machine, once: `python make_secrets.py [FOLDER]`.

Each service mounts its own folder of secrets and sees no other. Existing files are kept, so a second start changes
nothing. To replace a secret, remove its file while the stack is down. The database's password cannot be replaced so:
the cluster keeps its first password, and Airflow could not log in with another one.
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
    """Writes the missing files; returns the exit code."""
    for name, new in _makers(folder).items():
        path = folder / name
        if not path.exists() and _write_once(path, new()):
            print(f"created {name}")
    return 0


def _makers(folder: Path) -> dict[str, Callable[[], str]]:
    """Returns a function per file that creates its content; a file may depend on files before it."""
    return {
        "database/password": secrets.token_hex,
        "airflow/database-url": lambda: _DATABASE.format((folder / "database/password").read_text(encoding="ascii")),
        "airflow/fernet-key": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "airflow/jwt-secret": lambda: secrets.token_hex(64),
        "airflow/api-secret-key": secrets.token_hex,
        "login/passwords.json": lambda: json.dumps({"admin": secrets.token_urlsafe(18)}),
        "lake/credentials": _key_pair,
        "archive/credentials": _key_pair,
        "reader/credentials": _key_pair,
    }


def _key_pair() -> str:
    return _CREDENTIALS.format(secrets.token_hex(10).upper(), secrets.token_urlsafe(30))


def _write_once(path: Path, text: str) -> bool:
    """Creates a file atomically; only its owner may read it.

    Returns:
        Whether this process created it. If another start created it meanwhile, that secret is kept.
    """
    path.parent.chmod(0o700)
    number, unfinished = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # Unlike a rename, a link does not replace an existing file.
        os.link(unfinished, path)
    except FileExistsError:
        return False
    finally:
        Path(unfinished).unlink()
    return True


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
