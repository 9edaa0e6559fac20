"""What alarms see: real lines of steps, through the planned filters, become what the planned alarms look at."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.cli import main
from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.progress import Progress
from crypto_lakehouse.running import new_run_id, run_alone, run_pipeline
from crypto_lakehouse.runs.orders import PlanRequest, RepairOrder, ScrubOrder
from crypto_lakehouse.runs.results import StepResult, read_result
from crypto_lakehouse.settings import Settings, load_settings
from crypto_lakehouse.vocabulary import Step
from tests.fakes.bucket import FakeBucket, serving
from tests.small_lake import SmallLake, put_in_all
from tests.terraform.conftest import NAME, REGION, Deployment, Resources
from tests.terraform.patterns import Counted, counted, is_heard, matches

pytestmark = [pytest.mark.long, pytest.mark.timeout(7200), pytest.mark.filterwarnings("ignore::DeprecationWarning")]
KLINES, DAY = "binance_um_klines", "2024-05-01"
OWN = f"CryptoLakehouse/{NAME}"
FINISHED = Counted(OWN, "FinishedRuns", 1, (("dataset", KLINES),))
FAILED = Counted(OWN, "FailedSteps", 1)
QUARANTINED = Counted(OWN, "Quarantined", 1)
DAMAGED = Counted(OWN, "Damaged", 1)


@pytest.fixture
def staging(planned: Callable[[str], Resources]) -> Resources:
    return planned("staging")


@pytest.fixture
def filters(staging: Resources) -> list[dict[str, Any]]:
    return of_kind(staging, "aws_cloudwatch_log_metric_filter")


def of_kind(made: Resources, kind: str) -> list[dict[str, Any]]:
    return [values for address, values in made.items() if f".{kind}." in address]


def group(step: Step) -> str:
    return f"/{NAME}/steps/{step}"


@dataclass
class Talking:
    """Steps as ECS starts them, and the lines that they printed."""

    lines: list[tuple[Step, str]] = field(default_factory=list)

    def __call__(self, step: Step, key: str, settings: Settings, _: Progress) -> StepResult:
        # The log of a container has both streams.
        with redirect_stdout(StringIO()) as said, redirect_stderr(said):
            code = main(["step", step.value, "--work-order", key, "--json"])
        self.lines += [(step, line) for line in said.getvalue().splitlines()]
        if code:
            raise SourceUnavailable(f"{step} ended with {code}")
        return read_result(open_storage(settings), key, step)

    def counted(self, filters: list[dict[str, Any]]) -> list[tuple[Step, Counted]]:
        return [(step, one) for step, line in self.lines for one in counted(filters, group(step), line)]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallLake]:
    """A lake that the steps' own environment names."""
    with serving(FakeBucket()) as bucket:
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", str(tmp_path / "lake"))
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL", bucket.endpoint)
        monkeypatch.setenv("CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED", "false")
        load_settings.cache_clear()
        yield SmallLake(bucket, load_settings())
    load_settings.cache_clear()


def test_alarms_look_at_all_that_filters_count_and_at_nothing_else(
    staging: Resources, filters: list[dict[str, Any]]
) -> None:
    made = [one for each in filters for one in each["metric_transformation"]]
    emitted = {(one["namespace"], one["name"], frozenset(one["dimensions"] or ())) for one in made}
    alarms = of_kind(staging, "aws_cloudwatch_metric_alarm")
    watched = {
        (one["namespace"], one["metric_name"], frozenset(one["dimensions"] or ())) for one in alarms if one["namespace"]
    }
    assert (
        watched
        == emitted
        == {(OWN, one.metric, frozenset(dict(one.dimensions))) for one in (FINISHED, FAILED, QUARANTINED, DAMAGED)}
    )
    late = {one["dimensions"]["dataset"] for one in alarms if one["metric_name"] == "FinishedRuns"}
    assert late == {"binance_spot_klines", KLINES}


def test_filters_read_the_log_groups_of_steps(staging: Resources, filters: list[dict[str, Any]]) -> None:
    groups = {one["name"] for one in of_kind(staging, "aws_cloudwatch_log_group")}
    assert {one["log_group_name"] for one in filters} == {group(step) for step in Step} <= groups


