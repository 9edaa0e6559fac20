"""The generated pages say what the table says."""

import re
from datetime import date
from pathlib import Path

import pytest

from crypto_lakehouse.archive.keys import ArchiveKey
from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.datasets import DATASETS
from crypto_lakehouse.docs import (
    BEGIN,
    END,
    between_markers,
    generated_pages,
    main,
    render_data_dictionary,
    render_dataset_table,
)
from crypto_lakehouse.spec import Dataset

PROJECT = require_checkout()


@pytest.mark.parametrize("path", sorted(generated_pages(PROJECT)), ids=lambda path: path.name)
def test_a_generated_page_is_as_fresh_as_the_table(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == generated_pages(PROJECT)[path], "run `make docs`"


def test_a_stale_page_is_noticed_and_rewritten_once(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(f"# Title\n{BEGIN}\nold\n{END}\nend\n")
    said: list[str] = []
    assert main(tmp_path, said.append) == main(tmp_path, said.append) == 0
    assert sorted(said) == [
        "rewrote README.md",
        "rewrote docs/datasets.md",
        "rewrote docs/field_ids.json",
        "rewrote docs/verbs.md",
    ]
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("# Title\n")
    assert readme.endswith(f"{END}\nend\n")
    assert "old" not in readme
    assert render_dataset_table() in readme


def test_a_readme_without_markers_stays_as_it_is() -> None:
    assert between_markers("# Title\n", "table") == "# Title\n"
    assert between_markers(f"{END} {BEGIN}", "table") == f"{END} {BEGIN}"


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_the_dictionary_explains_every_column_and_expectation_of_a_dataset(row: Dataset) -> None:
    chapter = render_data_dictionary().split(f"## {row.name}\n")[1].split("\n## ")[0]
    for column in row.columns:
        assert f"| `{column.name}` | {column.type}" in chapter
        assert column.meaning in chapter
    assert chapter.split("Expectations:")[1].split("Notes:")[0].count("\n- ") == len(row.expectations)
    assert "{" not in chapter


@pytest.mark.parametrize("row", DATASETS, ids=lambda row: row.name)
def test_the_archive_path_of_the_dictionary_is_the_one_that_is_pulled(row: Dataset) -> None:
    chapter = render_data_dictionary().split(f"## {row.name}\n")[1]
    interval = row.intervals[0] if row.has_interval else None
    day = date(2023, 6, 1)
    for frequency in row.frequencies:
        key = ArchiveKey(row, frequency, row.sample_symbol, interval, day).key
        pattern = key.replace(row.sample_symbol, "<symbol>")
        pattern = pattern.replace(f"{day:%Y-%m-%d}", "<YYYY-MM-DD>").replace(f"{day:%Y-%m}", "<YYYY-MM>")
        if interval:
            pattern = pattern.replace(f"/{interval}/", "/<interval>/").replace(f"-{interval}-", "-<interval>-")
        assert f"`{pattern}`" in chapter, frequency


def test_the_overview_has_a_line_per_dataset() -> None:
    lines = render_dataset_table().splitlines()
    assert len(lines) == 2 + len(DATASETS)
    assert {line.count(" | ") for line in lines} == {4}


def missing(page: Path) -> list[str]:
    """Returns the files that a page links to or names as tests, and that are not there."""
    text = page.read_text(encoding="utf-8")
    linked = [page.parent / one for one in re.findall(r"\]\((?!https?:)([^)#]+)", text)]
    named = [PROJECT / one for one in re.findall(r"`(tests/[\w./-]+)`", text)]
    return [str(one) for one in (*linked, *named) if not one.exists()]


@pytest.mark.parametrize(
    "page", [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))], ids=lambda p: p.name
)
def test_what_a_page_links_to_and_the_tests_it_names_are_there(page: Path) -> None:
    assert missing(page) == []


def test_a_broken_link_and_a_test_that_is_gone_are_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[one](gone.md#part), [two](page.md), [three](https://example.org), `tests/gone.py`, `tests/faults/`"
    )
    assert [Path(one).name for one in missing(page)] == ["gone.md", "gone.py"]
