"""Prints what the changelog says of this version: `python notes.py [TAG]`; fails where TAG or the changelog disagree.

A tag is `v` and the version of the package, and the changelog's first section of a version is that version's, with the
day of its release and something to say.
"""

import re
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[1]
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)
_SECTION = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<day>\d{4}-\d{2}-\d{2}))?$", re.MULTILINE)


class NotReleasableError(Exception):
    """The tag, the version and the changelog do not agree."""


def main(tag: str = "", project: Path = PROJECT) -> int:
    """Prints the notes; returns the exit code."""
    try:
        print(notes(project, tag))
    except NotReleasableError as error:
        print(f"cannot be released: {error}", file=sys.stderr)
        return 1
    return 0


def notes(project: Path, tag: str) -> str:
    """Returns what is new in the package's version.

    Raises:
        NotReleasableError: The tag is not this version's, or the changelog's newest section is not, or says nothing.
    """
    version = package_version(project)
    if tag and tag != f"v{version}":
        raise NotReleasableError(f"the tag is {tag}, the package says {version}: tag v{version}, or change __version__")
    text = (project / "CHANGELOG.md").read_text(encoding="utf-8")
    sections = [one for one in _SECTION.finditer(text) if one["version"] != "Unreleased"]
    if not sections or sections[0]["version"] != version:
        found = sections[0]["version"] if sections else "none"
        raise NotReleasableError(f"the changelog's newest section is {found}, not {version}: rename [Unreleased]")
    if not sections[0]["day"]:
        raise NotReleasableError(f"the changelog's section {version} has no day: write ## [{version}] - YYYY-MM-DD")
    end = sections[1].start() if len(sections) > 1 else len(text)
    said = text[sections[0].end() : end].strip()
    if not said:
        raise NotReleasableError(f"the changelog says nothing of {version}")
    return said


def package_version(project: Path) -> str:
    """Returns the version that the package's source says, without importing it.

    Raises:
        NotReleasableError: It says none.
    """
    source = (project / "include" / "crypto_lakehouse" / "__init__.py").read_text(encoding="utf-8")
    if (found := _VERSION.search(source)) is None:
        raise NotReleasableError("include/crypto_lakehouse/__init__.py has no __version__")
    return found[1]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
