"""Orders and results as JSON: plain dataclasses on both sides, checked by pydantic when they are read.

pydantic is loaded when the first file is read or written: `--help` and DAG files import the types of orders as well.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crypto_lakehouse.errors import InvalidRequest

if TYPE_CHECKING:
    from pydantic import TypeAdapter


# Any: a type such as StepResult[PullOutcome] is no class, so it cannot be annotated as one.
@lru_cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def to_json(kind: Any, record: object) -> bytes:
    """Returns a record as indented JSON.

    Args:
        kind: The record's type, with its type arguments.
        record: A dataclass.
    """
    return _adapter(kind).dump_json(record, indent=1)


def from_json(kind: Any, text: bytes, key: str) -> Any:
    """Returns the record that `to_json` wrote.

    Args:
        kind: The record's type, with its type arguments.
        text: The JSON.
        key: The file's key in the lake, for the message.

    Raises:
        InvalidRequest: The text is not JSON, lacks a field, has one too many or one of another type.
    """
    from pydantic import ValidationError

    try:
        return _adapter(kind).validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False, include_context=False)
        place = ".".join(str(part) for part in faults[0]["loc"]) or "the text"
        raise InvalidRequest(
            f"{key} is not a {_name(kind)}: {len(faults)} faults, the first is {place}: {faults[0]['msg']}",
            "Plan the run again: orders and results are written by the same version that reads them",
        ) from error


def _name(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))
