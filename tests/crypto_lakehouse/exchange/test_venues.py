"""What the page on adding an exchange promises: only the table and `exchange/` know one by name."""

import ast
from pathlib import Path

import pytest

from crypto_lakehouse.checkout import require_checkout
from crypto_lakehouse.vocabulary import Exchange

PROJECT = require_checkout()
PACKAGE = PROJECT / "include" / "crypto_lakehouse"
TABLE = {
    "vocabulary.py",
    "endpoints/__init__.py",
    "columns.py",
    "layouts.py",
    "datasets/__init__.py",
    "settings/exchange.py",
    "exchange/venues.py",
}
PAGE = (PROJECT / "docs" / "add-an-exchange.md").read_text(encoding="utf-8")


def identifiers(path: Path) -> set[str]:
    """Returns every name that a file's code uses or gives; docstrings and other texts are none."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = [one.id for one in nodes if isinstance(one, ast.Name)]
    names += [one.attr for one in nodes if isinstance(one, ast.Attribute)]
    names += [one.name for one in nodes if isinstance(one, ast.FunctionDef | ast.ClassDef | ast.alias)]
    return {name.lower() for name in names}


def files_that_name(exchange: Exchange) -> set[str]:
    """Returns the files that name an exchange in their code or are named after it."""
    folders = (PACKAGE, PROJECT / "include" / "lakehouse_airflow", PROJECT / "dags", PROJECT / "plugins")
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    return {
        path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        for path in paths
        if path.stem == exchange or any(exchange in name for name in identifiers(path))
    }


@pytest.mark.parametrize("exchange", [Exchange.COINBASE, Exchange.KRAKEN])
def test_an_exchange_is_known_by_name_in_ten_files(exchange: Exchange) -> None:
    found = files_that_name(exchange)
    assert found == {*TABLE, *(f"{folder}/{exchange}.py" for folder in ("endpoints", "datasets", "exchange"))}
    assert all(f"`{name.replace(exchange, '<name>')}`" in PAGE for name in found)


def test_control_binance_for_whom_it_was_written_is_known_in_more() -> None:
    assert files_that_name(Exchange.BINANCE) > {"vocabulary.py", "datasets/binance.py", "exchange/binance.py"}
