"""What roles may do: every call that a step makes, and of what else there is, no more than it should."""

import json
from typing import Any

import pytest

from crypto_lakehouse.vocabulary import Step
from tests.terraform.conftest import NAME, REGION, Deployment, PipelineRun
from tests.terraform.policies import Request, allows, wildcards

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(7200),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
LAKE = f"arn:aws:s3:::{NAME}-lake-123456789012"


@pytest.mark.parametrize(
    "who", ["orchestrator", "reader", *(step.value for step in Step if step not in {Step.DELTA, Step.BUILD})]
)
def test_a_role_allows_every_call_that_its_step_made(
    pipeline_run: PipelineRun, deployment: Deployment, who: str
) -> None:
    policies = role_policies(deployment, who)
    made = pipeline_run.calls.requests[who]
    lake = [one for one in made if one.action.startswith("glue:") or one.resource.startswith(LAKE)]
    assert lake
    refused = {f"{one.action} {one.resource}" for one in lake if not allows(policies, one)}
    assert refused == set()


def test_no_other_step_s_role_would_do_for_publish(pipeline_run: PipelineRun, deployment: Deployment) -> None:
    made = pipeline_run.calls.requests["publish"]
    # A repair points readers at what it made again. But it may not write the result of a publish.
    for step in set(Step) - {Step.PUBLISH}:
        policies = role_policies(deployment, step.value)
        assert not all(allows(policies, one) for one in made), step


def test_every_kind_of_damage_was_there_and_was_mended_under_the_roles(pipeline_run: PipelineRun) -> None:
    files, records, lost = (pipeline_run.repairs[kind] for kind in ("damage_files", "damage_records", "lose_object"))
    assert (files.figures.faults, files.figures.faults_left) == (2, 0)
    assert records.figures.faults >= 5
    assert records.figures.faults_left == 0
    assert [run.dataset for run in lost.runs] == ["binance_um_klines"]
    collected = pipeline_run.collected.figures
    assert min(collected.objects, collected.runs, collected.damaged) > 0


def test_a_repair_and_a_collection_made_every_kind_of_change_that_their_roles_allow(pipeline_run: PipelineRun) -> None:
    made = pipeline_run.calls.requests
    assert {"glue:BatchCreatePartition", "glue:DeletePartition"} <= {one.action for one in made["repair"]}
    assert {"bronze", "silver", "coverage", "runs", "instruments"} <= removed_below(pipeline_run, "repair")
    assert {"bronze", "runs", "quality", "damaged"} <= removed_below(pipeline_run, "collect")
    assert removed_below(pipeline_run, "scrub") == set()


def removed_below(pipeline_run: PipelineRun, who: str) -> set[str]:
    """Returns the first folders of the lake that a role removed something from."""
    keys = [one.resource for one in pipeline_run.calls.requests[who] if one.action == "s3:DeleteObject"]
    return {key.removeprefix(f"{LAKE}/").partition("/")[0] for key in keys}


def role_policies(deployment: Deployment, who: str) -> list[dict[str, Any]]:
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
BRONZE_LOG = "bronze/binance_um_klines/log/000000000001.commit"
VERDICTS = "silver/binance_um_klines/verdicts/20240501T000000-0.parquet"
COVERAGE = "coverage/binance_um_klines/days/20240501T000000-0.parquet"
DATA = (
    "silver/binance_um_klines/kline_interval=1h/symbol_key=BTCUSDT/period=2024-05/version=0123456789abcdef/data.parquet"
)
RUN = "runs/binance_um_klines/test-00000000"
EVIDENCE = "quality/binance_um_klines/test-00000000/transform-000/days.parquet"
REPORT = "quality/binance_um_klines/test-00000000/report.html"
TABLE = f"arn:aws:glue:{REGION}:123456789012:table/lakehouse_staging/binance_um_klines"
TASK = f"arn:aws:ecs:{REGION}:123456789012:task-definition/{NAME}-conform:1"
CLUSTER = {"ecs:cluster": f"arn:aws:ecs:{REGION}:123456789012:cluster/{NAME}"}
OTHER_CLUSTER = {"ecs:cluster": f"arn:aws:ecs:{REGION}:123456789012:cluster/other"}
RUNNING = f"arn:aws:ecs:{REGION}:123456789012:task/{NAME}/0123"
STEP_LOG = f"arn:aws:logs:{REGION}:123456789012:log-group:/{NAME}/steps/pull:log-stream:step/step/0123"
VERSIONS = "instruments/binance_um/versions/20240501T000000-0.parquet"
TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
STEP_ROLE = f"arn:aws:iam::123456789012:role/{NAME}-step-publish"

