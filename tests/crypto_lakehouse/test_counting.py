"""A number has its noun in the right form."""

import pytest

from crypto_lakehouse.counting import several


@pytest.mark.parametrize(("count", "words"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (1000, "1,000 steps")])
def test_one_is_singular_and_all_other_numbers_are_plural(count: int, words: str) -> None:
    assert several(count, "step") == words
