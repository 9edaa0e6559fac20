"""What tests of Silver share."""

import pytest

from crypto_lakehouse.silver import buffers, range_merge, reading
from crypto_lakehouse.silver.decode import blocks
from tests.rest_fixtures import open_lake

__all__ = ["open_lake"]


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams every file in small blocks, spills buffers early and merges range by range."""
    monkeypatch.setattr(reading, "SMALL_OBJECT_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4096)
    monkeypatch.setattr(buffers, "MEMORY_ROWS", 100)
    monkeypatch.setattr(range_merge, "ROWS_PER_RANGE", 150)
    monkeypatch.setattr(range_merge, "_SAMPLE_EVERY", 4)
