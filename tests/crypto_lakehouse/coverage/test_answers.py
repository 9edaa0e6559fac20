"""What the SDK refuses to answer about coverage."""

from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake
from crypto_lakehouse.settings import Settings
from tests.crypto_lakehouse.coverage.logged import NAME


@pytest.mark.parametrize(
    "wrong",
    [
        {"symbols": "../../etc"},
        {"intervals": "7m"},
        {"days": ("yesterday", None)},
        {"days": (date(2024, 1, 2), date(2024, 1, 1))},
    ],
)
def test_the_sdk_refuses_what_cannot_be_meant(tmp_path: Path, wrong: dict[str, object]) -> None:
    lake = Lake(Settings(lake=str(tmp_path)))
    for question in (lake.coverage, lake.gaps, lake.reconciliation):
        with pytest.raises(InvalidRequest):
            question(NAME, **wrong)  # type: ignore[arg-type]
