"""What `crypto_lakehouse.query` offers is named in one list, as httpx does."""

from types import ModuleType

from crypto_lakehouse import query


def test_the_public_names_are_sorted_and_complete() -> None:
    public = [
        name for name, value in vars(query).items() if not name.startswith("_") and not isinstance(value, ModuleType)
    ]
    assert query.__all__ == sorted(public)
