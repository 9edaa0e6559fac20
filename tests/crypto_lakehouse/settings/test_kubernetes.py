"""Names and secrets of pods are checked before a cluster sees them."""

import pytest
from pydantic import ValidationError

from crypto_lakehouse.settings import KubernetesSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespace", "Not-A-Name"),
        ("secrets", {"lower": "secret/key"}),
        ("secrets", {"NAME": "no-key"}),
        ("requests", {"pull": {"memory_mib": 1}}),
        ("tolerations", [{"operator": "Like"}]),
    ],
    ids=str,
)
def test_what_a_cluster_would_reject_is_refused(name: str, value: object) -> None:
    KubernetesSettings.model_validate({"secrets": {"NAME": "secret/key"}, "requests": {"pull": {"memory_mib": 64}}})
    with pytest.raises(ValidationError, match=name):
        KubernetesSettings.model_validate({name: value})
