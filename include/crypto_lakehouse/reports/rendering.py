"""HTML from the templates of this package. Every value is escaped."""

from functools import cache

import jinja2

from crypto_lakehouse.reports.looks import LOOKS

_UNITS = ("B", "kB", "MB", "GB", "TB")


def render(template: str, **values: object) -> str:
    """Returns a page as text.

    Args:
        template: File name of the template, such as `quality_report.html.j2`.
        values: The names that the template uses. A name without a value is an error.
    """
    return _environment().get_template(template).render(values)


def byte_size(count: int) -> str:
    """Returns a number of bytes with a decimal unit.

    >>> byte_size(700), byte_size(1_500_000)
    ('700 B', '1.5 MB')
    """
    # Three digits are one step to the next unit.
    power = min((len(str(count)) - 1) // 3, len(_UNITS) - 1)
    return f"{count / 1000**power:.1f} {_UNITS[power]}" if power else f"{count} B"


def cell_text(value: object) -> str:
    """Returns the text of a table cell: integers with thousands separators, nothing for None.

    >>> cell_text(1440), cell_text(None), cell_text("1h")
    ('1,440', '', '1h')
    """
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else str(value)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("crypto_lakehouse.reports"),
        # Escape in every template. By default this depends on the file name.
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["looks"] = LOOKS
    environment.filters |= {"byte_size": byte_size, "cell_text": cell_text}
    return environment
