"""What tests of coverage share."""

from pathlib import Path

import pytest

from crypto_lakehouse.coverage.log import CoverageLog
from crypto_lakehouse.lake.local import LocalStorage


@pytest.fixture
def log(tmp_path: Path) -> CoverageLog:
    """An empty log."""
    return CoverageLog(LocalStorage(tmp_path))
