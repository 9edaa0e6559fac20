"""The views that write GX's pages. They share one set of compiled templates.

A view of GX makes its own Jinja environment, and a gate makes three views. To compile the same templates for each of
them took a quarter of the time of a gate.
"""

from typing import Any

from great_expectations.render.view import DefaultJinjaIndexPageView, DefaultJinjaPageView

_shared: list[Any] = []


class PageView(DefaultJinjaPageView):
    """Writes a page about results or about a suite."""

    def __init__(self, **folders: Any) -> None:
        super().__init__(**folders)
        self.env = _environment(self.env)


class IndexView(DefaultJinjaIndexPageView):
    """Writes the index of the pages."""

    def __init__(self, **folders: Any) -> None:
        super().__init__(**folders)
        self.env = _environment(self.env)


def _environment(own: Any) -> Any:
    """Returns the Jinja environment of the first view of this process. Its filters use no state of a view."""
    if not _shared:
        _shared.append(own)
    return _shared[0]
