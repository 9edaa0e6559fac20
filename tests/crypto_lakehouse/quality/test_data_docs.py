"""Data Docs without a network: what GX's pages load is gone, and what they say stays."""

from pathlib import Path

import pytest

from crypto_lakehouse.quality.data_docs import Figures, make_self_contained, self_contained
from tests.crypto_lakehouse.quality.reading_docs import LOADS, assert_readable_offline

PAGE = """<!DOCTYPE html>
<html><head><link rel="stylesheet" href="https://unpkg.com/a.css"><script src="https://code.jquery.com/j.js"></script>
<style>body { background: url('https://host/logo.png') }</style></head>
<body onload="go()"><img src="https://host/logo.png"/><a href="INDEX">Home</a> <a href="#section-2">rows</a>
<script>if (1 < 2) { $("<p>").modal(); }</script>
<table><tr><td hidden style="color: red">values &le; <b>0.0</b> &#38; Observed Value</td></tr></table>
<footer><a href="https://host/newsletter?utm=docs">Subscribe</a></footer></body></html>
"""


def test_nothing_is_loaded_or_run_and_the_text_stays() -> None:
    page = self_contained(PAGE.replace("INDEX", "../index.html"))
    assert LOADS.search(PAGE), "the control: the page loads something"
    assert LOADS.search(page) is None
    assert '<td hidden style="color: red">values &le; <b>0.0</b> &#38; Observed Value</td>' in page
    assert '<a href="../index.html">Home</a> <a href="#section-2">rows</a>' in page
    assert page.count("<style>") == 1 and "modal" not in page and "Subscribe" not in page


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="javascript:alert(1)">a</a>',
        '<a href="//host/a">a</a>',
        '<a href="HTTPS://host/a">a</a>',
        '<b ONCLICK="x()">a</b>',
        '<b style="background: URL(https://host/x)">a</b>',
        '<svg><use href="https://host/x"/><script>x()</script></svg>',
        '<script>"</scr" + "ipt>"</script><iframe src="https://host"></iframe>',
        '<SCRIPT SRC="https://host/x.js">',
    ],
)
def test_no_markup_brings_a_script_or_a_host_back(markup: str) -> None:
    assert LOADS.search(self_contained(f"<body>{markup}</body>")) is None


def test_the_index_has_plain_links_and_unused_files_are_removed(tmp_path: Path) -> None:
    site = tmp_path / "local_site"
    for name, index in (
        ("validations/t/r/1/facts.html", "../../../../index.html"),
        ("expectations/t.html", "../index.html"),
    ):
        page = site / name
        page.parent.mkdir(parents=True)
        page.write_text(PAGE.replace("INDEX", index), encoding="utf-8")
    (site / "static").mkdir()
    (site / "static" / "font.otf").write_bytes(b"0" * 100)
    (site / "index.html").write_text(PAGE, encoding="utf-8")
    make_self_contained(site, "binance_um_klines", Figures(23, 22))
    assert_readable_offline(site / "index.html")
    assert "22 of 23 checks passed" in (site / "index.html").read_text(encoding="utf-8")
