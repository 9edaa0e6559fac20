"""What a process ends with follows from the error alone."""

import pytest

from crypto_lakehouse import exit_codes
from crypto_lakehouse.errors import ChecksumMismatch, InvalidRequest, RateLimited, SpecificationError, UnknownSymbol
from crypto_lakehouse.exit_codes import exit_code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("x"), 64),
        (UnknownSymbol("x"), 64),
        (ChecksumMismatch("x"), 65),
        (SpecificationError("x"), 70),
        (RuntimeError("x"), 70),
        (RateLimited("x"), 75),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_has_its_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code


def test_the_docstring_lists_every_code() -> None:
    codes = {value for name, value in vars(exit_codes).items() if name.startswith("EXIT_")}
    listed = {int(line.split("|")[1]) for line in (exit_codes.__doc__ or "").splitlines() if line[2:3].isdigit()}
    assert listed == codes
