"""What a pipeline's steps ask AWS for, as the requests that their roles are judged by."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3

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

    def note(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        for one in _requests(service, model.name, params, self.region):
            self.requests.setdefault(self.caller, []).append(one)


@contextmanager
def recording(region: str) -> Iterator[CallLog]:
    """Notes every call of clients that are made within."""
    log = CallLog(region)
    before = boto3.DEFAULT_SESSION
    boto3.setup_default_session()
    assert boto3.DEFAULT_SESSION is not None
    boto3.DEFAULT_SESSION.events.register("provide-client-params.*", log.note)
    try:
        yield log
    finally:
        boto3.DEFAULT_SESSION = before


def _requests(service: str, operation: str, params: dict[str, Any], region: str) -> list[Request]:
    if service == "s3":
        bucket = f"arn:aws:s3:::{params['Bucket']}"
        return [Request(_S3_ACTIONS[operation], f"{bucket}/{params['Key']}" if "Key" in params else bucket)]
    if service != "glue":
        raise NotImplementedError(f"{service} {operation}")
    arn = f"arn:aws:glue:{region}:{ACCOUNT}"
    database = params.get("DatabaseName") or params["Name"]
    table = params.get("TableName") or (params.get("Name") if "DatabaseName" in params else None)
    resources = [
        f"{arn}:catalog",
        f"{arn}:database/{database}",
        *([f"{arn}:table/{database}/{table}"] if table else []),
    ]
    return [Request(f"glue:{operation}", one) for one in resources]
