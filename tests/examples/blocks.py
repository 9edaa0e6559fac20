"""The fenced blocks of the pages: what README and docs show to be typed, and what they show as its output."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
DRAWINGS = frozenset({"mermaid"})
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        name: The page, the heading above it, and its number below this heading: it stays when lines move.
        language: What follows the fence; empty for none.
        text: Its lines.
    """

    name: str
    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, str]]:
        """The commands of a `console` block, each with the output that the page shows."""
        parts = re.findall(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE)
        return [(command.strip(), output) for command, output in parts]


def blocks_of(page: Path) -> list[Block]:
    """Returns the blocks of a page in their order, without drawings."""
    text, counts, blocks = page.read_text(encoding="utf-8"), Counter[str](), []
    for fence in _FENCE.finditer(text):
        if fence[1] in DRAWINGS:
            continue
        headings = _HEADING.findall(_FENCE.sub("", text[: fence.start()]))
        place = f"{page.name}, {headings[-1] if headings else 'top'}"
        counts[place] += 1
        blocks.append(Block(f"{place}, {counts[place]}", fence[1], fence[2]))
    return blocks


def commands_of(text: str) -> list[str]:
    """Returns the commands of our program in a text of shell lines, or in the code of a sentence."""
    joined = text.replace("\\\n", " ")
    return [command.strip() for command in re.findall(r"^(?:\$ )?(crypto-lakehouse .*)", joined, re.MULTILINE)]


def quoted_commands(page: Path) -> list[str]:
    """Returns the commands of our program that sentences and tables of a page name, without those with placeholders."""
    prose = _FENCE.sub("", page.read_text(encoding="utf-8"))
    quoted = re.findall(r"`(crypto-lakehouse [^`]+)`", prose)
    return [command for command in quoted if not re.search(r"\b[A-Z]{3,}\b(?!')|\.\.\.|\[", command)]
