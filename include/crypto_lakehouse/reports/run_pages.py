"""Pages about runs for a browser: the list of runs, and what to do where a run has no report.

No engine is needed for it: Airflow's API server draws them. Links are relative to the address of the page.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from crypto_lakehouse.reports.rendering import render
from crypto_lakehouse.runs.recent import RecentRun


@dataclass(frozen=True, slots=True)
class Link:
    """A link: its text and its address, relative to the page."""

    text: str
    address: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a page shows instead of a report.

    Args:
        title: What is the case.
        about: Facts about it, in their order.
        paragraphs: What it means and what to do.
        details: Lines such as the reasons of steps.
    """

    title: str
    about: Sequence[tuple[str, str]] = ()
    paragraphs: Sequence[str] = ()
    details: Sequence[str] = ()


def runs_page(
    title: str, about: Sequence[tuple[str, str]], runs: Sequence[RecentRun], navigation: Sequence[Link]
) -> str:
    """Returns the list of runs as HTML; every value is escaped.

    Args:
        title: What the list is of.
        about: The facts at its top, in their order.
        runs: The runs, in their order.
        navigation: Links to other pages; without one, each run has a link to its table.
    """
    lines = [(run, _address(run, is_of_one_table=bool(navigation))) for run in runs]
    return render("runs_page.html.j2", title=title, about=about, lines=lines, navigation=navigation)


def message_page(message: Message, navigation: Sequence[Link] = ()) -> str:
    """Returns a message as HTML; every value is escaped."""
    return render("message_page.html.j2", title=message.title, message=message, navigation=navigation)


def with_navigation(page: str, navigation: Sequence[Link]) -> str:
    """Returns a page of the lake with links at its top, as a browser shows it."""
    links = render("navigation.html.j2", navigation=navigation)
    return page.replace("<body>", f"<body>{links}", 1)


def _address(run: RecentRun, *, is_of_one_table: bool) -> str:
    name = quote(run.run_id, safe="")
    # A relative address whose first part has a colon would be read as a scheme.
    return f"./{name}" if is_of_one_table else f"./{quote(run.dataset, safe='')}/{name}"
