"""The built-in transfer profiles, and the limits of what a profile may have."""

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import Settings, TransferProfile, default_profiles


@pytest.mark.parametrize("name", ["default", "high-throughput", "small-memory", "bad-network"])
def test_a_ready_profile_is_there(name: str) -> None:
    assert 1 <= Settings().transfer_profile(name).batch_objects <= 100


def test_the_settings_have_exactly_the_built_in_profiles() -> None:
    assert Settings().profiles == default_profiles()


def test_a_profile_that_asks_for_too_much_is_refused() -> None:
    assert TransferProfile(workers=32).workers == 32
    with pytest.raises(ValidationError, match="workers"):
        TransferProfile(workers=33)
