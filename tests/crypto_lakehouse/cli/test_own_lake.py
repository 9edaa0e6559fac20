"""`--lake` names the lake of any command, before or after it, and is forgotten when the command ends."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from crypto_lakehouse.cli import build_app, main
from crypto_lakehouse.settings import load_settings
from tests.published_lake import build_published_lake

SAME_EVERYWHERE = {
    "--json", "--symbols", "--interval", "--start-date", "--end-date", "--market", "--exchange", "--profile",
}  # fmt: skip
"""Options of one meaning: wherever one of them is, it takes as many values."""


@pytest.mark.parametrize("before", [True, False])
def test_the_lake_is_named_before_or_after_the_command(
    before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_published_lake(tmp_path / "lake")
    option, command = ["--lake", str(tmp_path / "lake")], ["query", "info"]
    configured, variable = load_settings().lake, os.environ.get("CRYPTO_LAKEHOUSE_LAKE")
    assert main([*option, *command] if before else [*command, *option]) == 0
    assert "binance_um_klines" in capsys.readouterr().out
    assert (load_settings().lake, os.environ.get("CRYPTO_LAKEHOUSE_LAKE")) == (configured, variable)
    assert main([*command, f"--lake={tmp_path / 'none'}"]) == 64
    assert f"there is no lake in {tmp_path / 'none'}" in capsys.readouterr().err
    assert main([*command, "--lake"]) == 64


def test_an_option_takes_as_many_values_in_all_commands() -> None:
    kinds: dict[str, set[str]] = {}
    for command in _commands(typer.main.get_command(build_app())):
        for parameter in command.params:
            for name in SAME_EVERYWHERE & set(parameter.opts):
                kinds.setdefault(name, set()).add(f"{parameter.multiple} {parameter.is_flag} {parameter.nargs}")
    assert set(kinds) == SAME_EVERYWHERE
    assert {name: len(types) for name, types in kinds.items() if len(types) > 1} == {}


def _commands(group: Any) -> Iterator[Any]:
    for command in getattr(group, "commands", {}).values():
        yield command
        yield from _commands(command)
