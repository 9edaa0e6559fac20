"""The manifests and the steps' pods under Kubernetes' own schemas, where no unknown field is let through."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step

PROGRAM = os.environ.get("KUBERNETES_VALIDATE")
MANIFESTS = sorted((Path(__file__).parents[2] / "deploy" / "kubernetes").glob("*.yaml"))
ORDER = "runs/binance_um_klines/run/pull-000.json"
ALL: dict[str, Any] = {
    "lake_claim": "lake",
    "secrets": {"SOME_KEY": "keys/key"},
    "node_selector": {"pool": "lake"},
    "tolerations": [{"key": "spot", "operator": "Exists", "effect": "NoSchedule"}],
    "image_pull_secrets": ["registry"],
    "service_account": "steps",
}
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="`make manifests` installs the schemas and runs this")


def refusal(path: Path) -> str:
    assert PROGRAM
    done = subprocess.run([PROGRAM, "--strict", str(path)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_valid(path: Path) -> None:
    assert refusal(path) == ""


def test_the_pod_of_every_step_is_valid_and_one_with_a_wrong_word_is_not(tmp_path: Path) -> None:
    from kubernetes.client import ApiClient

    from lakehouse_airflow.runners.kubernetes_runner import pod

    pods = [
        {"apiVersion": "v1", "kind": "Pod"} | ApiClient().sanitize_for_serialization(pod(step, ORDER, settings))
        for step in Step
        for settings in (Settings(lake="/lake", kubernetes=ALL), Settings(lake="s3://lake/x"))
    ]
    for manifest in pods:
        manifest["metadata"]["name"] = "x"
    (tmp_path / "pods.yaml").write_text(yaml.safe_dump_all(pods))
    assert refusal(tmp_path / "pods.yaml") == ""
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump_all(pods).replace("fsGroup:", "fsgroup:"))
    assert "'fsgroup' was unexpected" in refusal(tmp_path / "bad.yaml")
