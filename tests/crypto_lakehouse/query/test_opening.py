"""A lake is opened by a text, a path or settings. Where there is none, nothing is made."""

from pathlib import Path

import pytest

from crypto_lakehouse.errors import InvalidRequest
from crypto_lakehouse.query import Lake, QueryLimits
from crypto_lakehouse.settings import Settings
from tests.published_lake import build_published_lake


def test_a_lake_is_named_by_a_path_or_a_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = build_published_lake(tmp_path / "lake")
    monkeypatch.setenv("HOME", str(tmp_path))
    for where in (tmp_path / "lake", str(tmp_path / "lake"), "~/lake", Path("~/lake")):
        assert Lake.open(where).datasets() == lake.datasets()
    assert Settings(lake="~/lake").lake == str(tmp_path / "lake")
    monkeypatch.setenv("CRYPTO_LAKEHOUSE_LAKE", "~/lake")
    assert Lake(Settings()).tables()


@pytest.mark.parametrize("wrong", [5, b"lake", ["lake"]])
def test_a_lake_is_nothing_else(wrong: object) -> None:
    with pytest.raises(InvalidRequest):
        Lake.open(wrong)  # type: ignore[arg-type]


def test_where_there_is_no_lake_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    for where, words in (("none", "there is no lake in"), ("empty", "there is no lake in"), ("file", "is a file")):
        with pytest.raises(InvalidRequest, match=words) as refused:
            Lake.open(tmp_path / where)
        assert str(tmp_path / where) in refused.value.what
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["empty", "file"]


@pytest.mark.parametrize("limit", [0, -1, True, "1", None])
def test_a_limit_is_a_number_above_zero(limit: object) -> None:
    with pytest.raises(InvalidRequest, match="max_rows"):
        QueryLimits(max_rows=limit)  # type: ignore[arg-type]
