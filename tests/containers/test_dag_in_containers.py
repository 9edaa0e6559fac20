"""DAG runs as production has them: Airflow in its image, every step in its own container beside it."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.query import Lake
from tests.containers.airflow_container import run_dags
from tests.containers.engine import Engine, image
from tests.small_lake import SmallLake, small_lake

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

KLINES = "binance_um_klines"
RUN = {
    "dag_id": KLINES,
    "conf": {
        "symbols": ["BTCUSDT"],
        "intervals": ["1h"],
        "start_date": "2025-01-01",
        "end_date": "2025-01-02",
    },
}


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[SmallLake]:
    tmp_path.chmod(0o755)
    with small_lake(tmp_path) as place:
        for day in ("2025-01-01", "2025-01-02"):
            place.publish(KLINES, day)
        Path(place.settings.lake).mkdir()
        yield place


def test_a_dag_run_with_every_step_in_a_container_publishes(images: Engine, lake: SmallLake, tmp_path: Path) -> None:
    offline = {"CRYPTO_LAKEHOUSE_EXCHANGE__ENABLED": "false"}
    outcome = run_dags(images, lake, [RUN], tmp_path / "runs", offline)
    assert outcome.code == 0, outcome.log[-9000:]
    assert outcome.states == {KLINES: "success"}
    for step, name in (("pull", "s5cmd"), ("gate", "quality"), ("publish", "polars")):
        assert f"of {image(name)}, network" in outcome.log, f"{step} ran in a container"
    days = Lake(lake.settings).coverage(KLINES, days=(date(2025, 1, 1), date(2025, 1, 2))).to_dicts()
    assert [day["rows"] for day in days] == [24, 24]
