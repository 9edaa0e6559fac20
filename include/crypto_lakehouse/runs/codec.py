"""Orders and results as JSON: plain dataclasses on both sides, checked by pydantic when they are read.

The first field of each file is the sha256 of the others, so that a damaged file is found before anything believes it.

pydantic is loaded when the first file is read or written: `--help` and DAG files import the types of orders as well.
"""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crypto_lakehouse.errors import CorruptObject, InvalidRequest

if TYPE_CHECKING:
    from pydantic import TypeAdapter


_SEAL, _SEAL_END = b'{\n "sha256": "', b'",'
_SEAL_BYTES = len(_SEAL) + 64 + len(_SEAL_END)
_ADVICE = "Plan the run again: orders and results are written by the same version that reads them"


# Any: a type such as StepResult[PullOutcome] is no class, so it cannot be annotated as one.
@lru_cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def to_json(kind: Any, record: object) -> bytes:
    """Returns a record as indented JSON with its digest.

    Args:
        kind: The record's type, with its type arguments.
        record: A dataclass.
    """
    return sealed(_adapter(kind).dump_json(record, indent=1))


def sealed(text: bytes) -> bytes:
    """Returns the text of a JSON object with the sha256 of it as the first field."""
    return _seal(text) + text[1:]


def _seal(text: bytes) -> bytes:
    return _SEAL + hashlib.sha256(text).hexdigest().encode() + _SEAL_END


def unsealed(text: bytes, key: str) -> bytes:
    """Returns the text that `sealed` got.

    Args:
        text: The content of a file.
        key: The file's key in the lake, for the message.

    Raises:
        CorruptObject: The text is not the text that was written.
    """
    body = b"{" + text[_SEAL_BYTES:]
    if text[:_SEAL_BYTES] != _seal(body):
        what = f"{key} is damaged: its sha256 is not the one in it"
        raise CorruptObject(what, _ADVICE, dataset=key.split("/")[1] if key.startswith("runs/") else "")
    return body


def from_json(kind: Any, text: bytes, key: str) -> Any:
    """Returns the record that `to_json` wrote.

    Args:
        kind: The record's type, with its type arguments.
        text: The JSON.
        key: The file's key in the lake, for the message.

    Raises:
        CorruptObject: The text is not the text that was written.
        InvalidRequest: The text is not JSON, lacks a field, has one too many or one of another type.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(unsealed(text, key), strict=True, extra="forbid")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(str(part) for part in faults[0]["loc"]) or "the text"
        raise InvalidRequest(
            f"{key} is not a {_name(kind)}: {len(faults)} faults, the first is {place}: {faults[0]['msg']}",
            _ADVICE,
        ) from error


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
