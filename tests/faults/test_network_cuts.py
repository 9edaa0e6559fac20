"""The network is cut in the middle of a listing, a CHECKSUM or a zip: nothing corrupt counts, and a rerun is whole."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive import bucket as bucket_module
from crypto_lakehouse.archive.planning import plan_pull
from crypto_lakehouse.archive.pulling import pull
from crypto_lakehouse.errors import SourceUnavailable
from crypto_lakehouse.lake.bronze import BronzeLog
from crypto_lakehouse.lake.local import LocalStorage
from crypto_lakehouse.lake.selection import Selection
from crypto_lakehouse.settings import Settings
from tests.crypto_lakehouse.archive.objects import QUICK, put_object, settings_for, transfer_for
from tests.fakes.bucket import FakeBucket, serving

NAME = "binance_um_klines"
KINDS = {"listing": "list-type", "CHECKSUM": ".CHECKSUM", "zip": ".zip"}
POINTS = {
    "at once": 0.0,
    "one byte": -1.0,
    "a quarter": 0.25,
    "half": 0.5,
    "nearly all": 0.99,
    "all but one byte": -2.0,
}
LASTING = (False, True)


@pytest.fixture
def bucket() -> Iterator[FakeBucket]:
    with serving(FakeBucket()) as served:
        yield served


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "_pause", lambda _attempt: None)


class Cutter:
    """Cuts answers of one kind after so much of their body, once or for as long as it lasts."""

    def __init__(self, kind: str, point: float, *, lasting: bool) -> None:
        self._kind, self._point, self._lasting, self.cuts = kind, point, lasting, 0

    def __call__(self, path: str, length: int) -> int | None:
        is_kind = path.partition("?")[0].endswith(KINDS[self._kind]) or KINDS[self._kind] in path.partition("?")[2]
        if not is_kind or (self.cuts and not self._lasting):
            return None
        self.cuts += 1
        return {-1.0: 1, -2.0: length - 1}.get(self._point, int(length * self._point))


def bring(settings: Settings, bronze: BronzeLog) -> None:
    selection = Selection.parse(NAME, ("2024-01-01", "2024-01-31"), symbols=["BTCUSDT"], intervals=["1m"])
    plan = plan_pull(selection, settings, bronze, QUICK)
    if plan.objects:
        pull(plan.objects, transfer_for(settings))


def held(settings: Settings, bronze: BronzeLog) -> dict[str, bytes]:
    storage = LocalStorage(Path(settings.lake))
    return {key: storage.read(path) for key, path in bronze.latest(NAME).select("key", "path").iter_rows()}


@pytest.mark.parametrize("lasting", LASTING, ids=["once", "lasting"])
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_never_leaves_anything_wrong_and_a_rerun_brings_the_rest(
    kind: str, point: str, lasting: bool, bucket: FakeBucket, tmp_path: Path
) -> None:
    keys = [put_object(bucket, NAME, date(2024, 1, day), rows=b"1,2,3\n" * 400) for day in (1, 2)]
    settings = settings_for(bucket, tmp_path)
    bronze = BronzeLog(LocalStorage(Path(settings.lake)))
    bucket.cut = cutter = Cutter(kind, POINTS[point], lasting=lasting)
    try:
        bring(settings, bronze)
    except SourceUnavailable:
        assert lasting or kind != "listing"
    else:
        assert not lasting
    assert cutter.cuts >= 1
    whole = {key: bucket.objects[key] for key in keys}
    assert held(settings, bronze).items() <= whole.items()
    bucket.cut = lambda _path, _length: None
    bring(settings, bronze)
    assert held(settings, bronze) == whole
