"""What readers would lose if a new version replaced the published one."""

from dataclasses import replace
from pathlib import Path

from crypto_lakehouse.catalog.opening import open_catalog
from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.lake.manifest import read_manifest
from crypto_lakehouse.progress import no_progress
from crypto_lakehouse.steps.context import StepContext
from crypto_lakehouse.steps.former import fetched, loss_of
from tests.crypto_lakehouse.steps.batches import FIRST, SECOND, UM
from tests.small_lake import SmallLake


def test_a_version_with_fewer_days_than_the_published_one_is_a_loss(small: SmallLake, tmp_path: Path) -> None:
    for day in (FIRST, SECOND):
        small.publish(UM, day)
    small.run(UM, FIRST, SECOND)
    (published,) = open_catalog(small.settings).partitions(dataset(UM))
    context = StepContext(small.settings, small.storage, "", tmp_path, no_progress)
    with fetched(context, published) as former:
        assert former is not None
        same = read_manifest(former)
    fewer = replace(same, covered=((same.covered[0][0], f"{SECOND}T00:00:00+00:00"),))
    assert loss_of(context, same, published) == ""
    assert f"would lose 1 days from {SECOND} to {SECOND}" in loss_of(context, fewer, published)
    (file,) = Path(small.settings.lake).glob("silver/**/version=*/*.parquet")
    file.unlink()
    with fetched(context, published) as former:
        assert former is None
    assert loss_of(context, fewer, published) == "", "a file that is gone protects nothing"
