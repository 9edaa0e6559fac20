"""The tree of errors: as its docstring draws it, two branches, and messages that name the place and the advice."""

import re

import pytest

from crypto_lakehouse import errors
from crypto_lakehouse.errors import LakehouseError, PermanentError, SourceUnavailable, TransientError

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LakehouseError)]


def test_the_docstring_draws_the_whole_tree() -> None:
    drawn = re.findall(r"([A-Z]\w+Error|[├└]─ (\w+))", errors.__doc__ or "")
    names = {branch or whole for whole, branch in drawn}
    assert names >= {kind.__name__ for kind in ERRORS}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_an_error_is_transient_or_permanent_and_never_both(kind: type[LakehouseError]) -> None:
    if kind is not LakehouseError:
        assert issubclass(kind, TransientError) is not issubclass(kind, PermanentError)


def test_a_message_is_what_happened_and_then_what_to_do() -> None:
    error = SourceUnavailable("3 of 720 objects failed", "Run it again", dataset="binance_um_klines", partition="p")
    assert str(error) == "binance_um_klines p: 3 of 720 objects failed\nRun it again"
    assert str(SourceUnavailable("nothing more is known")) == "nothing more is known"
