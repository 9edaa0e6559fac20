"""Runs the examples of a page: its shell lines in one shell, its Python in one interpreter, as a reader would."""

import doctest
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.examples.blocks import Block

_MARK = "@@ the next example"
SHELL, PYTHON = frozenset({"bash", "console", "sql"}), frozenset({"python", "pycon"})
LANGUAGES = SHELL | PYTHON


class ExampleFailed(AssertionError):
    """An example did not do what its page shows."""


def reader_environment(folder: Path, *, is_prepared: bool) -> dict[str, str]:
    """Returns the environment of a reader.

    Args:
        folder: The checkout.
        is_prepared: Whether the reader has done what the README says: activated the environment, and named the lake.
    """
    environment = {name: text for name, text in os.environ.items() if not name.startswith("CRYPTO_LAKEHOUSE_")}
    if not is_prepared:
        return environment
    path = f"{folder / '.venv' / 'bin'}{os.pathsep}{environment['PATH']}"
    return {**environment, "PATH": path, "CRYPTO_LAKEHOUSE_LAKE": ".demo/synthetic/lake"}


def run_shell(blocks: Sequence[Block], folder: Path, environment: Mapping[str, str]) -> None:
    """Runs blocks in one shell, and compares what they print with what the page shows.

    Raises:
        ExampleFailed: A command failed, or printed something else.
    """
    steps = [step for block in blocks for step in _steps(block)]
    if not steps:
        return
    script = "\n".join(f"echo '{_MARK}'\n{text}" for _, text, _ in steps)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = done.stdout.split(f"{_MARK}\n")[1:]
    if done.returncode:
        raise ExampleFailed(f"{steps[len(outputs) - 1][:2]} failed: {done.stderr[-2000:]}")
    for (name, text, shown), output in zip(steps, outputs, strict=True):
        if shown is not None:
            compare(f"{name}: {text}", shown, output)


def _steps(block: Block) -> list[tuple[str, str, str | None]]:
    """Returns name, shell lines and shown output of each step of a block; None where no output is shown."""
    if block.language == "sql":
        return [(block.name, f"crypto-lakehouse query sql {shlex.quote(block.text)}", None)]
    if block.language == "console":
        return [(block.name, command, output) for command, output in block.commands]
    return [(block.name, block.text, None)]


def compare(name: str, shown: str, output: str) -> None:
    """Compares an output with what a page shows; a line `...` stands for any lines.

    Raises:
        ExampleFailed: They differ.
    """
    wanted, actual = ("".join(f"{line.rstrip()}\n" for line in text.splitlines()) for text in (shown, output))
    if not doctest.OutputChecker().check_output(wanted, actual, doctest.ELLIPSIS):
        raise ExampleFailed(f"{name}\nshown:\n{wanted}\nprinted:\n{actual}")


def run_python(blocks: Sequence[Block]) -> dict[str, Any]:
    """Runs blocks in one namespace, and returns it. Outputs of `pycon` blocks are compared.

    Raises:
        ExampleFailed: A line raised an error, or printed something else.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks:
        if block.language == "pycon":
            _run_prompts(block, names)
            continue
        try:
            exec(compile(block.text, block.name, "exec"), names)
        except Exception as error:
            raise ExampleFailed(f"{block.name}: {error!r}") from error
    return names


def _run_prompts(block: Block, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, block.name, None, 0)
    # The values of earlier blocks are there, and the values of this one stay for later blocks.
    test.globs = names
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, out=said.append, clear_globs=False)
    sys.stdout.flush()
    if runner.failures or not test.examples:
        raise ExampleFailed(f"{block.name}: {''.join(said) or 'no line starts with >>>'}")