RUN_LOG = "runs/binance_um_klines/log/000000000002.commit"
LIFETIMES = "lifetimes/binance_um_klines/000000000001.commit"
PLACE = "maintenance/scrub.json"
ASIDE = f"damaged/0123456789abcdef/{DATA}"

TRIPLES: tuple[tuple[bool, str, str, str, dict[str, str]], ...] = (
    (True, "plan", "s3:GetObject", f"{RUN}/plan.json", {}),
    (True, "plan", "s3:PutObject", f"{RUN}/pull-000.json", {}),
    (True, "plan", "s3:PutObject", f"{RUN}/plan.plan.result.json", {}),
    (False, "plan", "s3:PutObject", f"{RUN}/transform-000.gate.result.json", {}),
    (False, "plan", "s3:PutObject", f"{RUN}/plan.json", {}),
    (False, "plan", "s3:GetObject", OBJECT, {}),
    (False, "plan", "s3:PutObject", BRONZE_LOG, {}),
    (True, "plan", "s3:PutObject", RUN_LOG, {}),
    (False, "plan", "s3:DeleteObject", RUN_LOG, {}),
    (True, "plan", "s3:PutObject", LIFETIMES, {}),
    (True, "gate", "s3:GetObject", LIFETIMES, {}),
    (True, "gaps", "s3:GetObject", LIFETIMES, {}),
    (False, "gate", "s3:PutObject", LIFETIMES, {}),
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
    (True, "publish", "s3:GetObject", DATA, {}),
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
    (True, "report", "s3:DeleteObject", RUN_LOG, {}),
    (False, "report", "s3:DeleteObject", f"{RUN}/plan.json", {}),
    (False, "report", "s3:DeleteObject", DATA, {}),
    (False, "report", "s3:DeleteObject", OBJECT, {}),
    (False, "report", "s3:PutObject", EVIDENCE, {}),
    (True, "orchestrator", "s3:PutObject", f"{RUN}/plan.json", {}),
    (True, "orchestrator", "s3:GetObject", f"{RUN}/plan.plan.result.json", {}),
    (False, "orchestrator", "s3:PutObject", f"{RUN}/transform-000.gate.result.json", {}),
    (True, "orchestrator", "s3:DeleteObject", f"{RUN}/transform-000.gate.result.json", {}),
    (False, "orchestrator", "s3:DeleteObject", f"{RUN}/plan.json", {}),
    (False, "orchestrator", "s3:DeleteObject", BRONZE_LOG, {}),
    (True, "orchestrator", "s3:PutObject", "runs/lake/test-00000000/gaps.json", {}),
    (True, "orchestrator", "s3:PutObject", "runs/binance_um/test-00000000/instruments.json", {}),
    (False, "orchestrator", "s3:PutObject", VERSIONS, {}),
    (False, "orchestrator", "s3:GetObject", VERSIONS, {}),
    (False, "orchestrator", "s3:GetObject", COVERAGE, {}),
    (True, "instruments", "s3:PutObject", VERSIONS, {}),
    (True, "instruments", "s3:DeleteObject", VERSIONS, {}),
    (False, "instruments", "s3:GetObject", OBJECT, {}),
    (False, "instruments", "glue:GetPartitions", TABLE, {}),
    (True, "gaps", "s3:GetObject", COVERAGE, {}),
    (True, "gaps", "s3:PutObject", "runs/lake/test-00000000/gaps.gaps.result.json", {}),
    (True, "gaps", "glue:GetTables", TABLE, {}),
    (False, "gaps", "s3:PutObject", COVERAGE, {}),
    (False, "gaps", "s3:GetObject", DATA, {}),
    (True, "orchestrator", "s3:PutObject", "runs/lake/test-00000000/scrub.json", {}),
    (True, "orchestrator", "s3:PutObject", "runs/lake/test-00000000/repair.json", {}),
    (True, "orchestrator", "s3:PutObject", "runs/lake/test-00000000/collect.json", {}),
    (False, "orchestrator", "s3:DeleteObject", "runs/lake/test-00000000/collect.json", {}),
    (True, "scrub", "s3:GetObject", OBJECT, {}),
    (True, "scrub", "s3:GetObject", REST, {}),
    (True, "scrub", "s3:GetObject", DATA, {}),
    (True, "scrub", "s3:PutObject", PLACE, {}),
    (True, "scrub", "s3:PutObject", "runs/lake/test-00000000/scrub.scrub.result.json", {}),
    (True, "scrub", "glue:GetPartitions", TABLE, {}),
    (False, "scrub", "s3:PutObject", OBJECT, {}),
    (False, "scrub", "s3:PutObject", DATA, {}),
    (False, "scrub", "s3:DeleteObject", DATA, {}),
    (False, "scrub", "s3:DeleteObject", PLACE, {}),
    (False, "scrub", "s3:GetObject", EVIDENCE, {}),
    (False, "scrub", "glue:BatchUpdatePartition", TABLE, {}),
    (False, "scrub", "glue:DeletePartition", TABLE, {}),
    (True, "repair", "s3:PutObject", DATA, {}),
    (True, "repair", "s3:DeleteObject", DATA, {}),
    (True, "repair", "s3:PutObject", ASIDE, {}),
    (True, "repair", "s3:DeleteObject", OBJECT, {}),
    (True, "repair", "s3:PutObject", BRONZE_LOG, {}),
    (True, "repair", "s3:DeleteObject", VERDICTS, {}),
    (True, "repair", "s3:DeleteObject", RUN_LOG, {}),
    (True, "repair", "glue:BatchCreatePartition", TABLE, {}),
    (True, "repair", "glue:DeletePartition", TABLE, {}),
    (False, "repair", "s3:PutObject", OBJECT, {}),
    (False, "repair", "s3:PutObject", REST, {}),
    (False, "repair", "s3:DeleteObject", ASIDE, {}),
    (False, "repair", "s3:DeleteObject", f"{RUN}/plan.json", {}),
    (False, "repair", "s3:DeleteObject", EVIDENCE, {}),
    (False, "repair", "s3:DeleteObject", PLACE, {}),
    (False, "repair", "s3:PutObject", f"{RUN}/transform-000.gate.result.json", {}),
    (False, "repair", "s3:DeleteObjectVersion", DATA, {}),
    (False, "repair", "glue:DeleteTable", TABLE, {}),
    (False, "repair", "glue:UpdateTable", TABLE, {}),
    (False, "repair", "glue:DeletePartition", TABLE.replace("lakehouse_staging", "lakehouse_prod"), {}),
    (True, "collect", "s3:GetObject", BRONZE_LOG, {}),
    (True, "collect", "s3:DeleteObject", DATA, {}),
    (True, "collect", "s3:DeleteObject", OBJECT, {}),
    (True, "collect", "s3:DeleteObject", REST, {}),
    (True, "collect", "s3:DeleteObject", EVIDENCE, {}),
    (True, "collect", "s3:DeleteObject", ASIDE, {}),
    (True, "collect", "s3:DeleteObject", f"{RUN}/plan.plan.result.json", {}),
    (True, "collect", "glue:GetPartitions", TABLE, {}),
    (False, "collect", "s3:DeleteObject", BRONZE_LOG, {}),
    (False, "collect", "s3:DeleteObject", VERDICTS, {}),
    (False, "collect", "s3:DeleteObject", COVERAGE, {}),
    (False, "collect", "s3:DeleteObject", RUN_LOG, {}),
    (False, "collect", "s3:DeleteObject", VERSIONS, {}),
    (False, "collect", "s3:GetObject", DATA, {}),
    (False, "collect", "s3:PutObject", DATA, {}),
    (False, "collect", "s3:DeleteObjectVersion", DATA, {}),
    (False, "collect", "glue:DeletePartition", TABLE, {}),
    (False, "reader", "s3:GetObject", ASIDE, {}),
    (False, "orchestrator", "s3:PutObject", DATA, {}),
    (True, "orchestrator", "ecs:ListTasks", "*", CLUSTER),
    (False, "orchestrator", "ecs:ListTasks", "*", OTHER_CLUSTER),
    (True, "orchestrator", "ecs:StopTask", RUNNING, {}),
    (False, "orchestrator", "ecs:StopTask", RUNNING.replace(NAME, "other"), {}),
    (True, "orchestrator", "logs:GetLogEvents", STEP_LOG, {}),
    (False, "orchestrator", "logs:GetLogEvents", STEP_LOG.replace(NAME, "other"), {}),
    (False, "orchestrator", "ecs:RegisterTaskDefinition", "*", {}),
    (False, "orchestrator", "s3:GetObject", DATA, {}),
    (False, "orchestrator", "glue:GetPartitions", TABLE, {}),
    (False, "orchestrator", "glue:BatchUpdatePartition", TABLE, {}),
    (True, "orchestrator", "ecs:RunTask", TASK, CLUSTER),
    (False, "orchestrator", "ecs:RunTask", TASK, OTHER_CLUSTER),
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
    assert allows(role_policies(deployment, who), Request(action, arn, context)) is allowed


@pytest.mark.parametrize("key", [OBJECT, REST, DATA, DATA.replace("silver/", "gold/")])
def test_nobody_but_repair_and_collect_deletes_data_and_nobody_for_good(deployment: Deployment, key: str) -> None:
    policies = {who: role_policies(deployment, who) for who in ROLES}

    def deleting(action: str) -> set[str]:
        return {who for who, held in policies.items() if allows(held, Request(action, f"{LAKE}/{key}"))}

    assert deleting("s3:DeleteObject") == {"collect", "repair"}
    # The bucket keeps a deleted object for noncurrent_days.
    assert deleting("s3:DeleteObjectVersion") == set()


def test_nobody_but_publish_and_repair_changes_what_readers_see(deployment: Deployment) -> None:
    policies = {who: role_policies(deployment, who) for who in ROLES}

    def may(action: str) -> set[str]:
        return {who for who, held in policies.items() if allows(held, Request(action, TABLE))}

    assert may("glue:BatchCreatePartition") == may("glue:BatchUpdatePartition") == {"publish", "repair"}
    assert may("glue:DeletePartition") == {"repair"}


ROLES = (*(step.value for step in Step), "orchestrator", "execution", "reader")


@pytest.mark.parametrize("who", ROLES)
def test_no_role_may_do_everything_or_to_everything(deployment: Deployment, who: str) -> None:
    found = [json.loads(one)["Action"] for one in wildcards(role_policies(deployment, who))]
    # Neither knows a resource; the second has a condition that names the cluster.
    assert found == {"execution": ["ecr:GetAuthorizationToken"], "orchestrator": ["ecs:ListTasks"]}.get(who, [])


@pytest.mark.parametrize("who", ROLES)
def test_the_key_is_used_through_a_service_only(deployment: Deployment, who: str) -> None:
    key = deployment.client("kms").describe_key(KeyId=f"alias/{NAME}")["KeyMetadata"]["Arn"]
    policies = role_policies(deployment, who)
    assert not allows(policies, Request("kms:Decrypt", key))
    service = "ecr" if who == "execution" else "s3"
    assert allows(policies, Request("kms:Decrypt", key, {"kms:ViaService": f"{service}.{REGION}.amazonaws.com"}))
