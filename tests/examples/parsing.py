"""Reads command lines as the program does, without carrying them out."""

import shlex
from itertools import takewhile
from typing import Any

import typer

from crypto_lakehouse.cli import build_app
from crypto_lakehouse.cli.arguments import gathered

_SHELL = "<>|;&"


def parse(command: str) -> None:
    """Reads a command line of our program: commands, options and values.

    Raises:
        typer.TyperException: There is no such command or option, a value is not valid, or one is missing.
    """
    lexer = shlex.shlex(command, posix=True, punctuation_chars=_SHELL)
    lexer.whitespace_split = True
    # What follows is for the shell: a file or another program.
    program, *words = takewhile(lambda word: not set(word) <= set(_SHELL), lexer)
    try:
        is_whole = _is_whole(program, words)
    except typer.Exit:
        # An option that prints something and ends the program: --version.
        return
    if not is_whole:
        raise typer.TyperException(f"{command}: a command is missing")


def _is_whole(program: str, words: list[str]) -> bool:
    """Reads the words, and returns whether they end with a command that can be carried out."""
    node: Any = typer.main.get_command(build_app())
    context = node.make_context(program, gathered(words))
    while hasattr(node, "resolve_command"):
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not rest:
            return False
        name, node, others = node.resolve_command(context, rest)
        context = node.make_context(name, others, parent=context)
    return True
