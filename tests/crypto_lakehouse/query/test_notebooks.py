"""The examples of docs/notebooks.md run as printed."""

import re
from pathlib import Path

import pytest

from tests.published_lake import build_published_lake

PAGE = Path(__file__).parents[3] / "docs" / "notebooks.md"


def test_the_examples_run_as_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_published_lake(tmp_path / "lake")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    assert getattr(names["close"], "dtype", None) == "float64"
    assert len(names["returns"]) == len(names["close"]) - 1  # type: ignore[arg-type]
    assert "Lake" in names["lake"]._repr_html_()  # type: ignore[attr-defined]
