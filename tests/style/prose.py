"""Checks of English: sentences of moderate length, and no words that make a text hard to read.

The readers of this project are engineers, and English is the second language of many of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_WORDS = 28
"""Words of one sentence of the documentation. Longer sentences must be read twice."""

BANNED = {
    r"whoever": "name the person or the program",
    r"whatever": "name the things",
    r"wherever": "write `where`",
    r"(that|those) of": "repeat the noun",
    # With a noun behind it ("of these files") it is easy to read.
    r"(of|by|among) (these|those)(?=\s*[,.;:)]|\s*$|\s+(is|are|was|were|has|have|that|which|with|in|the|a|to)\b)": (
        "repeat the noun"
    ),
    r"one of them": "repeat the noun",
    r"says|said|tells|told": "write `returns`, `contains`, `shows`, `reports` or `names`",
    r"speaks? of": "write `describes` or `mentions`",
    r"asked of": "write `requested from`",
    r"at rest": "write `without a network`",
    r"thereof|therein|whence|hitherto|henceforth|lest|for ever|anew|beside": "use a common word",
    r"in the way of|of its own accord|by and by|so to speak": "use a literal phrase",
    r"sound (lake|rows|objects?|files?)": "write `valid`",
    r"holds? (against|to)": "write `compare with` or `check against`",
    r"held (against|to)": "write `compared with` or `checked against`",
    r"is (left|let) in": "write `is accepted`",
    r"for want of": "write `because ... is missing`",
    r"see the module": "write what it does",
}
"""Expressions that may not occur, with advice. They are matched as whole words, in any case."""

_BANNED = [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), advice) for pattern, advice in BANNED.items()]
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:[\"')*_]*)\s+(?=\S)|:\s*$")
_ITEM = re.compile(r"^\s*(#+ |[-*] |\d+\. )")
_ABBREVIATION = re.compile(r"\b(e\.g|i\.e|etc|vs|approx|no)\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that breaks a rule."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def markdown_paragraphs(text: str) -> Iterator[tuple[int, str]]:
    """Yields the paragraphs, list items, headings and table cells of a page, with their lines.

    Code, addresses and comments are not prose: code spans become the word `code`, and blocks of code are left out.
    """
    block: list[str] = []
    start = 1
    for number, line in enumerate(_without_code(text), start=1):
        is_table, is_new = line.startswith("|"), _ITEM.match(line)
        if block and (not line.strip() or is_table or is_new):
            yield start, _plain(" ".join(block))
            block = []
        if is_table:
            yield from ((number, _plain(cell)) for cell in line.strip("| ").split("|"))
        elif line.strip() and not (line.startswith("    ") and not block):
            start = start if block else number
            block.append(_ITEM.sub("", line).strip())
    if block:
        yield start, _plain(" ".join(block))


def _without_code(text: str) -> Iterator[str]:
    """Yields the lines of a page; lines of code blocks and comments are empty."""
    in_code = False
    for line in text.splitlines():
        is_fence = line.lstrip().startswith("```")
        in_code ^= is_fence
        yield "" if in_code or is_fence or line.startswith("<!--") else line


def sentences(paragraph: str) -> list[str]:
    """Returns the sentences of a paragraph.

    >>> sentences("It runs. Then it ends: see the log.")
    ['It runs.', 'Then it ends: see the log.']
    """
    text = _ABBREVIATION.sub(lambda match: match[0].replace(".", ""), paragraph)
    return [part.strip() for part in _SENTENCE_END.split(text) if part and part.strip()]


def word_count(sentence: str) -> int:
    """Returns the number of words of a sentence.

    >>> word_count("A lake, in 2 words - or more.")
    7
    """
    return len(re.findall(r"[^\W_][\w'’.,/+-]*", sentence))


def banned_words(text: str) -> Iterator[str]:
    """Yields a message for each expression of a text that may not occur."""
    for pattern, advice in _BANNED:
        for match in pattern.finditer(text):
            yield f"{match[0]!r}: {advice}"


def check_text(path: str, line: int, text: str) -> Iterator[Finding]:
    """Yields the findings in a paragraph: expressions that may not occur, and sentences that are too long."""
    for message in banned_words(text):
        yield Finding(path, line, message)
    for sentence in sentences(text):
        words = word_count(sentence)
        if words > MAX_WORDS:
            yield Finding(path, line, f"a sentence of {words} words, allowed are {MAX_WORDS}: {sentence[:60]}...")


def check_markdown(path: str, text: str) -> Iterator[Finding]:
    """Yields the findings in a page of Markdown."""
    for line, paragraph in markdown_paragraphs(text):
        yield from check_text(path, line, paragraph)


def _plain(text: str) -> str:
    text = re.sub(r"`[^`]*`", "code", text)
    # A list of names is read as one word.
    text = re.sub(r"\bcode(,? (and |or )?code)+\b", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"<[^>]+>", " ", text)
    return re.sub(r"\s+", " ", text.replace("**", "").replace("*", "")).strip()