def test_the_storage_alarm_adds_up_every_tier_that_the_lifecycle_can_reach(deployment: Deployment) -> None:
    cloudwatch = deployment.client("cloudwatch")
    [alarm] = cloudwatch.describe_alarms(AlarmNamePrefix=f"{NAME}-storage")["MetricAlarms"]
    [total] = [one for one in alarm["Metrics"] if one["ReturnData"]]
    tiers = {one["Id"]: one["MetricStat"] for one in alarm["Metrics"] if not one["ReturnData"]}
    assert total["Expression"] == f"SUM([{', '.join(sorted(tiers))}])"
    metrics = [one["Metric"] for one in tiers.values()]
    assert {(one["Namespace"], one["MetricName"]) for one in metrics} == {("AWS/S3", "BucketSizeBytes")}
    assert {(one["Stat"], one["Period"]) for one in tiers.values()} == {("Average", 86400)}
    dimensions = [{each["Name"]: each["Value"] for each in one["Dimensions"]} for one in metrics]
    assert {one["BucketName"] for one in dimensions} == {deployment.workspace.output("buckets")["lake"]}
    tier = "IntelligentTiering{}Storage".format
    assert sorted(one["StorageType"] for one in dimensions) == sorted(
        ["StandardStorage", *(tier(one) for one in ("FA", "IA", "AIA", "AA", "DAA"))]
    )
    assert alarm["Threshold"] == 2e12


def wrong_checksum(small: SmallLake) -> None:
    key = small.publish(KLINES, DAY)
    small.bucket.objects[key.checksum_key] = b"0" * 64 + f"  {key.stem}.zip".encode()


def unreadable(small: SmallLake) -> ArchiveKey:
    return small.publish(KLINES, DAY, put_in_all(2, "what"))


def impossible_prices(small: SmallLake) -> ArchiveKey:
    return small.publish(KLINES, DAY, put_in_all(2, "0.01"))


def sound(small: SmallLake) -> ArchiveKey:
    return small.publish(KLINES, DAY)


@pytest.mark.parametrize(
    ("publish", "expected"),
    [
        (sound, []),
        (wrong_checksum, [(Step.PULL, QUARANTINED)]),
        # The object, and the partition that is not what it should be without it.
        (unreadable, [(Step.CONFORM, QUARANTINED), (Step.PUBLISH, QUARANTINED)]),
        (impossible_prices, [(Step.CONFORM, QUARANTINED), (Step.PUBLISH, QUARANTINED)]),
    ],
)
def test_a_run_counts_as_finished_and_so_does_what_it_quarantined(
    small: SmallLake,
    filters: list[dict[str, Any]],
    publish: Callable[[SmallLake], object],
    expected: list[tuple[Step, Counted]],
) -> None:
    publish(small)
    talking = Talking()
    request = PlanRequest(KLINES, new_run_id("test"), DAY, DAY, ("BTCUSDT",), ("1h",))
    assert run_pipeline(request, small.settings, step=talking).failures == []
    assert any("step_ended" in line for _, line in talking.lines), "the events are among the lines"
    assert talking.lines[-1][0] is Step.REPORT
    assert talking.counted(filters) == [*expected, (Step.REPORT, FINISHED)]


def test_a_run_with_a_failed_step_does_not_count_as_finished_and_its_report_counts_as_failed(
    small: SmallLake, filters: list[dict[str, Any]]
) -> None:
    sound(small)
    talking = Talking()

    def killed(step: Step, key: str, settings: Settings, progress: Progress) -> StepResult:
        if step is Step.GATE:
            raise SourceUnavailable("the container was stopped before the step wrote anything")
        return talking(step, key, settings, progress)

    request = PlanRequest(KLINES, new_run_id("test"), DAY, DAY, ("BTCUSDT",), ("1h",))
    assert len(run_pipeline(request, small.settings, step=killed).failures) == 1
    assert talking.counted(filters) == [(Step.REPORT, FAILED)]


