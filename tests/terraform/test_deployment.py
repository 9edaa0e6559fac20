"""The tree against moto's server: applied, applied again, run upon, destroyed.

What moto cannot do is in `terraforming.MOTO_LACKS` and `terraforming.MOTO_FORGETS`. Not run here, and nowhere yet: real
AWS, and with it all that moto takes without looking, such as IAM's own judgement, Fargate's sizes, and KMS.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog.glue_tables import table_input
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.settings import CatalogKind
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Step
from tests.terraform.conftest import NAME, REGION, Deployment, PipelineRun
from tests.terraform.policies import Request, denies
from tests.terraform.terraforming import MOTO_FORGETS, MOTO_LACKS, STATE_BUCKET

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(7200),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
DATA = (
    "silver/binance_um_klines/kline_interval=1h/symbol_key=BTCUSDT/period=2024-05/version=0123456789abcdef/data.parquet"
)
LAKE = f"arn:aws:s3:::{NAME}-lake-123456789012"


def test_a_second_apply_changes_nothing(deployment: Deployment) -> None:
    planned = deployment.workspace.plan()
    assert planned.code == 0, planned.text[-4000:]


def test_a_plan_notices_what_was_changed_by_hand(deployment: Deployment) -> None:
    buckets = deployment.client("s3")
    buckets.delete_public_access_block(Bucket=f"{NAME}-lake-123456789012")
    planned = deployment.workspace.plan()
    assert planned.code == 2, planned.text[-4000:]
    assert "aws_s3_bucket_public_access_block" in planned.text
    again = deployment.workspace.apply()
    assert again.ok, again.text
    assert "1 added" in again.text or "1 changed" in again.text


def test_the_state_lies_in_the_bucket_of_the_backend(deployment: Deployment) -> None:
    state = json.load(deployment.client("s3").get_object(Bucket=STATE_BUCKET, Key="test.tfstate")["Body"])
    assert len(state["resources"]) > 100


def test_a_second_terraform_waits_for_the_lock_of_the_first(deployment: Deployment) -> None:
    states = deployment.client("s3")
    lock = {"ID": "0", "Operation": "apply", "Who": "another", "Version": "1.11.4", "Created": "2026-01-01T00:00:00Z"}
    states.put_object(Bucket=STATE_BUCKET, Key="test.tfstate.tflock", Body=json.dumps(lock).encode())
    refused = deployment.workspace.plan()
    states.delete_object(Bucket=STATE_BUCKET, Key="test.tfstate.tflock")
    assert refused.code == 1
    assert "Error acquiring the state lock" in refused.text


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_a_table_is_the_one_the_pipeline_would_make(deployment: Deployment, row: Dataset) -> None:
    held = deployment.client("glue").get_table(DatabaseName=NAME.replace("-", "_"), Name=row.name)["Table"]
    wanted = table_input(row, f"s3://{NAME}-lake-123456789012/silver/{row.name}")
    assert _part(held, wanted) == wanted
    assert len(held["StorageDescriptor"]["Columns"]) == len(row.columns)


def _part(held: Any, wanted: Any) -> Any:
    """Returns what is held under the names that are wanted: Glue adds empty comments and parameters."""
    if isinstance(wanted, dict):
        return {name: _part(held[name], value) for name, value in wanted.items()}
    if isinstance(wanted, list):
        return [_part(*pair) for pair in zip(held, wanted, strict=True)]
    return held


def test_the_pipeline_runs_on_what_was_applied(pipeline_run: PipelineRun) -> None:
    summary, settings = pipeline_run.summary, pipeline_run.settings
    assert summary.failures == []
    assert settings.catalog.kind is CatalogKind.GLUE
    assert settings.lake == f"s3://{NAME}-lake-123456789012"
    assert summary.counts()["publish"]["rows_published"] == 48
    assert pipeline_run.rows_read == 48


def test_terraform_has_nothing_to_do_after_the_pipeline_ran(pipeline_run: PipelineRun, deployment: Deployment) -> None:
    assert pipeline_run.summary.failures == []
    planned = deployment.workspace.plan()
    assert planned.code == 0, planned.text[-4000:]


def test_steps_run_as_nobody_on_a_root_they_cannot_write(deployment: Deployment) -> None:
    ecs = deployment.workspace.output("ecs")
    assert set(ecs["task_definition"]) == {step.value for step in Step}
    for step, arn in ecs["task_definition"].items():
        held = deployment.client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        (container,) = held["containerDefinitions"]
        assert container["user"] == "10001:10001"
        assert container["readonlyRootFilesystem"]
        assert not container["privileged"]
        assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]
        assert held["taskRoleArn"].endswith(f"-step-{step}")
        assert held["executionRoleArn"].endswith("-execution")
        named = {one["name"] for one in container.get("secrets", [])}
        assert named == ({"CRYPTO_LAKEHOUSE_EXCHANGE__API_KEY"} if step == "delta" else set())


BUCKETS = ("lake", "results", "logs", "replica", "replica-logs")


@pytest.mark.parametrize("purpose", BUCKETS)
def test_a_bucket_is_closed_versioned_and_speaks_tls_only(deployment: Deployment, purpose: str) -> None:
    s3, name = deployment.client("s3"), _bucket(purpose)
    assert set(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()) == {True}
    assert s3.get_bucket_versioning(Bucket=name)["Status"] == "Enabled"
    policy = json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    refusals = [one["Condition"] for one in policy["Statement"] if one["Effect"] == "Deny" and one["Action"] == "s3:*"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in refusals
    allowed = [one["Principal"] for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert allowed == ([{"Service": "logging.s3.amazonaws.com"}] if "logs" in purpose else [])
    rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
    assert [one["AbortIncompleteMultipartUpload"] for one in rules if "AbortIncompleteMultipartUpload" in one] == [
        {"DaysAfterInitiation": 7}
    ]


SECURE = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}
KEY_HEADER = "s3:x-amz-server-side-encryption-aws-kms-key-id"


def test_the_lake_refuses_plain_http_old_tls_and_foreign_keys_and_nothing_else(deployment: Deployment) -> None:
    policies = [json.loads(deployment.client("s3").get_bucket_policy(Bucket=_bucket("lake"))["Policy"])]
    key = deployment.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]

    def refused(action: str, **context: str) -> bool:
        return denies(policies, Request(action, f"{LAKE}/{DATA}", {**SECURE, **context}))

    for action in ("s3:GetObject", "s3:PutObject", "s3:DeleteObject"):
        assert not refused(action)
        assert refused(action, **{"aws:SecureTransport": "false"})
        assert refused(action, **{"s3:TlsVersion": "1.1"})
    assert not refused("s3:PutObject", **{KEY_HEADER: key})
    assert refused("s3:PutObject", **{KEY_HEADER: key.replace("123456789012", "210987654321")})


@pytest.mark.parametrize("purpose", BUCKETS)
def test_all_buckets_but_those_of_logs_are_logged_and_under_our_key(deployment: Deployment, purpose: str) -> None:
    s3, name = deployment.client("s3"), _bucket(purpose)
    rules = s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"]
    (method,) = [one["ApplyServerSideEncryptionByDefault"] for one in rules]
    logging = s3.get_bucket_logging(Bucket=name).get("LoggingEnabled")
    if "logs" in purpose:
        assert (method["SSEAlgorithm"], logging) == ("AES256", None)
        return
    assert logging["TargetBucket"] == _bucket("replica-logs" if purpose == "replica" else "logs")
    region, alias = ("ap-northeast-3", f"{NAME}-replica") if purpose == "replica" else (REGION, NAME)
    key = deployment.client("kms", region).describe_key(KeyId=f"alias/{alias}")["KeyMetadata"]["Arn"]
    assert (method["SSEAlgorithm"], method["KMSMasterKeyID"]) == ("aws:kms", key)


def _bucket(purpose: str) -> str:
    return f"{NAME}-replica-123456789012-logs" if purpose == "replica-logs" else f"{NAME}-{purpose}-123456789012"


def test_only_steps_that_ask_an_exchange_run_where_a_way_leads_to_the_internet(deployment: Deployment) -> None:
    network = deployment.workspace.output("ecs")["network"]
    for step, place in network.items():
        filters = [{"Name": "association.subnet-id", "Values": place["subnets"]}]
        tables = deployment.client("ec2").describe_route_tables(Filters=filters)["RouteTables"]
        routes = [route for table in tables for route in table["Routes"]]
        assert tables
        leads_out = any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in routes)
        assert leads_out is (step in {"delta", "instruments"}), step


def test_no_secret_s_value_is_in_the_state_but_the_webhook_s(deployment: Deployment) -> None:
    state = json.load(deployment.client("s3").get_object(Bucket=STATE_BUCKET, Key="test.tfstate")["Body"])
    kinds = {one["type"] for one in state["resources"]}
    assert "aws_secretsmanager_secret" in kinds
    assert "aws_secretsmanager_secret_version" not in kinds
    shown = deployment.workspace.run("output", "-json").text + deployment.applied.text
    assert "example.org/hook" not in shown
    assert "lake@example.org" in deployment.applied.text


def test_what_moto_lacks_is_left_out_by_variables_that_are_on_by_default(project_tree: Path) -> None:
    declared = (project_tree / "variables.tf").read_text()
    for name, (value, reason) in MOTO_LACKS.items():
        default = declared.split(f'variable "{name}"')[1].split("default")[1].split("\n")[0].strip(" =")
        assert default != json.dumps(value), name
        assert reason
    for module, kind, name, _ in MOTO_FORGETS:
        sources = "".join(one.read_text() for one in (project_tree / module).glob("*.tf"))
        assert f'resource "{kind}" "{name}"' in sources
