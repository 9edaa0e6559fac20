"""Fixtures every test may use."""

import os
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

# Only tests of deltas ask an exchange, a local one; all others must not try to reach the real one.
os.environ.setdefault("CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED", "false")

REAL = Path(__file__).parents[2] / "shared" / "real"


@pytest.fixture(scope="session")
def real_archive() -> Path:
    """The folder laid out as the bucket is, with files that the exchange itself published."""
    if not (REAL / "archive" / "data").is_dir():
        pytest.skip("../shared/real is not here: the real archive files come with the workplace, not with the project")
    return REAL / "archive"
