"""Fixtures every test may use."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """The folder laid out as the bucket is, with files that the exchange itself published."""
    if not (REAL / "archive" / "data").is_dir():
        pytest.skip("../shared/real is not here: the real archive files come with the workplace, not with the project")
    return REAL / "archive"
