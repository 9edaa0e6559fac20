"""Checks of code: lengths, names of variables, and the English of docstrings, messages and comments."""

import ast
import inspect
import io
import re
import tokenize
from collections.abc import Iterator

from tests.style.prose import Finding, banned_words, sentences, word_count

VAGUE = frozenset({"held", "said", "found", "asked", "told", "thing", "things", "stuff"})
"""Names that do not describe what the variable contains."""

MAX_WORDS = 34
"""Words of one sentence in code. Entries for arguments join several facts with a colon or a semicolon."""
_MIN_WORDS = 3
MAX_LINES = 400
"""Lines of a module. A longer one has more than one concept."""
_CODE = re.compile(r"\s*(SELECT|CREATE|INSERT|UPDATE|DELETE|PRAGMA|WITH|BEGIN|<|\{)")
_ENTRY = re.compile(r"(\s+\w[\w.*]*( \(.*\))?: )|(\s*([-*|]|\d+\.) )")


def check_names(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Yields the findings in the names that a module binds.

    `one` is only allowed as the variable of a comprehension or a lambda that fits on one line.
    """
    allowed = {id(name) for node in ast.walk(tree) for name in _short_targets(node)}
    for node in ast.walk(tree):
        name, line = _bound_name(node)
        if name in VAGUE:
            yield Finding(path, line, f"the name {name!r} does not describe its content: use a noun")
        elif name == "one" and id(node) not in allowed:
            yield Finding(path, line, "the name 'one' outside a comprehension or lambda of one line: use a noun")
        elif name == "row" and _annotation(node) in {"Dataset", "Table", "Mart"}:
            yield Finding(path, line, "the name 'row' for a dataset: a row is a row of data")


def check_length(path: str, source: str) -> Iterator[Finding]:
    """Yields a finding where a module is too long."""
    lines = source.count("\n")
    if lines > MAX_LINES:
        yield Finding(path, MAX_LINES + 1, f"a module of {lines} lines, allowed are {MAX_LINES}: split it by concept")


def loop_targets(tree: ast.AST) -> Iterator[str]:
    """Yields the names of the variables of loops and comprehensions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            yield from (name.id for name in ast.walk(node.target) if isinstance(name, ast.Name))


def check_strings(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Yields the findings in the docstrings and messages of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = inspect.cleandoc(node.value)
            if len(text.split()) >= _MIN_WORDS and not _CODE.match(text):
                for number, paragraph in _paragraphs(text):
                    yield from _check_paragraph(path, node.lineno + number, paragraph)


def check_comments(path: str, source: str) -> Iterator[Finding]:
    """Yields the findings in the comments of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            for message in banned_words(re.sub(r"`[^`]*`", "code", token.string)):
                yield Finding(path, token.start[0], message)


def _check_paragraph(path: str, line: int, paragraph: str) -> Iterator[Finding]:
    for message in banned_words(paragraph):
        yield Finding(path, line, message)
    for sentence in sentences(paragraph):
        words = word_count(sentence)
        if words > MAX_WORDS:
            yield Finding(path, line, f"a sentence of {words} words, allowed are {MAX_WORDS}: {sentence[:60]}...")


def _bound_name(node: ast.AST) -> tuple[str, int]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return node.id, node.lineno
    if isinstance(node, ast.arg):
        return node.arg, node.lineno
    return "", 0


def _annotation(node: ast.AST) -> str:
    is_annotated = isinstance(node, ast.arg) and node.annotation is not None
    return ast.unparse(node.annotation).strip("'\"") if is_annotated else ""


def _short_targets(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the variables that an expression on one line binds."""
    if isinstance(node, ast.Lambda) and node.lineno == node.end_lineno:
        yield from ast.walk(node.args)
    if (
        isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)
        and node.lineno == node.end_lineno
    ):
        for generator in node.generators:
            yield from ast.walk(generator.target)


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yields the paragraphs and entries of a text with their lines; doctests and diagrams are left out."""
    block: list[str] = []
    start = 0
    for number, line in enumerate([*text.splitlines(), ""]):
        if block and (not line.strip() or _ENTRY.match(line)):
            yield start, re.sub(r"`[^`]*`", "code", " ".join(block))
            block = []
        if line.strip() and not line.lstrip().startswith((">>>", "...", "├", "└", "│")):
            start = start if block else number
            block.append(line.strip())
