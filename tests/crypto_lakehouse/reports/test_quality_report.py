import re

from crypto_lakehouse.reports.quality_report import DatasetSection, PartitionLine, quality_report
from crypto_lakehouse.vocabulary import Condition

LINES = (
    PartitionLine("symbol_key=A/month=2024-01", 10, Condition.AVAILABLE),
    PartitionLine("symbol_key=B/month=2024-01", 20, Condition.DEGRADED, ("grid_missing: 3 of 20",)),
    PartitionLine("symbol_key=<script>", 30, Condition.QUARANTINED, ("<script>alert(1)</script>",)),
)
PAGE = quality_report(
    "T & <b>",
    [("State", "quarantined"), ("Run", "r<1>"), ("Lake", "s3://lake")],
    [DatasetSection("binance_um_klines", 3, 1_500_000, 1.25, LINES, ("k: <i>",), ("a/b.html",))],
)


def test_the_page_needs_no_network() -> None:
    assert not re.search(r"(src|href)=[\"'](https?:)?//", PAGE)
    assert "@import" not in PAGE and "url(" not in PAGE


def test_what_the_archive_says_is_escaped() -> None:
    assert "<script>" not in PAGE
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in PAGE
    assert "T &amp; &lt;b&gt;" in PAGE


def test_figures_and_reasons_are_there_and_quarantined_rows_do_not_count() -> None:
    assert '<td class="number">30</td>' in PAGE
    assert "1.5 MB" in PAGE
    assert "grid_missing: 3 of 20" in PAGE
    assert 'href="a/b.html"' in PAGE


def test_the_report_says_of_which_run_and_lake_it_is_and_how_the_run_ended() -> None:
    assert '<dd><span class="badge quarantined">quarantined</span></dd>' in PAGE
    assert "<dd>r&lt;1&gt;</dd>" in PAGE
    assert "<dd>s3://lake</dd>" in PAGE


def test_each_red_part_leads_to_its_entry_of_the_runbook() -> None:
    assert "docs/runbook.md#a-partition-is-refused" in PAGE
    assert "docs/runbook.md#an-object-is-refused" in PAGE
    assert "docs/runbook.md#a-step-failed" not in PAGE
    failed = quality_report("T", [], [DatasetSection("binance_um_klines", 0, 0, 0.0, (), failed=("delta: 451",))])
    assert re.findall(r"docs/runbook\.md#([a-z-]+)", failed) == ["a-step-failed"]


def test_a_partition_that_is_held_back_leads_to_its_own_entry_as_the_note_of_the_run_does() -> None:
    reasons = ("held back: readers would lose 1 days from 2025-01-02 to 2025-01-02; they keep the former version",)
    held = PartitionLine("symbol_key=A/month=2024-01", 0, Condition.QUARANTINED, reasons)
    page = quality_report("T", [], [DatasetSection("binance_um_klines", 0, 0, 0.0, (held, held))])
    assert re.findall(r"docs/runbook\.md#([a-z-]+)", page) == ["a-partition-is-held-back"]
