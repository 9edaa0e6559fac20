"""A folder is made once, and made anew where it was left half made."""

from pathlib import Path

import pytest

from tests.prepared import prepared


def test_a_folder_is_made_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    made = []
    first = prepared(tmp_path_factory, "of_test_prepared", made.append)
    assert prepared(tmp_path_factory, "of_test_prepared", made.append) == first
    # Another worker may have made it before.
    assert made in ([], [first])
    assert first.is_dir()


def test_what_was_left_half_made_is_made_anew(tmp_path_factory: pytest.TempPathFactory) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        prepared(tmp_path_factory, "of_a_test_that_fails", fail)
    folder = prepared(tmp_path_factory, "of_a_test_that_fails", lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]
