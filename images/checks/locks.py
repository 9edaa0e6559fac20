"""What a lock pins, entry by entry."""

import re
from pathlib import Path

_IMAGES = Path(__file__).parents[1]
_ENTRY = re.compile(r"^[a-z0-9][a-z0-9._-]*==.*(?:\n {4}--hash=\S+(?: \\)?)*", re.MULTILINE)


def lock_of(image: str) -> Path:
    """Returns where an image's lock is."""
    return _IMAGES / image / "requirements.txt"


def entries(lock: Path) -> list[str]:
    """Returns the pins of a lock with their markers and hashes, as they stand there."""
    return _ENTRY.findall(lock.read_text(encoding="utf-8"))


def name_and_version(entry: str) -> tuple[str, str]:
    """Returns what an entry pins."""
    name, _, rest = entry.partition("==")
    return name, rest.split()[0]
