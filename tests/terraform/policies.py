"""A small evaluator of IAM policies: an explicit deny wins, then an allow, else no."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
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
    effects = {one["Effect"] for policy in policies for one in _listed(policy["Statement"]) if _applies(one, request)}
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], request: Request) -> bool:
    unknown = set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
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
    if operator not in {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool"}:
        raise NotImplementedError(f"the condition {operator}")
    if value is None:
        return False
    return any(value == one if operator in {"StringEquals", "Bool"} else _matches(one, value) for one in wanted)


def _matches(pattern: str, text: str, ignore_case: bool = False) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(one, re.escape(one)) for one in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


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
