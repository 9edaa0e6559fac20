"""Checks of variable names: a name is a noun for the thing that the variable contains."""

import ast
from collections.abc import Iterator

from tests.style.prose import Finding

VAGUE = frozenset({"held", "said", "found", "asked", "told", "given_", "thing", "things", "stuff", "foo", "bar", "tmp"})
"""Names that do not say what the variable contains."""


def check_names(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Yields the findings in a module.

    `one` is only allowed as the variable of a comprehension or a lambda that fits on one line.
    """
    allowed = {id(name) for node in ast.walk(tree) for name in _short_targets(node)}
    for node in ast.walk(tree):
        name, line = _bound_name(node)
        if name in VAGUE:
            yield Finding(path, line, f"the name {name!r} does not say what it contains: use a noun")
        elif name == "one" and id(node) not in allowed:
            yield Finding(path, line, "the name 'one' outside a comprehension or lambda of one line: use a noun")


def _bound_name(node: ast.AST) -> tuple[str, int]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id, node.lineno
    if isinstance(node, ast.arg):
        return node.arg, node.lineno
    return "", 0


def _short_targets(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the variables that an expression of one line binds."""
    if isinstance(node, ast.Lambda) and node.lineno == node.end_lineno:
        yield from ast.walk(node.args)
    if (
        isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        and node.lineno == node.end_lineno
    ):
        for generator in node.generators:
            yield from ast.walk(generator.target)
