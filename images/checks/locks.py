"""What an image's lock pins, entry by entry."""

import re
from pathlib import Path

IMAGES = Path(__file__).parents[1]
_ENTRY = re.compile(r"^[a-z0-9][a-z0-9._-]*==.*(?:\n {4}--hash=\S+(?: \\)?)*", re.MULTILINE)


def entries(image: str) -> list[str]:
    """Returns the pins of an image with their markers and hashes, as they stand in its lock."""
    return _ENTRY.findall((IMAGES / image / "requirements.txt").read_text(encoding="utf-8"))


def name_and_version(entry: str) -> tuple[str, str]:
    """Returns what an entry pins."""
    name, _, rest = entry.partition("==")
    return name, rest.split()[0]
