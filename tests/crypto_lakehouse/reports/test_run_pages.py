"""Pages about runs: what others wrote is escaped, and every link stays below the address of the page."""

import re
from datetime import UTC, datetime

from crypto_lakehouse.reports.run_pages import Link, Message, message_page, runs_page, with_navigation
from crypto_lakehouse.runs.history import RunStatus
from crypto_lakehouse.runs.recent import RecentRun

AT = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = 'javascript:alert(1)/../"><script>'
RUNS = (
    RecentRun("binance_um_klines", "manual__2025-01-01T00:00:00+00:00", AT, RunStatus.QUARANTINED, 2, 1_440, (), True),
    RecentRun("binance_um_trades", HOSTILE, AT, None, remarks=("<b>",)),
)


def links(page: str) -> list[str]:
    """Returns the addresses of a page."""
    return re.findall(r'href="([^"]*)"', page)


def test_the_list_of_all_runs_leads_to_each_run_and_to_its_table() -> None:
    page = runs_page("Quality reports", [("Lake", "s3://lake")], RUNS, ())
    assert links(page) == [
        "./binance_um_klines/",
        "./binance_um_klines/manual__2025-01-01T00%3A00%3A00%2B00%3A00",
        "./binance_um_trades/",
        "./binance_um_trades/javascript%3Aalert%281%29%2F..%2F%22%3E%3Cscript%3E",
    ]
    assert '<span class="badge quarantined">quarantined</span>' in page
    assert '<span class="badge pending">not finished</span>' in page
    assert "2025-01-02 03:04:05" in page and "1,440" in page and "s3://lake" in page
    assert "<script" not in page and "&lt;b&gt;" in page


def test_the_list_of_one_table_leads_to_its_runs_and_back() -> None:
    page = runs_page("Runs", [], RUNS[:1], (Link("All reports", "../"),))
    assert links(page) == ["../", "./manual__2025-01-01T00%3A00%3A00%2B00%3A00"]


def test_an_empty_list_says_how_a_run_comes_into_it() -> None:
    assert "Trigger a DAG of a dataset" in runs_page("Runs", [], (), ())


def test_a_message_is_escaped() -> None:
    page = message_page(Message(HOSTILE, [("Run", HOSTILE)], (HOSTILE,), (HOSTILE,)), (Link(HOSTILE, "../"),))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 6


def test_links_come_at_the_top_of_a_page_of_the_lake() -> None:
    assert re.match(r"<body>\s*<nav .*</nav>\s*<p>", with_navigation("<body><p>", (Link("Back", "../"),)), re.DOTALL)
