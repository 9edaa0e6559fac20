"""Small evaluators of CloudWatch's metric filters and EventBridge's patterns: what lines and events count for."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_TERM = re.compile(r'\$\.(?P<path>[\w.]+) (?P<operator>=|!=|>) (?:"(?P<text>[^"]*)"|(?P<number>\d+))')


@dataclass(frozen=True)
class Counted:
    """What a line adds to a metric."""

    namespace: str
    metric: str
    value: float
    dimensions: tuple[tuple[str, str], ...] = ()


def counted(filters: Iterable[Mapping[str, Any]], group: str, line: str) -> list[Counted]:
    """Returns what the metric filters of a log group make of a line.

    Args:
        filters: As Terraform holds them.
        group: The line's log group.
        line: The line.

    Raises:
        NotImplementedError: A pattern uses what this evaluator does not know: better no answer than a wrong one.
    """
    return [
        _made(transformation, json.loads(line))
        for one in filters
        if one["log_group_name"] == group and matches(one["pattern"], line)
        for transformation in one["metric_transformation"]
    ]


def matches(pattern: str, line: str) -> bool:
    """Returns whether a pattern of JSON terms, joined by `&&`, matches a line.

    Raises:
        NotImplementedError: As above.
    """
    terms = [_TERM.fullmatch(term.strip()) for term in pattern.strip().removeprefix("{").removesuffix("}").split("&&")]
    if not all(terms):
        raise NotImplementedError(pattern)
    document = _document(line)
    return document is not None and all(_holds(term, document) for term in terms if term)


def _document(line: str) -> Mapping[str, Any] | None:
    try:
        document = json.loads(line)
    except json.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _holds(term: re.Match[str], document: Mapping[str, Any]) -> bool:
    value, operator = _value(document, term["path"]), term["operator"]
    if value is None:
        if operator == "!=":
            raise NotImplementedError(f"{term[0]} of a line without it")
        return False
    if operator == ">":
        return isinstance(value, int | float) and value > float(term["number"])
    wanted = term["text"]
    is_equal = value == float(term["number"]) if wanted is None else fnmatchcase(str(value), wanted)
    return is_equal is (operator == "=")


def _value(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _made(transformation: Mapping[str, Any], document: Mapping[str, Any]) -> Counted:
    value = transformation["value"]
    number = _value(document, value.removeprefix("$.")) if value.startswith("$.") else value
    dimensions = {
        name: str(_value(document, path.removeprefix("$.")))
        for name, path in (transformation["dimensions"] or {}).items()
    }
    return Counted(transformation["namespace"], transformation["name"], float(number), tuple(dimensions.items()))


def is_heard(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Returns whether an EventBridge pattern of values, `anything-but` and `$or` matches an event.

    Raises:
        NotImplementedError: As above.
    """
    return all(
        any(is_heard(one, event) for one in wanted) if name == "$or" else _is_found(wanted, event.get(name))
        for name, wanted in pattern.items()
    )


def _is_found(wanted: Any, value: Any) -> bool:
    # An array matches where one of its members does.
    if isinstance(wanted, dict):
        return any(is_heard(wanted, one) for one in _members(value) if isinstance(one, dict))
    return any(_is_wanted(one, member) for one in wanted for member in _members(value))


def _members(value: Any) -> Iterator[Any]:
    yield from value if isinstance(value, list) else () if value is None else (value,)


def _is_wanted(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    if set(wanted) != {"anything-but"}:
        raise NotImplementedError(str(wanted))
    return bool(wanted["anything-but"] != value)
