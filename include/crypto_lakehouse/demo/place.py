"""Where a demonstration lives: its lake, its Airflow, and the servers that its DAGs read from."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crypto_lakehouse.demo.airflow_home import REPOSITORY, airflow_environment
from crypto_lakehouse.demo.requests import EXCHANGE_NOW
from crypto_lakehouse.demo.serving import serve_bucket, serve_exchange
from crypto_lakehouse.settings import ArchiveSettings

HOME = REPOSITORY / ".demo"
LATEST = HOME / "latest.json"
SYNTHETIC_ARCHIVE = HOME / "synthetic" / "archive"


@dataclass(frozen=True, slots=True)
class Place:
    """The lake of a demonstration and what it is made from.

    Args:
        title: Short description of the archive for the reader.
        home: Folder of the lake and of Airflow.
        folder: The folder to serve as a bucket. None for a bucket that exists.
        bucket: Name of the bucket.
    """

    title: str
    home: Path
    folder: Path | None
    bucket: str = ArchiveSettings().bucket

    @property
    def lake(self) -> Path:
        """Root of the lake."""
        return self.home / "lake"

    @property
    def is_synthetic(self) -> bool:
        """Whether the archive is the synthetic one, which has an exchange of its own."""
        return self.folder == SYNTHETIC_ARCHIVE


def remember(place: Place) -> None:
    """Records the place, so that `make up` opens it."""
    facts = {
        "title": place.title,
        "home": str(place.home),
        "folder": str(place.folder or ""),
        "bucket": place.bucket,
    }
    LATEST.parent.mkdir(parents=True, exist_ok=True)
    LATEST.write_text(json.dumps(facts), encoding="utf-8")


def latest_place() -> Place | None:
    """Returns the place of the latest demonstration, or None if there is none, or its lake or archive is gone."""
    try:
        facts = json.loads(LATEST.read_text(encoding="utf-8"))
        folder = Path(facts["folder"]) if facts["folder"] else None
        place = Place(facts["title"], Path(facts["home"]), folder, facts["bucket"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_whole = place.lake.is_dir() and (place.folder is None or place.folder.is_dir())
    return place if is_whole else None


@contextmanager
def served(place: Place) -> Iterator[dict[str, str]]:
    """Serves archive and exchange of a place, and yields the environment of its Airflow.

    Raises:
        SourceUnavailable: A server did not start.
    """
    with _archive(place) as archive, _exchange(place) as exchange:
        extra = {
            **archive,
            **exchange,
            "CRYPTO_LAKEHOUSE_ARCHIVE__BUCKET": place.bucket,
            "CRYPTO_LAKEHOUSE_RUNNER": "local",
        }
        yield airflow_environment(place.home / "airflow", str(place.lake), extra)


@contextmanager
def _archive(place: Place) -> Iterator[Mapping[str, str]]:
    name = "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL"
    if place.folder is None:
        yield {name: os.environ.get(name, ArchiveSettings().endpoint_url)}
        return
    with serve_bucket(place.folder, place.bucket) as endpoint:
        yield {name: endpoint}


@contextmanager
def _exchange(place: Place) -> Iterator[Mapping[str, str]]:
    """Yields the settings of the exchange: the real exchange for its bucket, none for a folder, else a local one."""
    if place.folder is None:
        yield {}
    elif not place.is_synthetic:
        yield {"CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false"}
    else:
        program = [sys.executable, "-m", "tests.fakes.exchange", "--still", "--now", EXCHANGE_NOW.isoformat()]
        with serve_exchange(program, REPOSITORY) as url:
            yield {
                "CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "true",
                **{f"CRYPTO_LAKEHOUSE_EXCHANGE__{name.upper()}_URL": f"{url}/{name}" for name in ("spot", "um", "cm")},
                "CRYPTO_LAKEHOUSE_EXCHANGE__LIMITS_FILE": str(place.home / "limits.sqlite"),
            }


def shown(path: Path) -> str:
    """Returns a path relative to the repository, where it is inside."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)
