"""What a pipeline's steps ask AWS for, as the requests that their roles are judged by."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from botocore.client import BaseClient

from tests.terraform.policies import Request

ACCOUNT = "123456789012"
_S3_ACTIONS = {
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "CompleteMultipartUpload": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "DeleteObject": "s3:DeleteObject",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "ListObjectsV2": "s3:ListBucket",
    "PutObject": "s3:PutObject",
    "UploadPart": "s3:PutObject",
}


@dataclass
class CallLog:
    """The calls, by who made them: a step, or `orchestrator` between steps."""

    region: str
    caller: str = "orchestrator"
    requests: dict[str, list[Request]] = field(default_factory=dict)

    def note(self, service: str, operation: str, params: dict[str, Any]) -> None:
        for one in _requests(service, operation, params, self.region):
            self.requests.setdefault(self.caller, []).append(one)


@contextmanager
def recording(region: str) -> Iterator[CallLog]:
    """Notes every call that this process's clients make, whoever made the client."""
    log, make = CallLog(region), BaseClient._make_api_call

    def noted(client: BaseClient, operation: str, params: dict[str, Any]) -> Any:
        log.note(client.meta.service_model.service_name, operation, params)
        return make(client, operation, params)

    BaseClient._make_api_call = noted
    try:
        yield log
    finally:
        BaseClient._make_api_call = make


def _requests(service: str, operation: str, params: dict[str, Any], region: str) -> list[Request]:
    if service == "s3":
        bucket = f"arn:aws:s3:::{params['Bucket']}"
        return [Request(_S3_ACTIONS[operation], f"{bucket}/{params['Key']}" if "Key" in params else bucket)]
    place = f"{region}:{ACCOUNT}"
    if service == "glue":
        return _glue_requests(operation, params, f"arn:aws:glue:{place}")
    if service == "ecs":
        return _ecs_requests(operation, params, f"arn:aws:ecs:{place}")
    if service == "logs":
        return [Request(f"logs:{operation}", f"arn:aws:logs:{place}:log-group:{params['logGroupName']}:log-stream:x")]
    raise NotImplementedError(f"{service} {operation}")


def _glue_requests(operation: str, params: dict[str, Any], arn: str) -> list[Request]:
    database = params.get("DatabaseName") or params["Name"]
    table = params.get("TableName") or (params.get("Name") if "DatabaseName" in params else None)
    resources = [
        f"{arn}:catalog",
        f"{arn}:database/{database}",
        *([f"{arn}:table/{database}/{table}"] if table else []),
    ]
    return [Request(f"glue:{operation}", one) for one in resources]


def _ecs_requests(operation: str, params: dict[str, Any], arn: str) -> list[Request]:
    context = {"ecs:cluster": f"{arn}:cluster/{params['cluster']}"}
    if operation == "RunTask":
        family = params["taskDefinition"]
        # Its tags are given in the same call.
        tagged = Request("ecs:TagResource", f"{arn}:task/{params['cluster']}/0")
        return [Request("ecs:RunTask", f"{arn}:task-definition/{family}:1", context), tagged]
    if operation == "ListTasks":
        return [Request("ecs:ListTasks", "*", context)]
    tasks = params.get("tasks") or [params["task"]]
    return [Request(f"ecs:{operation}", one, context) for one in tasks]
