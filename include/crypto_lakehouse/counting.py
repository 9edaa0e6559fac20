"""Numbers with their nouns, for messages."""


def several(count: int, noun: str) -> str:
    """Returns a number with its noun.

    >>> several(1, "gap"), several(1200, "gap")
    ('1 gap', '1,200 gaps')
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
