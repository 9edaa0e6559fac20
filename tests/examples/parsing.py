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
    node: Any = typer.main.get_command(build_app())
    context = node.make_context(program, gathered(words))
    while rest := [*getattr(context, "_protected_args", ()), *context.args]:
        if not hasattr(node, "resolve_command"):
            break
        name, node, others = node.resolve_command(context, rest)
        context = node.make_context(name, others, parent=context)
    if hasattr(node, "resolve_command"):
        raise typer.TyperException(f"{command}: a command is missing")
