"""The latest demonstration is remembered, for `make up`."""

from pathlib import Path

import pytest

from crypto_lakehouse.demo import place as module
from crypto_lakehouse.demo.place import SYNTHETIC_ARCHIVE, Place, latest_place, remember


@pytest.fixture(autouse=True)
def _own_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LATEST", tmp_path / "demo" / "latest.json")


def test_the_latest_place_is_found_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "b" / "lake").mkdir(parents=True)
    (tmp_path / "archive").mkdir()
    remember(Place("the first", tmp_path / "a", None))
    latest = Place("the folder archive", tmp_path / "b", tmp_path / "archive", "bucket")
    remember(latest)
    assert latest_place() == latest


@pytest.mark.parametrize("missing", ["record", "lake", "archive"])
def test_what_is_gone_is_not_opened(missing: str, tmp_path: Path) -> None:
    for name in {"lake", "archive"} - {missing}:
        (tmp_path / name).mkdir()
    if missing != "record":
        remember(Place("a folder", tmp_path, tmp_path / "archive"))
    assert latest_place() is None


def test_a_damaged_record_is_none(tmp_path: Path) -> None:
    for text in ("", "[]", "{}", '{"title": 1}'):
        module.LATEST.parent.mkdir(exist_ok=True)
        module.LATEST.write_text(text)
        assert latest_place() is None


def test_only_the_synthetic_archive_has_an_exchange_of_its_own(tmp_path: Path) -> None:
    assert Place("", tmp_path, SYNTHETIC_ARCHIVE).is_synthetic
    assert not Place("", tmp_path, tmp_path).is_synthetic
    assert not Place("", tmp_path, None).is_synthetic
