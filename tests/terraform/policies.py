"""A small evaluator of IAM policies: an explicit deny wins, then an allow, else no."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """Something that a role wants to do.

    Args:
        action: `s3:GetObject`.
        resource: An ARN.
        context: What conditions look at: `kms:ViaService`, `iam:PassedToService`, ...
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def allows(policies: Sequence[Mapping[str, Any]], request: Request) -> bool:
    """Returns whether the policies together let the request pass.

    Raises:
        NotImplementedError: A statement uses what this evaluator does not know: better no answer than a wrong one.
    """
    return _effects(policies, request) == {"Allow"}


def denies(policies: Sequence[Mapping[str, Any]], request: Request) -> bool:
    """Returns whether a policy refuses the request, whatever others allow; principals are not looked at.

    Raises:
        NotImplementedError: As above.
    """
    return "Deny" in _effects(policies, request)


def _effects(policies: Sequence[Mapping[str, Any]], request: Request) -> set[str]:
    return {one["Effect"] for policy in policies for one in _listed(policy["Statement"]) if _applies(one, request)}


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if unknown:
        raise NotImplementedError(f"statements with {sorted(unknown)}")
    return (
        any(_matches(one, request.action, ignore_case=True) for one in _listed(statement["Action"]))
        and any(_matches(one, request.resource) for one in _listed(statement["Resource"]))
        and all(
            _holds(operator, request.context.get(key), _listed(values))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _holds(operator: str, value: str | None, wanted: Iterable[str]) -> bool:
    if operator not in _OPERATORS:
        raise NotImplementedError(f"the condition {operator}")
    return _OPERATORS[operator](value, list(wanted))


def _matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def _is_one(value: str | None, wanted: Sequence[str]) -> bool:
    return value is not None and value in wanted


def _is_like_one(value: str | None, wanted: Sequence[str]) -> bool:
    return value is not None and any(_matches(one, value) for one in wanted)


_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "ArnEquals": _is_like_one,
    "ArnLike": _is_like_one,
    "Bool": _is_one,
    "Null": lambda value, wanted: str(value is None).lower() in wanted,
    "NumericLessThan": lambda value, wanted: value is not None and any(float(value) < float(one) for one in wanted),
    "StringEquals": _is_one,
    "StringLike": _is_like_one,
    # As IAM has it, what is not there is not equal.
    "StringNotEquals": lambda value, wanted: value not in wanted,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def wildcards(policies: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the statements that allow every action of a service, or one on every resource, as JSON."""
    return [
        json.dumps(one, sort_keys=True)
        for policy in policies
        for one in _listed(policy["Statement"])
        if one["Effect"] == "Allow"
        and ("*" in _listed(one["Resource"]) or any(action.endswith("*") for action in _listed(one["Action"])))
    ]
