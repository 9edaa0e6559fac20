"""A whole run, every step in its image with no rights, no network but where it needs one, and a read-only root."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from crypto_lakehouse.lake.opening import open_storage
from crypto_lakehouse.progress import Progress, no_progress
from crypto_lakehouse.query import Lake
from crypto_lakehouse.running import new_run_id, run_alone, run_pipeline
from crypto_lakehouse.runs.orders import (
    CollectOrder,
    GapsOrder,
    InstrumentsOrder,
    Order,
    PlanRequest,
    RepairOrder,
    ScrubOrder,
)
from crypto_lakehouse.runs.results import StepResult, read_result
from crypto_lakehouse.settings import ExchangeSettings, Settings
from crypto_lakehouse.verbs import DATASET_RUN, VERBS, verb_of
from crypto_lakehouse.vocabulary import Market, Step
from tests.containers.conftest import open_to_all
from tests.containers.engine import STRICT, Engine, image
from tests.fakes.exchange import LocalExchange
from tests.small_lake import SmallLake, small_lake

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

KLINES = "binance_spot_klines"
ALONE: dict[Step, Order] = {
    Step.GAPS: GapsOrder("care"),
    Step.INSTRUMENTS: InstrumentsOrder(Market.SPOT, "care"),
    Step.SCRUB: ScrubOrder("care"),
    Step.REPAIR: RepairOrder("care"),
    Step.COLLECT: CollectOrder("care"),
}
"""The verbs that are no part of a run of a table, in the order in which they are tried."""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[SmallLake, LocalExchange]]:
    """An archive of two days, and an exchange that also has the third."""
    clock = datetime(2025, 1, 4, 4, 0, tzinfo=UTC).timestamp
    with small_lake(tmp_path) as lake, LocalExchange(clock=clock) as exchange:
        for day in ("2025-01-01", "2025-01-02"):
            lake.publish(KLINES, day)
        yield lake, exchange


def settings_of(lake: SmallLake, exchange: LocalExchange) -> Settings:
    asked = ExchangeSettings(spot_url=f"{exchange.url}/spot")
    return lake.settings.model_copy(update={"exchange": asked})


class InImages:
    """Carries out a step in its image, under the strictest rights."""

    def __init__(self, engine: Engine, environment: dict[str, str]) -> None:
        self.engine, self.environment = engine, environment
        self.done: list[Step] = []

    def __call__(self, step: Step, key: str, settings: Settings, progress: Progress = no_progress) -> StepResult:
        del progress
        open_to_all(Path(settings.lake))
        variables = [word for name, value in self.environment.items() for word in ("--env", f"{name}={value}")]
        self.engine.run(
            *("run", "--rm", *STRICT, "--network", "host" if verb_of(step).is_online else "none", *variables),
            *("--env", "CRYPTO_LAKEHOUSE_LAKE=/lake", "--volume", f"{settings.lake}:/lake"),
            *(image(verb_of(step).image.value), "step", step.value, "--work-order", key),
        )
        self.done.append(step)
        return read_result(open_storage(settings), key, step)


def test_a_whole_run_in_the_images_publishes_what_archive_and_exchange_have(
    images: Engine, place: tuple[SmallLake, LocalExchange]
) -> None:
    lake, exchange = place
    in_images = InImages(
        images,
        {
            "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
            "CRYPTO_LAKEHOUSE_EXCHANGE__SPOT_URL": f"{exchange.url}/spot",
        },
    )
    request = PlanRequest(KLINES, new_run_id("test"), "2025-01-01", "2025-01-03", ("BTCUSDT",), ("1h",))
    summary = run_pipeline(request, settings_of(lake, exchange), step=in_images)
    assert summary.failures == []
    assert set(in_images.done) == {step for stage in DATASET_RUN for step in stage.steps}
    assert summary.figures.pull.objects == 2
    assert any(request.path.endswith("klines") for request in exchange.requests), "the exchange was asked"
    days = Lake(lake.settings).coverage(KLINES, days=(date(2025, 1, 1), date(2025, 1, 3))).to_dicts()
    assert [day["rows"] for day in days] == [24, 24, 24]
    assert [day["sources"] for day in days] == ["archive_daily", "archive_daily", "rest"]


def test_every_verb_is_tried_in_its_image() -> None:
    of_datasets = {step for stage in DATASET_RUN for step in stage.steps}
    # There is no mart that could be built, so of `build` only the start is tried: see `test_images`.
    assert of_datasets | set(ALONE) == {verb.step for verb in VERBS} - {Step.BUILD}


def test_the_care_of_a_lake_in_the_images_mends_a_file_that_has_rotted(
    images: Engine, place: tuple[SmallLake, LocalExchange]
) -> None:
    lake, exchange = place
    lake.run(KLINES, "2025-01-01", "2025-01-02")
    rows = lake.lake.scan(KLINES).collect()
    (published,) = Path(lake.settings.lake).glob(f"silver/{KLINES}/**/data.parquet")
    sound = published.read_bytes()
    published.write_bytes(sound[:-9] + bytes([sound[-9] ^ 1]) + sound[-8:])
    environment = {
        "CRYPTO_LAKEHOUSE_ARCHIVE__ENDPOINT_URL": lake.bucket.endpoint,
        "CRYPTO_LAKEHOUSE_EXCHANGE__SPOT_URL": f"{exchange.url}/spot",
        # The whole lake at once.
        "CRYPTO_LAKEHOUSE_MAINTENANCE__SCRUB_DAYS": "7",
    }
    in_images = InImages(images, environment)
    outcomes = {
        step: run_alone(step, order, settings_of(lake, exchange), run=in_images).completed()
        for step, order in ALONE.items()
    }
    assert in_images.done == list(ALONE)
    assert outcomes[Step.SCRUB].figures.files_damaged == 1
    repaired = outcomes[Step.REPAIR].figures
    assert (repaired.faults, repaired.faults_mended, repaired.faults_left) == (1, 1, 0)
    assert published.read_bytes() == sound
    assert lake.lake.scan(KLINES).collect().equals(rows)


def test_the_image_of_a_pull_refuses_other_steps_and_tells_errors_apart(images: Engine, tmp_path: Path) -> None:
    open_to_all(tmp_path)
    start = ("run", "--rm", *STRICT, "--network", "none", "--volume", f"{tmp_path}:/lake")
    environment = ("--env", "CRYPTO_LAKEHOUSE_LAKE=/lake")
    codes = {
        words: images.run(*start, *environment, image("s5cmd"), *words, check=False).returncode
        for words in [
            ("step", "gate", "--work-order", "x"),
            ("step", "pull"),
            ("step", "pull", "--work-order", "nonsense"),
            ("step", "pull", "--help"),
        ]
    }
    assert list(codes.values()) == [64, 64, 64, 0]
    order = f"runs/{KLINES}/run/pull-000.json"
    words = ("step", "pull", "--work-order", order, "--json")
    failed = images.run(*start, *environment, image("s5cmd"), *words, check=False)
    assert failed.returncode == 65
    said = json.loads(failed.stdout)
    assert (said["status"], said["error"]["exit_code"]) == ("failed", 65), "as the package's own command line says it"
    assert (tmp_path / f"runs/{KLINES}/run/pull-000.pull.result.json").is_file()
