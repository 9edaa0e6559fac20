"""The extras of the package: which optional libraries are declared, and which of them are missing here.

The metadata of the installed package is the only source, so this module repeats nothing of pyproject.toml.
"""

import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution, requires

from crypto_lakehouse.errors import MissingExtra

_DISTRIBUTION = "crypto-lakehouse"
_OPTIONAL = re.compile(r"""^([A-Za-z0-9._-]+).*;.*\bextra\s*==\s*['"]([a-z0-9-]+)['"]""")
# Distributions whose module has another name.
_DISTRIBUTION_OF = {"PIL": "pillow", "airflow": "apache-airflow"}


def require(*extras: str) -> None:
    """Checks that every library of some extras is installed.

    Raises:
        MissingExtra: At least one is not; the message names the libraries and the command that installs them.
    """
    declared = [(name, extra) for name, extra in _declared() if extra in extras]
    absent = {(name, extra) for name, extra in declared if not _is_installed(name)}
    if absent:
        raise _missing(sorted({name for name, _ in absent}), sorted({extra for _, extra in absent}))


def as_missing_extra(error: Exception) -> Exception:
    """Returns a `MissingExtra` for a failed import of an optional library, and any other error as it is."""
    if not isinstance(error, ModuleNotFoundError):
        return error
    module = (error.name or "").partition(".")[0]
    name = _DISTRIBUTION_OF.get(module, module.replace("_", "-"))
    sizes = Counter(extra for _, extra in _declared())
    extras = [extra for declared, extra in _declared() if declared == name]
    # Each of them brings the library, so nobody needs to install a large one for it.
    smallest = [extra for extra in extras if sizes[extra] == min(sizes[other] for other in extras)]
    return _missing([name], smallest) if smallest else error


def _missing(names: Iterable[str], extras: Iterable[str]) -> MissingExtra:
    return MissingExtra(f"not installed: {', '.join(names)}", f'Run: pip install "{_DISTRIBUTION}[{",".join(extras)}]"')


def _declared() -> list[tuple[str, str]]:
    """Returns every optional library with its extra; none where the package runs without its metadata."""
    try:
        lines = requires(_DISTRIBUTION) or []
    except PackageNotFoundError:
        return []
    matches = (_OPTIONAL.match(line) for line in lines)
    return [(match.group(1).lower().replace("_", "-"), match.group(2)) for match in matches if match]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
