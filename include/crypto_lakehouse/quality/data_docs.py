"""Data Docs that need no network: the pages of Great Expectations without what they load from elsewhere.

GX writes pages that take style and behaviour from five other hosts. Without them the text has no form, and the index
has no links, for a script draws it. Pages of the lake run no script and load nothing. So this module rewrites them
where they are written: in a folder, in a bucket and behind a login they are then the same. GX's text, tables and
links stay. The index is a page of ours, with the same links and figures.
"""

import shutil
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote

INDEX = "index.html"
_DROPPED = frozenset({"script", "style", "footer", "label", "iframe", "object", "svg"})
"""Elements that need a script or another host, or are advertisements."""
_DROPPED_ALONE = frozenset({"link", "img", "input", "base", "embed"})
"""The same of elements without an end."""

_STYLE = (Path(__file__).parent / "data_docs.css").read_text(encoding="utf-8")

_INDEX = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Data Docs of {table}</title><style>{style}</style></head>
<body><h1>Data Docs of {table}</h1>
<p>Great Expectations checked the facts of the partitions of one batch: {figures}.</p>
<table><thead><tr><th>page</th><th>file</th></tr></thead><tbody>
{rows}
</tbody></table></body></html>
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What GX counted: the checks that it made, and those that passed."""

    checks: int
    passed: int

    def __str__(self) -> str:
        return f"{self.passed:,} of {self.checks:,} checks passed"


def make_self_contained(site: Path, table: str, figures: Figures) -> None:
    """Rewrites the pages of GX in place, and removes files that no page uses any more.

    Args:
        site: The folder of the pages.
        table: Name of the table.
        figures: What GX counted.
    """
    pages = sorted(page for page in site.rglob("*.html") if page != site / INDEX)
    for page in pages:
        page.write_text(self_contained(page.read_text(encoding="utf-8")), encoding="utf-8")
    (site / INDEX).write_text(_index(table, figures, [page.relative_to(site) for page in pages]), encoding="utf-8")
    shutil.rmtree(site / "static", ignore_errors=True)


def self_contained(page: str) -> str:
    """Returns a page of GX without scripts, without forms and without what it loads; its text and tables stay.

    >>> self_contained('<head></head><p onclick="a()">1 < 2 &lt; 3<script src="https://a/b.js">x</script></p>')[-19:]
    '<p>1 < 2 &lt; 3</p>'
    """
    rewriter = _Rewriter()
    rewriter.feed(page)
    rewriter.close()
    return "".join(rewriter.parts)


def _index(table: str, figures: Figures, pages: list[Path]) -> str:
    # What was found comes before what was expected.
    ordered = sorted(pages, key=lambda page: (page.parts[0] != "validations", page))
    names = {"validations": "Results of the checks", "expectations": "The checks"}
    rows = [
        f'<tr><td><a href="{quote(page.as_posix())}">{names.get(page.parts[0], "Page")}</a></td>'
        f"<td>{escape(page.as_posix())}</td></tr>"
        for page in ordered
    ]
    return _INDEX.format(table=escape(table), style=_STYLE, figures=figures, rows="\n".join(rows))


class _Rewriter(HTMLParser):
    """Copies a page and leaves out what it may not have."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.parts: list[str] = []
        self._dropping: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Copies the start of an element without handlers of events and without addresses elsewhere."""
        if tag in _DROPPED:
            self._dropping.append(tag)
        if not self._dropping and tag not in _DROPPED_ALONE:
            self.parts.append("".join(["<", tag, *(_attribute(*attr) for attr in attrs if _is_kept(*attr)), ">"]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Copies an element that ends where it starts."""
        if tag not in _DROPPED:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        """Copies the end of an element; the style of the lake's pages comes last in the head."""
        if self._dropping:
            if tag == self._dropping[-1]:
                self._dropping.pop()
            return
        if tag == "head":
            self.parts.append(f"<style>{_STYLE}</style>")
        self.parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Copies text."""
        self._copy(data)

    def handle_entityref(self, name: str) -> None:
        """Copies `&lt;` and its like."""
        self._copy(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """Copies `&#60;` and its like."""
        self._copy(f"&#{name};")

    def handle_decl(self, decl: str) -> None:
        """Copies the type of the document."""
        self._copy(f"<!{decl}>")

    def _copy(self, text: str) -> None:
        if not self._dropping:
            self.parts.append(text)


def _is_kept(name: str, value: str | None) -> bool:
    if name.startswith("on") or name in {"src", "srcset", "action", "background", "poster"}:
        return False
    if name in {"href", "xlink:href"}:
        # Within the pages every address is relative: a colon would name a scheme, as of `https:` and `javascript:`.
        return ":" not in (value or "").partition("#")[0] and not (value or "").startswith("//")
    return name != "style" or "url(" not in (value or "").lower()


def _attribute(name: str, value: str | None) -> str:
    return f" {name}" if value is None else f' {name}="{escape(value)}"'
