"""The tree against moto's server: applied, applied again, run upon, destroyed.

What moto cannot do is in `terraforming.MOTO_LACKS` and `terraforming.MOTO_FORGETS`. Not run here, and nowhere yet: real
AWS, and with it all that moto takes without looking, such as IAM's own judgement, Fargate's sizes, and KMS.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.catalog.glue import table_input
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.lake.work import PlanRequest, StepResult
from crypto_lakehouse.query import Lake
from crypto_lakehouse.query.filling import fills
from crypto_lakehouse.running import RunSummary, new_run_id, run_pipeline
from crypto_lakehouse.settings import CatalogKind, Settings
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.steps import Progress, run_step
from crypto_lakehouse.vocabulary import Step
from tests.bucket_server import FakeBucket, serving
from tests.small_lake import SmallLake
from tests.terraform.calls import CallLog, recording
from tests.terraform.conftest import REGION, Deployment
from tests.terraform.policies import Request, allows, denies, wildcards
from tests.terraform.terraforming import MOTO_FORGETS, MOTO_LACKS, STATE_BUCKET

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
DATASET = "binance_um_klines"
NAME = "lakehouse-staging"
LAKE = f"arn:aws:s3:::{NAME}-lake-123456789012"


@dataclass(frozen=True)
class PipelineRun:
    """A run of the pipeline on what was applied, and what it asked AWS for."""

    settings: Settings
    summary: RunSummary
    calls: CallLog
    rows_read: int


@pytest.fixture(scope="module")
def pipeline_run(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PipelineRun]:
    """The settings are those of `terraform output -raw env`; only endpoints are added."""
    said = deployment.workspace.run("output", "-raw", "env")
    with serving(FakeBucket()) as bucket, pytest.MonkeyPatch.context() as patch:
        for line in said.text.splitlines():
            name, _, value = line.partition("=")
            patch.setenv(name, value)
        patch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", bucket.endpoint)
        patch.setenv("CRYPTO_LAKEHOUSE_STORAGE__ENDPOINT_URL", deployment.endpoint)
        patch.setenv("CRYPTO_LAKEHOUSE_CATALOG__GLUE_ENDPOINT_URL", deployment.endpoint)
        patch.setenv("CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED", "false")
        patch.setenv("CRYPTO_LAKEHOUSE_WORK_FOLDER", str(tmp_path_factory.mktemp("work")))
        settings = Settings()
        lake = SmallLake(bucket, settings)
        lake.publish(DATASET, "2024-05-01")
        lake.publish(DATASET, "2024-05-02")
        request = PlanRequest(DATASET, new_run_id("test"), "2024-05-01", "2024-05-02", ("BTCUSDT",), ("1h",))
        with _without_bucket_policy(deployment), recording(REGION) as calls:
            summary = run_pipeline(request, settings, step=_noted(calls))
            # What the DAG of gaps asks, in Airflow itself.
            fills(Lake(settings))
            calls.caller = "reader"
            rows = Lake(settings).scan(DATASET, symbols=["BTCUSDT"], interval="1h").collect().height
        yield PipelineRun(settings, summary, calls, rows)


@contextmanager
def _without_bucket_policy(deployment: Deployment) -> Iterator[None]:
    """Moto refuses whatever a policy refuses on a condition; what the policy says is tested as data."""
    s3, name = deployment.client("s3"), _bucket("lake")
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    try:
        yield
    finally:
        s3.put_bucket_policy(Bucket=name, Policy=policy)


def _noted(calls: CallLog) -> Any:
    def step(verb: Step, key: str, settings: Settings, progress: Progress | None) -> StepResult:
        calls.caller = verb.value
        try:
            return run_step(verb, key, settings, progress)
        finally:
            calls.caller = "orchestrator"

    return step


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


@pytest.mark.parametrize("who", ["orchestrator", "plan", "pull", "conform", "gate", "publish", "report", "reader"])
def test_a_role_allows_every_call_that_its_step_made(
    pipeline_run: PipelineRun, deployment: Deployment, who: str
) -> None:
    policies = _policies(deployment, who)
    made = pipeline_run.calls.requests[who]
    lake = [one for one in made if one.action.startswith("glue:") or one.resource.startswith(LAKE)]
    assert lake
    refused = {f"{one.action} {one.resource}" for one in lake if not allows(policies, one)}
    assert refused == set()


def test_no_other_step_s_role_would_do_for_publish(pipeline_run: PipelineRun, deployment: Deployment) -> None:
    made = pipeline_run.calls.requests["publish"]
    for step in set(Step) - {Step.PUBLISH}:
        policies = _policies(deployment, step.value)
        assert not all(allows(policies, one) for one in made), step


def _policies(deployment: Deployment, who: str) -> list[dict[str, Any]]:
    iam = deployment.client("iam", "us-east-1")
    if who == "reader":
        arn = f"arn:aws:iam::123456789012:policy/{NAME}-reader"
        return [iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]]
    role = f"{NAME}-{who}" if who in {"orchestrator", "execution"} else f"{NAME}-step-{who}"
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    assert iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"] == []
    return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


OBJECT = "bronze/binance_um_klines/objects/daily/BTCUSDT/1h/a.zip"
REST = "bronze/binance_um_klines/rest/BTCUSDT/1h/a.jsonl.gz"
BRONZE_LOG = "bronze/binance_um_klines/log/20240501T000000-0.parquet"
VERDICTS = "silver/binance_um_klines/verdicts/20240501T000000-0.parquet"
COVERAGE = "coverage/binance_um_klines/days/20240501T000000-0.parquet"
DATA = "silver/binance_um_klines/interval=1h/symbol_key=BTCUSDT/month=2024-05/version=0123456789abcdef/data.parquet"
RUN = "runs/binance_um_klines/test-00000000"
EVIDENCE = "quality/binance_um_klines/test-00000000/transform-000/days.parquet"
REPORT = "quality/binance_um_klines/test-00000000/report.html"
TABLE = f"arn:aws:glue:{REGION}:123456789012:table/lakehouse_staging/binance_um_klines"
TASK = f"arn:aws:ecs:{REGION}:123456789012:task-definition/{NAME}-conform:1"
CLUSTER = {"ecs:cluster": f"arn:aws:ecs:{REGION}:123456789012:cluster/{NAME}"}
TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
STEP_ROLE = f"arn:aws:iam::123456789012:role/{NAME}-step-publish"

TRIPLES: tuple[tuple[bool, str, str, str, dict[str, str]], ...] = (
    (True, "plan", "s3:GetObject", f"{RUN}/plan.json", {}),
    (True, "plan", "s3:PutObject", f"{RUN}/pull-000.json", {}),
    (True, "plan", "s3:PutObject", f"{RUN}/plan.plan.result.json", {}),
    (False, "plan", "s3:PutObject", f"{RUN}/transform-000.gate.result.json", {}),
    (False, "plan", "s3:PutObject", f"{RUN}/plan.json", {}),
    (False, "plan", "s3:GetObject", OBJECT, {}),
    (False, "plan", "s3:PutObject", BRONZE_LOG, {}),
    (True, "plan", "glue:GetPartitions", TABLE, {}),
    (False, "plan", "glue:BatchUpdatePartition", TABLE, {}),
    (True, "pull", "s3:PutObject", OBJECT, {}),
    (True, "pull", "s3:PutObject", BRONZE_LOG, {}),
    (False, "pull", "s3:PutObject", REST, {}),
    (False, "pull", "s3:PutObject", DATA, {}),
    (False, "pull", "s3:DeleteObject", OBJECT, {}),
    (False, "pull", "glue:GetPartitions", TABLE, {}),
    (True, "delta", "s3:PutObject", REST, {}),
    (True, "delta", "s3:PutObject", BRONZE_LOG, {}),
    (False, "delta", "s3:PutObject", OBJECT, {}),
    (False, "delta", "s3:GetObject", DATA, {}),
    (True, "conform", "s3:GetObject", OBJECT, {}),
    (True, "conform", "s3:PutObject", DATA, {}),
    (True, "conform", "s3:PutObject", f"{RUN}/transform-000.conform.result.json", {}),
    (False, "conform", "s3:PutObject", OBJECT, {}),
    (False, "conform", "s3:PutObject", VERDICTS, {}),
    (False, "conform", "s3:PutObject", f"{RUN}/transform-000.publish.result.json", {}),
    (False, "conform", "glue:BatchCreatePartition", TABLE, {}),
    (True, "gate", "s3:GetObject", DATA, {}),
    (True, "gate", "s3:PutObject", EVIDENCE, {}),
    (False, "gate", "s3:PutObject", DATA, {}),
    (False, "gate", "s3:GetObject", OBJECT, {}),
    (False, "gate", "glue:BatchCreatePartition", TABLE, {}),
    (True, "publish", "glue:BatchCreatePartition", TABLE, {}),
    (True, "publish", "glue:BatchUpdatePartition", TABLE, {}),
    (True, "publish", "s3:PutObject", VERDICTS, {}),
    (True, "publish", "s3:PutObject", COVERAGE, {}),
    (False, "publish", "glue:DeletePartition", TABLE, {}),
    (False, "publish", "glue:UpdateTable", TABLE, {}),
    (False, "publish", "glue:CreateTable", TABLE, {}),
    (False, "publish", "glue:BatchUpdatePartition", TABLE.replace("lakehouse_staging", "lakehouse_prod"), {}),
    (False, "publish", "s3:PutObject", DATA, {}),
    (False, "publish", "s3:PutObject", EVIDENCE, {}),
    (True, "report", "s3:PutObject", REPORT, {}),
    (True, "report", "s3:DeleteObject", VERDICTS, {}),
    (False, "report", "s3:DeleteObject", DATA, {}),
    (False, "report", "s3:DeleteObject", OBJECT, {}),
    (False, "report", "s3:PutObject", EVIDENCE, {}),
    (True, "orchestrator", "s3:PutObject", f"{RUN}/plan.json", {}),
    (True, "orchestrator", "s3:GetObject", f"{RUN}/plan.plan.result.json", {}),
    (False, "orchestrator", "s3:PutObject", f"{RUN}/transform-000.gate.result.json", {}),
    (False, "orchestrator", "s3:GetObject", DATA, {}),
    (True, "orchestrator", "glue:GetPartitions", TABLE, {}),
    (False, "orchestrator", "glue:BatchUpdatePartition", TABLE, {}),
    (True, "orchestrator", "ecs:RunTask", TASK, CLUSTER),
    (False, "orchestrator", "ecs:RunTask", TASK, {"ecs:cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/other"}),
    (False, "orchestrator", "ecs:RunTask", TASK.replace(NAME, "other"), CLUSTER),
    (True, "orchestrator", "iam:PassRole", STEP_ROLE, TO_TASKS),
    (False, "orchestrator", "iam:PassRole", STEP_ROLE, {"iam:PassedToService": "ec2.amazonaws.com"}),
    (False, "orchestrator", "iam:PassRole", "arn:aws:iam::123456789012:role/admin", TO_TASKS),
    (False, "orchestrator", "iam:CreateRole", STEP_ROLE, {}),
    (True, "reader", "s3:GetObject", DATA, {}),
    (True, "reader", "glue:GetPartitions", TABLE, {}),
    (True, "reader", "athena:StartQueryExecution", f"arn:aws:athena:{REGION}:123456789012:workgroup/{NAME}", {}),
    (False, "reader", "athena:StartQueryExecution", f"arn:aws:athena:{REGION}:123456789012:workgroup/primary", {}),
    (False, "reader", "s3:GetObject", OBJECT, {}),
    (False, "reader", "s3:PutObject", DATA, {}),
    (False, "reader", "s3:GetObject", f"{RUN}/plan.json", {}),
    (True, "execution", "ecr:BatchGetImage", f"arn:aws:ecr:{REGION}:123456789012:repository/{NAME}/polars", {}),
    (False, "execution", "ecr:PutImage", f"arn:aws:ecr:{REGION}:123456789012:repository/{NAME}/polars", {}),
    (False, "execution", "s3:GetObject", DATA, {}),
    (False, "execution", "logs:PutLogEvents", f"arn:aws:logs:{REGION}:123456789012:log-group:/other/steps", {}),
)


@pytest.mark.parametrize(
    ("allowed", "who", "action", "resource", "context"),
    TRIPLES,
    ids=[f"{who} {action} {resource[-60:]}" for _, who, action, resource, _ in TRIPLES],
)
def test_a_role_may_do_this_and_not_that(
    deployment: Deployment, allowed: bool, who: str, action: str, resource: str, context: dict[str, str]
) -> None:
    arn = resource if resource.startswith("arn:") else f"{LAKE}/{resource}"
    assert allows(_policies(deployment, who), Request(action, arn, context)) is allowed


ROLES = (*(step.value for step in Step), "orchestrator", "execution", "reader")


@pytest.mark.parametrize("who", ROLES)
def test_no_role_may_do_everything_or_to_everything(deployment: Deployment, who: str) -> None:
    found = [json.loads(one)["Action"] for one in wildcards(_policies(deployment, who))]
    assert found == (["ecr:GetAuthorizationToken"] if who == "execution" else [])


@pytest.mark.parametrize("who", ROLES)
def test_the_key_is_used_through_a_service_only(deployment: Deployment, who: str) -> None:
    key = deployment.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    policies = _policies(deployment, who)
    assert not allows(policies, Request("kms:Decrypt", key))
    service = "ecr" if who == "execution" else "s3"
    assert allows(policies, Request("kms:Decrypt", key, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}))


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


def test_all_steps_but_delta_run_where_no_way_leads_to_the_internet(deployment: Deployment) -> None:
    network = deployment.workspace.output("ecs")["network"]
    for step, place in network.items():
        filters = [{"Name": "association.subnet-id", "Values": place["subnets"]}]
        tables = deployment.client("ec2").describe_route_tables(Filters=filters)["RouteTables"]
        routes = [route for table in tables for route in table["Routes"]]
        assert tables
        assert any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in routes) is (step == "delta"), step


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
