"""The examples of README and docs run as they are printed, on the lake that `make demo` makes."""

import os
import shlex
import sys
from pathlib import Path

import pytest
import typer

from crypto_lakehouse.settings import load_settings
from tests.examples.blocks import PAGES, Block, blocks_of, commands_of, quoted_commands
from tests.examples.parsing import parse
from tests.examples.running import (
    LANGUAGES,
    PYTHON,
    SHELL,
    ExampleFailed,
    reader_environment,
    run_python,
    run_shell,
)

ARCHIVE = "needs the real archive or exchange; its commands are read, and run on loopback in `crypto_lakehouse/cli`"
CLOUD = "needs an account of AWS"
CLUSTER = "needs a Kubernetes cluster; `tests/deploy` checks the files"
ENGINE = "needs a Docker engine; `tests/compose` does the same"
OTHER_LAKE = "shows a lake with removed or damaged versions"
PACKAGE = "needs a built wheel; `tests/release/test_wheel.py` installs one"
TOO_LONG = "takes minutes: `make demo` and `make test` themselves"

NOT_RUN = {
    "README.md, Crypto lakehouse, 1": TOO_LONG,
    "README.md, Crypto lakehouse, 2": ARCHIVE,
    "README.md, Read the data, 4": ARCHIVE,
    "aws.md, Installation, 1": CLOUD,
    "aws.md, Installation, 2": CLOUD,
    "aws.md, Installation, 3": CLOUD,
    "cli.md, Runs, 1": ARCHIVE,
    "compose.md, Everything on one machine, 1": ENGINE,
    "compose.md, Operation, 1": ENGINE,
    "coverage.md, Filling gaps, 1": ARCHIVE,
    "deltas.md, Commands, 1": ARCHIVE,
    "installing.md, Installing, 1": PACKAGE,
    "installing.md, Installing, 2": PACKAGE,
    "instruments.md, Instruments: the instrument of a symbol at a time, 1": ARCHIVE,
    "kubernetes.md, Installation, 1": CLUSTER,
    "maintenance.md, Keeping a lake whole, 1": OTHER_LAKE,
    "maintenance.md, Look for damage, 1": OTHER_LAKE,
    "maintenance.md, How far back reads reach, 1": OTHER_LAKE,
    "query.md, Queries in SQL, 2": OTHER_LAKE,
    "releasing.md, Releasing, 1": "needs a release that has been signed",
    "running.md, With the real bucket, 1": ARCHIVE,
    "running.md, Behind a proxy, 1": ARCHIVE,
    "running.md, A lake in S3, a catalog in Glue, 1": CLOUD,
}
"""The examples that cannot run on the lake of a demonstration, each with its reason."""


def examples_of(page: Path) -> list[Block]:
    return [block for block in blocks_of(page) if block.language in LANGUAGES and block.name not in NOT_RUN]


@pytest.fixture
def checkout(demo: Path, tmp_path: Path) -> Path:
    """The folder of a reader: an environment, the lake of a demonstration, and room for files of the examples."""
    (tmp_path / ".demo").symlink_to(demo / ".demo")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if examples_of(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_run_as_printed(page: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = examples_of(page)
    # The README says itself how to get a program and a lake. The other pages refer to it.
    environment = reader_environment(checkout, is_prepared=page.name != "README.md")
    run_shell([block for block in blocks if block.language in SHELL], checkout, environment)
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, text in environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(checkout)
    load_settings.cache_clear()
    run_python([block for block in blocks if block.language in PYTHON])
    load_settings.cache_clear()


def test_every_example_runs_or_has_a_reason_not_to() -> None:
    every = [block for page in PAGES for block in blocks_of(page)]
    names = {block.name for block in every if block.language in LANGUAGES}
    assert set(NOT_RUN) - names == set(), "entries of examples that are gone"
    unnamed = [block.name for block in every if block.language not in LANGUAGES and commands_of(block.text)]
    assert unnamed == [], "blocks with commands need a language, or nobody runs them"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_program_knows_every_command_that_a_page_names(page: Path) -> None:
    for command in [*(text for block in blocks_of(page) for text in commands_of(block.text)), *quoted_commands(page)]:
        parse(command)


@pytest.mark.parametrize(
    "command",
    ["crypto-lakehouse query sqll 'SELECT 1'", "crypto-lakehouse query info --bogus", "crypto-lakehouse query"],
)
def test_a_command_that_the_program_does_not_know_is_noticed(command: str) -> None:
    with pytest.raises(typer.TyperException):
        parse(command)


@pytest.mark.parametrize(
    ("language", "text", "reason"),
    [
        ("bash", "true | false", "failed"),
        ("console", "$ echo right\nright\n$ echo right\nwrong\n", "wrong"),
        ("sql", "SELECT bogus FROM binance_um_klines", "bogus"),
        ("python", "bogus()", "bogus"),
        ("pycon", ">>> 1 + 1\n3\n", "Expected"),
        ("pycon", "1 + 1\n", "no line starts with >>>"),
    ],
)
def test_a_broken_example_is_noticed(language: str, text: str, reason: str, checkout: Path) -> None:
    block = Block("a page", language, text)
    with pytest.raises(ExampleFailed, match=reason):
        if language in PYTHON:
            run_python([block])
        else:
            run_shell([block], checkout, reader_environment(checkout, is_prepared=True))


def test_an_example_that_is_right_is_not_refused(checkout: Path) -> None:
    shown = f"$ echo {shlex.quote('one two')}\none two\n$ printf 'a\\nb\\nc\\n'\na\n...\nc\n"
    run_shell([Block("a page", "console", shown)], checkout, reader_environment(checkout, is_prepared=True))
    assert run_python([Block("a page", "python", "x = 1\n"), Block("a page", "pycon", ">>> x\n1\n")])["x"] == 1


def test_blocks_are_named_by_their_heading_and_drawings_are_left_out(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# One\n```bash\n# no heading\na\n```\n```mermaid\nb\n```\n## Two\n`crypto-lakehouse query info`, "
        "`crypto-lakehouse ingest TYPE`\n```\nc\n```\n```python\nd\n```\n"
    )
    assert [(block.name, block.language) for block in blocks_of(page)] == [
        ("page.md, One, 1", "bash"),
        ("page.md, Two, 1", ""),
        ("page.md, Two, 2", "python"),
    ]
    assert quoted_commands(page) == ["crypto-lakehouse query info"]