@pytest.mark.parametrize(("is_lost", "expected"), [(False, []), (True, [(Step.REPAIR, DAMAGED)])])
def test_what_a_repair_could_not_mend_is_told(
    small: SmallLake, filters: list[dict[str, Any]], is_lost: bool, expected: list[tuple[Step, Counted]]
) -> None:
    small.publish(KLINES, DAY)
    small.run(KLINES, DAY, DAY)
    (stored,) = Path(small.settings.lake).glob("bronze/*/objects/**/*.zip")
    if is_lost:
        stored.unlink()
    talking = Talking()
    run_alone(Step.SCRUB, ScrubOrder("care"), small.settings, run=talking)
    outcome = run_alone(Step.REPAIR, RepairOrder("care"), small.settings, run=talking).completed()
    assert len(outcome.runs) == len(expected), "a run brings the object again"
    assert talking.counted(filters) == expected


@pytest.mark.parametrize("step", Step)
def test_a_step_that_fails_counts_as_failed_and_no_report_of_it_as_finished(
    small: SmallLake, filters: list[dict[str, Any]], step: Step
) -> None:
    talking = Talking()
    with pytest.raises(SourceUnavailable):
        talking(step, f"runs/{KLINES}/gone/transform-000.json", small.settings, None)
    assert talking.counted(filters) == [(step, FAILED)]


def test_the_line_of_airflow_s_callback_is_none_of_the_steps(
    filters: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("airflow", reason="Airflow is not installed")
    from lakehouse_airflow.errors import log_failure
    from tests.lakehouse_airflow.runners.conftest import task_context

    log_failure(task_context())
    line = capsys.readouterr().out.strip()
    assert line.startswith("lakehouse_failure dag=binance_um_klines "), "the word that docs/aws.md tells to look for"
    assert [one for step in Step for one in counted(filters, group(step), line)] == []


STOPPED = {"lastStatus": "STOPPED", "stopCode": "EssentialContainerExited"}


@pytest.mark.parametrize(
    ("detail", "is_told"),
    [
        ({**STOPPED, "containers": [{"exitCode": 0}]}, False),
        ({**STOPPED, "containers": [{"exitCode": 1}]}, True),
        ({**STOPPED, "containers": [{"exitCode": 137}]}, True),
        ({"lastStatus": "STOPPED", "stopCode": "TaskFailedToStart", "containers": [{}]}, True),
        ({"lastStatus": "RUNNING", "containers": [{}]}, False),
        ({**STOPPED, "containers": [{"exitCode": 1}], "clusterArn": "arn:aws:ecs:eu-west-1:1:cluster/other"}, False),
    ],
)
def test_a_task_that_ends_badly_is_told_by_its_event(
    deployment: Deployment, detail: Mapping[str, Any], is_told: bool
) -> None:
    rule = deployment.client("events").describe_rule(Name=f"{NAME}-failed-tasks")
    cluster = f"arn:aws:ecs:{REGION}:123456789012:cluster/{NAME}"
    event = {
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "detail": {"clusterArn": cluster, **detail},
    }
    assert is_heard(json.loads(rule["EventPattern"]), event) is is_told


def test_the_evaluators_know_a_line_from_another_and_what_they_do_not_know() -> None:
    pattern = '{ $.step = "report" && $.status != "failed" && $.counts.rows > 0 }'
    line = {"step": "report", "status": "succeeded", "counts": {"rows": 1}}
    assert matches(pattern, json.dumps(line))
    assert matches("{ $.counts.rows = 1 }", json.dumps(line))
    assert not matches("{ $.counts.rows = 0 }", json.dumps(line))
    for other in ({"step": "pull"}, {"status": "failed"}, {"counts": {"rows": 0}}, {"counts": {}}):
        assert not matches(pattern, json.dumps({**line, **other}))
    assert not matches(pattern, "report")
    with pytest.raises(NotImplementedError):
        matches('{ $.step = "report" || $.step = "plan" }', json.dumps(line))
    with pytest.raises(NotImplementedError):
        is_heard({"source": [{"prefix": "aws"}]}, {"source": "aws.ecs"})
