"""Reads the Data Docs of a gate as a browser without a network does."""

import re
from pathlib import Path

LOADS = re.compile(
    r"<(script|link|img|iframe|object|embed|base)\b|\son\w+=|\bsrc=|url\(|@import|https?:", re.IGNORECASE
)
"""What a page loads or runs, and any address of another host."""


def assert_readable_offline(index: Path) -> None:
    """Fails if a page loads or runs something, or if a link leads to no page."""
    pages = sorted(index.parent.rglob("*.html"))
    assert [file for file in index.parent.rglob("*") if file.is_file() and file not in pages] == []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert LOADS.search(text) is None, page
        links = [link for link in re.findall(r'href="([^"#]+)', text) if link]
        assert all((page.parent / link).is_file() for link in links), (page, links)
    results = [page for page in pages if "validations" in page.parts]
    assert any(page.relative_to(index.parent).as_posix() in index.read_text(encoding="utf-8") for page in results)
    assert "Observed Value" in results[0].read_text(encoding="utf-8")
