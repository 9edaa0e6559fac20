"""The project's checkout, which an installed package does not have.

The documentation's generators and the demonstration need it. Everything else works from an installed wheel.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from crypto_lakehouse.errors import InvalidRequest

_ROOT = Path(__file__).parents[2]


def find_checkout() -> Path | None:
    """Returns the folder of the checkout that this package is imported from, or None for an installed package."""
    is_checkout = (_ROOT / "pyproject.toml").is_file() and (_ROOT / "include" / __package__).is_dir()
    return _ROOT if is_checkout else None


def require_checkout() -> Path:
    """Returns the folder of the checkout.

    Raises:
        InvalidRequest: The package is installed without one.
    """
    checkout = find_checkout()
    if checkout is None:
        raise InvalidRequest(
            f"this needs a checkout of the project, and the package runs from {Path(__file__).parent}",
            "Clone the repository, run `make setup`, and start it there",
        )
    return checkout


def write_changed(files: Mapping[Path, str], project: Path, say: Callable[[str], None]) -> None:
    """Writes the files of a project folder whose text differs from the given text, and reports each one."""
    for path, text in files.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            say(f"rewrote {path.relative_to(project)}")
