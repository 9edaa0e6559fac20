"""The table of known faults."""

import pytest

from crypto_lakehouse.coverage.known_faults import KNOWN_FAULTS, KnownFault
from crypto_lakehouse.datasets import dataset


@pytest.mark.parametrize("fault", KNOWN_FAULTS, ids=lambda fault: fault.reason)
def test_every_known_fault_names_a_dataset_that_has_the_check_and_a_link(fault: KnownFault) -> None:
    assert fault.check in {expectation.check for expectation in dataset(fault.dataset).expectations}
    assert fault.first_day <= fault.last_day
    assert fault.reason
    assert fault.link.startswith("https://")
