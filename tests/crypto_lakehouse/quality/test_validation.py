"""Great Expectations over facts: what it writes, and that a run leaves nothing to the next one."""

import json
import logging
from pathlib import Path

import pytest

from crypto_lakehouse.datasets import dataset
from crypto_lakehouse.errors import LakehouseError
from crypto_lakehouse.quality.profile import Facts, profile
from crypto_lakehouse.quality.validation import DATA_DOCS, validated
from tests.crypto_lakehouse.quality.conformed import made
from tests.crypto_lakehouse.quality.reading_docs import assert_readable_offline

FUNDING, KLINES = dataset("binance_um_funding_rate"), dataset("binance_um_klines")


def facts_of(name: str, folder: Path) -> Facts:
    conformed = made(dataset(name), folder)
    assert conformed.file is not None
    counted = profile(conformed.file, conformed.partition, conformed.manifest)
    return counted.with_counts({"known_faults_gone": 0}).facts


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders `funding` and `klines` of two validations of one process."""
    folder = tmp_path_factory.mktemp("validations")
    for table, name in ((FUNDING, "funding"), (KLINES, "klines")):
        (folder / name).mkdir()
        result = validated(table, [facts_of(table.name, folder / f"made-{name}")], folder / name)
        assert result.success
        assert result.statistics["evaluated_expectations"] > 10
    return folder


def test_the_results_and_the_pages_are_all_that_is_written(written: Path) -> None:
    files = [path.relative_to(written / "klines") for path in (written / "klines").rglob("*") if path.is_file()]
    assert {path.parts[0] for path in files} == {DATA_DOCS, "validations"}
    assert {path.suffix for path in files if path.parts[0] == DATA_DOCS} == {".html"}
    (results,) = (written / "klines" / "validations").rglob("*.json")
    assert json.loads(results.read_text())["success"] is True


def test_pages_written_with_the_same_templates_are_each_about_their_own_table(written: Path) -> None:
    for name, table, other in (("funding", FUNDING, KLINES), ("klines", KLINES, FUNDING)):
        pages = sorted((written / name / DATA_DOCS).rglob("*.html"))
        assert len(pages) == 3
        for page in pages:
            text = page.read_text(encoding="utf-8")
            assert table.name in text
            assert other.name not in text
        assert_readable_offline(written / name / DATA_DOCS / "index.html")


def test_the_views_of_a_process_share_their_templates(written: Path) -> None:
    assert written
    from crypto_lakehouse.quality.data_docs_views import IndexView, PageView

    assert PageView().env is PageView().env is IndexView().env


def test_a_page_that_the_disk_does_not_take_fails_the_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from great_expectations.checkpoint import UpdateDataDocsAction

    def fail(*_arguments: object, **_options: object) -> None:
        logging.getLogger("great_expectations.data_context").error("[Errno 28] No space left on device: 'x.html'")

    monkeypatch.setattr(UpdateDataDocsAction, "_build_data_docs", fail)
    with pytest.raises(LakehouseError, match="space"):
        validated(FUNDING, [facts_of(FUNDING.name, tmp_path / "made")], tmp_path)
