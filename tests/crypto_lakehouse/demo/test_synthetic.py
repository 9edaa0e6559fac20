"""The synthetic archive has the format of the real one, and is the same on every machine."""

import hashlib
import re
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey, parse_key
from crypto_lakehouse.datasets import DATASETS, dataset
from crypto_lakehouse.demo.requests import BROKEN
from crypto_lakehouse.demo.synthetic import SyntheticRequest, build_archive, synthetic_csv
from crypto_lakehouse.silver.decode.blocks import InflationBounds
from crypto_lakehouse.silver.decode.zips import member_chunks
from crypto_lakehouse.spec import Dataset
from crypto_lakehouse.vocabulary import Frequency, Interval

DAY = date(2024, 12, 31)
ARCHIVED = [row for row in DATASETS if row.frequencies]
BOUNDS = InflationBounds(1 << 30, 200)


def shape(field: str) -> str:
    """Returns a field's spelling with every run of digits, save those after a point, as one 9."""
    whole, point, digits = field.partition(".")
    return re.sub(r"\d+", "9", whole) + point + re.sub(r"\d", "9", digits)


def lines_of(path: Path, stem: str) -> list[str]:
    return b"".join(member_chunks(path, stem, BOUNDS)).decode().splitlines()


def real_keys(real_archive: Path) -> list[ArchiveKey]:
    keys = [parse_key(path.relative_to(real_archive).as_posix()) for path in sorted(real_archive.rglob("*.zip"))]
    return [key for key in keys if key is not None]


def test_synthetic_files_have_the_headers_widths_and_spellings_of_the_real_ones(real_archive: Path) -> None:
    keys = real_keys(real_archive)
    assert len(keys) == 12
    for key in keys:
        real = lines_of(real_archive / key.key, key.stem)
        made = synthetic_csv(key).decode().splitlines()
        assert made[0].count(",") == real[0].count(",")
        if not real[0][0].isdigit():
            assert made[0] == real[0]
        spellings = {tuple(shape(one) for one in line.split(",")) for line in real[1:2000]}
        for place in range(real[0].count(",") + 1):
            seen = {one[place] for one in spellings}
            own = {shape(line.split(",")[place]) for line in made[1:200]}
            # Digits after the point vary in futures files; kinds of field do not.
            assert {one.partition(".")[0].lstrip("-") for one in own} <= {
                one.partition(".")[0].lstrip("-") for one in seen
            } | {"9"}, (key.key, place)


def test_stamps_have_the_unit_of_their_market_and_day() -> None:
    def first_stamp(name: str, day: date) -> str:
        lines = (
            synthetic_csv(ArchiveKey(dataset(name), Frequency.DAILY, "BTCUSDT", Interval.M1, day)).decode().splitlines()
        )
        return next(line for line in lines if line[0].isdigit()).split(",")[0]

    assert len(first_stamp("binance_spot_klines", date(2024, 12, 31))) == 13
    assert len(first_stamp("binance_spot_klines", date(2025, 1, 1))) == 16
    assert len(first_stamp("binance_um_klines", date(2025, 1, 1))) == 13


def request(row: Dataset) -> SyntheticRequest:
    months = (DAY.replace(day=1),) if row.frequencies == (Frequency.MONTHLY,) else ()
    return SyntheticRequest(row, (row.sample_symbol,), (DAY,), months, (Interval.H1,) if row.has_interval else ())


def test_the_archive_is_the_same_everywhere_and_says_what_it_is(tmp_path: Path) -> None:
    requests = [request(row) for row in ARCHIVED]
    for name in ("one", "two"):
        assert build_archive(tmp_path / name, requests) == 27
    one, two = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two")
    )
    assert one == two
    assert "SYNTHETIC" in (tmp_path / "one" / "SYNTHETIC.txt").read_text(encoding="utf-8")
    for path in (tmp_path / "one").rglob("*.zip"):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert path.with_name(f"{path.name}.CHECKSUM").read_text(encoding="utf-8") == f"{digest}  {path.name}"
        with zipfile.ZipFile(path) as archive:
            assert archive.namelist() == [f"{path.stem}.csv"]


def test_a_broken_object_differs_from_the_sound_one_in_one_price_and_its_checksum_is_right(tmp_path: Path) -> None:
    key = BROKEN
    sound = SyntheticRequest(key.dataset, (key.symbol,), (key.first_day,), intervals=(Interval.H1,))
    for name, request in (("sound", sound), ("broken", replace(sound, broken=key.key))):
        build_archive(tmp_path / name, [request])
    one, two = (lines_of(tmp_path / name / key.key, key.stem) for name in ("sound", "broken"))
    differing = [(number, a, b) for number, (a, b) in enumerate(zip(one, two, strict=True), 1) if a != b]
    ((number, good, bad),) = differing
    cells = list(zip(good.split(","), bad.split(","), strict=True))
    ((close, broken),) = [pair for pair in cells if pair[0] != pair[1]]
    assert (number, cells.index((close, broken))) == (14, 4)
    assert float(close) / 100 == pytest.approx(float(broken), abs=0.01)
    path = tmp_path / "broken" / key.key
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.with_name(f"{path.name}.CHECKSUM").read_text(encoding="utf-8").startswith(digest)


def test_identifiers_go_on_across_days() -> None:
    row = dataset("binance_spot_agg_trades")
    days = [date(2024, 12, 31), date(2025, 1, 1)]
    ids = [
        int(line.split(",")[0])
        for day in days
        for line in synthetic_csv(ArchiveKey(row, Frequency.DAILY, "BTCUSDT", None, day)).decode().splitlines()
    ]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_monthly_file_is_its_days_one_after_another() -> None:
    row = dataset("binance_spot_klines")
    month = synthetic_csv(ArchiveKey(row, Frequency.MONTHLY, "BTCUSDT", Interval.H1, date(2024, 2, 1)))
    days = [ArchiveKey(row, Frequency.DAILY, "BTCUSDT", Interval.H1, date(2024, 2, day)) for day in range(1, 30)]
    assert month == b"".join(synthetic_csv(day) for day in days)


@pytest.mark.parametrize("row", ARCHIVED, ids=lambda row: row.name)
def test_every_dataset_can_be_synthesised(row: Dataset) -> None:
    key = next(iter(request(row).objects()))
    lines = synthetic_csv(key).decode().splitlines()
    assert len(lines) > 10
    assert {line.count(",") for line in lines} == {len(row.layouts[0].columns) - 1}
