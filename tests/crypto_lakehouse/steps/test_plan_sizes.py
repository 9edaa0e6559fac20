"""How much a batch of partitions is about, as the plan tells it to whoever gives its steps room."""

import json
from pathlib import Path

from tests.small_lake import SmallLake, dropped, small_lake

NAME = "binance_um_klines"


def test_a_batch_is_as_large_as_the_objects_that_its_partitions_are_built_from(tmp_path: Path) -> None:
    with small_lake(tmp_path) as lake:
        keys = [lake.publish(NAME, day) for day in ("2025-01-01", "2025-01-02")]
        lake.run(NAME, "2025-01-01", "2025-01-02")
        both = sum(len(lake.bucket.objects[key.key]) for key in keys)
        assert sizes(lake) == [both]
        third = lake.publish(NAME, "2025-01-03")
        lake.run(NAME, "2025-01-01", "2025-01-03")
        assert sizes(lake) == [both, both + len(lake.bucket.objects[third.key])], "with what Bronze holds already"
        replaced = lake.publish(NAME, "2025-01-03", dropped(5, 8))
        lake.run(NAME, "2025-01-03", "2025-01-03")
        assert sizes(lake)[-1] > len(lake.bucket.objects[replaced.key])


def sizes(lake: SmallLake) -> list[int]:
    orders = sorted(Path(lake.settings.lake).glob("runs/*/*/transform-000.json"), key=lambda path: path.stat().st_mtime)
    return [json.loads(path.read_text(encoding="utf-8"))["bytes"] for path in orders]
