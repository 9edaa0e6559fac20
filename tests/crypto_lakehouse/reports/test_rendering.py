import jinja2
import pytest

from crypto_lakehouse.reports.rendering import byte_size, render


def test_a_value_is_escaped_whatever_the_template_is_called() -> None:
    assert "<h1>&lt;b&gt;</h1>" in render("page.html.j2", title="<b>", legend=())


def test_a_name_without_a_value_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="title"):
        render("page.html.j2", legend=())


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (2 * 10**9, "2.0 GB"), (3 * 10**15, "3000.0 TB")]
)
def test_sizes_have_decimal_units(count: int, text: str) -> None:
    assert byte_size(count) == text
