"""One deployment for all tests of the folder: the tree applied to a stand-in, its state in a bucket there."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.terraform.stand_in import stand_in
from tests.terraform.terraforming import STATE_BUCKET, Applied, Tools, Workspace, find_tools, workspace

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REGION = "ap-northeast-1"
BACKEND = ("key=test.tfstate", f"region={REGION}", f"bucket={STATE_BUCKET}", "use_path_style=true")


@dataclass(frozen=True)
class Deployment:
    """What was applied, where, and what Terraform said."""

    workspace: Workspace
    endpoint: str
    applied: Applied

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region)


@pytest.fixture(scope="session")
def tools() -> Tools:
    found = find_tools()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def aws_credentials() -> Iterator[None]:
    names = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    yield
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture(scope="session")
def deployment(tools: Tools, aws_credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Staging with a second region, so that every module is there; in the end `destroy` must leave nothing."""
    with stand_in() as endpoint:
        copy = workspace(
            tools,
            tmp_path_factory.mktemp("deployed"),
            endpoint,
            environment="staging",
            replica_region="ap-northeast-3",
            force_destroy=True,
            secret_names=["exchange-api-key"],
            alarm_emails=["lake@example.org"],
            alarm_webhook="https://example.org/hook",
        )
        states: S3Client = boto3.client("s3", endpoint_url=endpoint, region_name=REGION)
        states.create_bucket(Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        started = copy.init(*(f"-backend-config={one}" for one in BACKEND))
        assert started.ok, started.text
        applied = copy.apply()
        assert applied.ok, applied.text
        yield Deployment(copy, endpoint, applied)
        destroyed = copy.destroy()
        assert destroyed.ok, destroyed.text
        left = [one["Name"] for one in states.list_buckets()["Buckets"]]
        assert left == [STATE_BUCKET], "destroy leaves nothing but the states"


@pytest.fixture
def project_tree() -> Path:
    return Path(__file__).parents[2] / "terraform"
