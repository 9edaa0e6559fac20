"""One deployment for all tests of the folder: the tree applied to a stand-in, its state there, and a run upon it."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from crypto_lakehouse.progress import Progress
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import RunSummary, new_run_id, run_alone, run_pipeline
from crypto_lakehouse.runs.orders import GapsOrder, InstrumentsOrder, PlanRequest
from crypto_lakehouse.runs.results import StepResult
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.vocabulary import Market, Step
from tests.fakes.bucket import FakeBucket, serving
from tests.small_lake import SmallLake
from tests.terraform.calls import CallLog, recording
from tests.terraform.care import Care
from tests.terraform.stand_in import stand_in
from tests.terraform.terraforming import STATE_BUCKET, Applied, Tools, Workspace, find_tools, workspace

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

REGION = "ap-northeast-1"
NAME = "lakehouse-staging"
DATASET = "binance_um_klines"
Resources = Mapping[str, dict[str, Any]]
"""Resources by address: their values."""

BACKEND = ("key=test.tfstate", f"region={REGION}", f"bucket={STATE_BUCKET}", "use_path_style=true")


@dataclass(frozen=True)
class Deployment:
    """What was applied, where, and what Terraform said."""

    workspace: Workspace
    endpoint: str
    applied: Applied

    @property
    def env(self) -> dict[str, str]:
        """What `terraform output -raw env > .env` gives."""
        said = self.workspace.run("output", "-raw", "env")
        assert said.ok, said.text
        return dict(line.split("=", 1) for line in said.text.splitlines())

    def client(self, service: str, region: str = REGION) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name=region)


@pytest.fixture(scope="session")
def tools() -> Tools:
    """Terraform and its provider; without them, or unasked, the tests are skipped."""
    if os.environ.get("TEST_TERRAFORM") != "1":
        pytest.skip("applies for minutes: `make terraform` runs it")
    found = find_tools()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def planned(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Resources]:
    """What each environment would make as users have it, nothing left out for the stand-in."""

    @cache
    def of(environment: str) -> Resources:
        with stand_in() as endpoint:
            copy = workspace(tools, tmp_path_factory.mktemp(environment), endpoint, environment=environment)
            return copy.undiminished().with_local_state().planned()

    return of


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


@dataclass(frozen=True)
class PipelineRun:
    """A run of the pipeline and the care of its lake on what was applied, and what they asked AWS for."""

    settings: Settings
    summary: RunSummary
    calls: CallLog
    rows_read: int
    repairs: dict[str, Any]
    collected: Any


@pytest.fixture(scope="session")
def pipeline_run(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> PipelineRun:
    """The settings are those of `terraform output -raw env`; only endpoints are added."""
    with serving(FakeBucket()) as bucket, pytest.MonkeyPatch.context() as patch:
        for name, value in deployment.env.items():
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
        with without_bucket_policy(deployment), recording(REGION) as calls:
            summary = run_pipeline(request, settings, step=_noted(calls))
            run_alone(Step.GAPS, GapsOrder("test"), settings, run=_noted(calls))
            run_alone(Step.INSTRUMENTS, InstrumentsOrder(Market.UM, "test"), settings, run=_noted(calls))
            calls.caller = "reader"
            rows = Lake(settings).scan(DATASET, symbols=["BTCUSDT"], interval="1h").collect().height
            repairs, collected = _cared_for(settings, calls)
    return PipelineRun(settings, summary, calls, rows, repairs, collected)


def _cared_for(settings: Settings, calls: CallLog) -> tuple[dict[str, Any], Any]:
    care, repairs = Care(settings, DATASET), {}
    for damage in (care.damage_files, care.damage_records, care.lose_object):
        calls.caller = "somebody"
        damage()
        calls.caller = "orchestrator"
        repairs[damage.__name__] = care.scrub_and_repair(damage.__name__, _noted(calls))
    calls.caller = "somebody"
    care.leave_behind()
    calls.caller = "orchestrator"
    return repairs, care.collect_later(_noted(calls))


@contextmanager
def without_bucket_policy(deployment: Deployment) -> Iterator[None]:
    """Moto refuses whatever a policy refuses on a condition; what the policy says is tested as data."""
    s3, name = deployment.client("s3"), f"{NAME}-lake-123456789012"
    policy = s3.get_bucket_policy(Bucket=name)["Policy"]
    s3.delete_bucket_policy(Bucket=name)
    try:
        yield
    finally:
        s3.put_bucket_policy(Bucket=name, Policy=policy)


def _noted(calls: CallLog) -> Any:
    def step(verb: Step, key: str, settings: Settings, progress: Progress) -> StepResult:
        calls.caller = verb.value
        try:
            return run_step(verb, key, settings, progress)
        finally:
            calls.caller = "orchestrator"

    return step
