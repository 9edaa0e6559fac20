"""Limits of steps, and sizes of orders."""

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import ConformSettings, StepLimits, StepSize


def test_limits_and_bounds_are_positive() -> None:
    for model, values in ((StepLimits, {"cpus": 0}), (ConformSettings, {"max_rows": 0}), (StepSize, {"from_mib": 0})):
        with pytest.raises(ValidationError):
            model.model_validate(values)


def test_a_size_has_to_state_from_where_on_it_applies() -> None:
    with pytest.raises(ValidationError, match="from_mib"):
        StepSize.model_validate({"runner": "docker"})
