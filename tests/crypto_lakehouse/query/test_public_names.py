"""What `crypto_lakehouse.query` offers is named in one list, as httpx does."""

import pytest

from crypto_lakehouse import query


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert query.__all__ == sorted(query.__all__)
    assert all(getattr(query, name) is not None for name in query.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pond'"):
        query.Pond  # noqa: B018
