"""The runbook has an entry for each red state, and each link to it leads to an entry."""

import re
from pathlib import Path

from crypto_lakehouse.runbook import Entry

REPOSITORY = Path(__file__).parents[2]
RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
LINK = re.compile(r"runbook\.md#([a-z0-9-]+)")


def anchors(page: str) -> dict[str, str]:
    """Returns the text of each entry by the anchor of its heading."""
    parts = re.split(r"^### (.+)$", page, flags=re.MULTILINE)[1:]
    titles, texts = parts[::2], parts[1::2]
    return {anchor(title): text.partition("\n## ")[0] for title, text in zip(titles, texts, strict=True)}


def anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


ENTRIES = anchors(RUNBOOK)


def test_each_entry_says_what_to_know_of_a_red_state() -> None:
    parts = ("**Meaning.**", "**By itself.**", "**Action.**", "**Over when**")
    lacking = {name: [part for part in parts if part not in text] for name, text in ENTRIES.items()}
    assert {name: parts for name, parts in lacking.items() if parts} == {}


def test_each_link_to_the_runbook_leads_to_an_entry() -> None:
    sources = [*REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("*.md"), *REPOSITORY.glob("include/**/*.py")]
    links = {name for page in sources for name in LINK.findall(page.read_text(encoding="utf-8"))}
    assert links
    assert (links | set(Entry)) - set(ENTRIES) == set()
