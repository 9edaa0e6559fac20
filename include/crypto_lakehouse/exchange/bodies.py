"""REST answers as Bronze keeps them: compressed JSON lines, an answer a line, its body as received."""

import gzip
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from crypto_lakehouse.errors import HostileArchive, SchemaDrift


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of an exchange.

    Args:
        at: When it came, by the exchange's clock, UTC.
        path: The endpoint.
        params: The parameters of the request.
        status: HTTP status.
        weight_used: How much of its limit is used, by the answer's header; None without such a header.
        body: The text as received.
    """

    at: datetime
    path: str
    params: Mapping[str, str | int]
    status: int
    weight_used: int | None
    body: str


def encode(answers: Iterable[Answer]) -> bytes:
    """Returns answers as compressed JSON lines."""
    lines = (
        json.dumps(
            {
                "at": answer.at.isoformat(),
                "path": answer.path,
                "params": dict(answer.params),
                "status": answer.status,
                "weight_used": answer.weight_used,
                "body": answer.body,
            },
            ensure_ascii=False,
        )
        for answer in answers
    )
    return gzip.compress("".join(f"{line}\n" for line in lines).encode(), compresslevel=6, mtime=0)


def decode(data: bytes, max_bytes: int) -> list[Answer]:
    """Returns the answers that `encode` wrote.

    Raises:
        HostileArchive: They inflate to more than `max_bytes`, or are damaged.
        SchemaDrift: A line is not an answer.
    """
    inflater = zlib.decompressobj(wbits=31)
    try:
        text = inflater.decompress(data, max_bytes)
    except zlib.error as error:
        raise HostileArchive(f"cannot be inflated: {error}") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise HostileArchive(f"inflates to more than {max_bytes} bytes, or is cut off")
    if inflater.unused_data:
        raise HostileArchive(f"{len(inflater.unused_data)} bytes follow its end")
    try:
        return [_answer(json.loads(line)) for line in text.splitlines()]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SchemaDrift(f"a line is not an answer of the exchange: {error}") from error


def _answer(raw: dict[str, object]) -> Answer:
    return Answer(**{**raw, "at": datetime.fromisoformat(str(raw["at"]))})  # type: ignore[arg-type]
