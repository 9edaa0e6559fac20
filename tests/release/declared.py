"""The dependencies that pyproject.toml declares, and what `make lock` derives from them."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.release.tools import PROJECT

MAKEFILES = (PROJECT / "Makefile", PROJECT / "make" / "release.mk")
_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
_PACKAGES = re.compile(r"^PACKAGES_(\w+) := (.*)$", re.MULTILINE)
_LINE = re.compile(r"^([A-Za-z0-9._-]+)", re.MULTILINE)


def makefiles_text() -> str:
    """Returns the text of all Makefiles."""
    return "\n".join(path.read_text(encoding="utf-8") for path in MAKEFILES)


def distributions(requirements: Iterable[str]) -> set[str]:
    """Returns the normalized names of the distributions that requirements ask for.

    >>> sorted(distributions(["Flask-Cors>=1", "moto[glue]"]))
    ['flask-cors', 'moto']
    """
    names = (re.match(r"[A-Za-z0-9._-]+", requirement) for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in names if name}


CORE = distributions(_TABLE["project"]["dependencies"])
EXTRAS: Mapping[str, set[str]] = {
    extra: distributions(requirements) for extra, requirements in _TABLE["project"]["optional-dependencies"].items()
}
GROUPS: Mapping[str, set[str]] = {
    group: distributions(requirements) for group, requirements in _TABLE["dependency-groups"].items()
}


@dataclass(frozen=True)
class ImagePackages:
    """What an image installs.

    Args:
        has_core: The image installs the package, so it has the core dependencies.
        extras: Extras of the package.
        groups: Groups of the repository.
        without: Distributions that the image leaves out.
    """

    has_core: bool
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    without: set[str] = field(default_factory=set)

    def declared(self) -> set[str]:
        """Returns every distribution that is declared for the image."""
        names = set(CORE) if self.has_core else set()
        return names.union(*(EXTRAS[extra] for extra in self.extras), *(GROUPS[group] for group in self.groups))

    def direct(self) -> set[str]:
        """Returns the distributions that the image's lock must pin as direct dependencies."""
        return self.declared() - self.without


def image_packages() -> dict[str, ImagePackages]:
    """Returns what each image with a lock installs, as make/release.mk has it."""
    return {name: _parsed(name, words) for name, words in _PACKAGES.findall(makefiles_text())}


def _parsed(image: str, words: str) -> ImagePackages:
    path = PROJECT / "images" / image / "without.in"
    without = distributions(_LINE.findall(path.read_text(encoding="utf-8"))) if path.is_file() else set()
    groups = [name.rpartition(":")[2] for name in re.findall(r"--group (\S+)", words)]
    return ImagePackages(
        words.startswith("pyproject.toml "), tuple(re.findall(r"--extra (\S+)", words)), tuple(groups), without
    )
