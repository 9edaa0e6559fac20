from collections.abc import Iterator

import pytest

from tests.fakes.bucket import FakeBucket, serving


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    """A programmable bucket on loopback."""
    with serving(FakeBucket()) as served:
        yield served
