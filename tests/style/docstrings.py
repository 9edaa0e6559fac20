"""Checks of the English in the code: docstrings, and texts that people see."""

import ast
import inspect
import re
from collections.abc import Iterator

from tests.style.prose import Finding, banned_words, sentences, word_count

MAX_WORDS = 34
"""Words of one sentence of a docstring. Field descriptions join several facts with a colon or a semicolon."""
_MIN_WORDS = 3


def check_strings(path: str, tree: ast.AST) -> Iterator[Finding]:
    """Yields the findings in the docstrings and in the texts of a module."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        text = inspect.cleandoc(node.value)
        if len(text.split()) < _MIN_WORDS or _is_code(text):
            continue
        for number, paragraph in _paragraphs(text):
            for message in banned_words(paragraph):
                yield Finding(path, node.lineno + number, message)
            for sentence in sentences(paragraph):
                words = word_count(sentence)
                if words > MAX_WORDS:
                    yield Finding(path, node.lineno + number, f"a sentence of {words} words: {sentence[:60]}...")


def _is_code(text: str) -> bool:
    return bool(re.match(r"\s*(SELECT|CREATE|INSERT|UPDATE|DELETE|PRAGMA|WITH|BEGIN|<|\{)", text))


def _paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yields paragraphs and entries of a docstring with their lines; doctests and diagrams are left out."""
    block: list[str] = []
    start = 0
    for number, line in enumerate([*text.splitlines(), ""]):
        is_entry = re.match(r"\s+\w[\w.*]*( \(.*\))?: ", line) or re.match(r"\s*([-*|]|\d+\.) ", line)
        if block and (not line.strip() or is_entry):
            yield start, re.sub(r"`[^`]*`", "code", " ".join(block))
            block = []
        if line.strip() and not line.lstrip().startswith((">>>", "...", "├", "└", "│")):
            start = start if block else number
            block.append(line.strip())
