"""Reads CHECKSUM files: one line of `<sha256>  <zip name>`, usually without a newline at its end."""

import re

from crypto_lakehouse.errors import ChecksumMismatch

_LINE = re.compile(r"([0-9a-fA-F]{64}) [ *](\S+)\r?\n?")
_ADVICE = "The object stays out of Bronze until the exchange publishes it again"


def published_sha256(content: bytes, zip_name: str) -> str:
    """Returns the sha256 in a CHECKSUM file, in lower case.

    Args:
        content: The CHECKSUM file.
        zip_name: The zip that it must name.

    Raises:
        ChecksumMismatch: The file is not one line in this form, or names another file.
    """
    try:
        match = _LINE.fullmatch(content.decode("ascii"))
    except UnicodeDecodeError:
        match = None
    # Symbols of other scripts exist; their names are compared as UTF-8.
    if match is None and not content.isascii():
        match = _LINE.fullmatch(content.decode("utf-8", "replace"))
    if match is None:
        raise ChecksumMismatch(
            f"its CHECKSUM is not `<sha256>  <name>` but {content[:60]!r}", _ADVICE, partition=zip_name
        )
    if match[2] != zip_name:
        raise ChecksumMismatch(f"its CHECKSUM is for {match[2]!r}", _ADVICE, partition=zip_name)
    return match[1].lower()
