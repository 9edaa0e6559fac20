"""The evaluator of policies itself: what it says of small ones is what IAM's documentation says."""

from typing import Any

import pytest

from tests.terraform.policies import Request, allows, denies, wildcards

READ = Request("s3:GetObject", "arn:aws:s3:::lake/silver/a")


def policy(effect: str, action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}]}


def test_what_nobody_allowed_is_refused() -> None:
    assert not allows([], READ)
    assert not allows([policy("Allow", "s3:PutObject", "*")], READ)
    assert not allows([policy("Allow", "s3:GetObject", "arn:aws:s3:::lake/bronze/*")], READ)


@pytest.mark.parametrize(
    "action", ["s3:GetObject", "S3:getobject", "s3:Get*", "s3:*", "*", ["s3:PutObject", "s3:Get*"]]
)
@pytest.mark.parametrize("resource", ["*", "arn:aws:s3:::lake/*", "arn:aws:s3:::lake/silver/?", READ.resource])
def test_patterns_of_actions_and_resources_match(action: Any, resource: Any) -> None:
    assert allows([policy("Allow", action, resource)], READ)


def test_resources_are_case_sensitive_and_dots_are_dots() -> None:
    assert not allows([policy("Allow", "s3:GetObject", READ.resource.upper())], READ)
    assert not allows([policy("Allow", "s3:GetObject", "arn.aws:s3:::lake/silver/a")], READ)


def test_a_refusal_wins_over_any_permission() -> None:
    policies = [policy("Allow", "*", "*"), policy("Deny", "s3:Get*", "*/silver/*")]
    assert not allows(policies, READ)
    assert denies(policies, READ)
    assert allows(policies, Request("s3:GetObject", "arn:aws:s3:::lake/bronze/a"))


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a"}}, {"k": "a"}, True),
        ({"StringEquals": {"k": ["a", "b"]}}, {"k": "b"}, True),
        ({"StringEquals": {"k": "a*"}}, {"k": "ab"}, False),
        ({"StringEquals": {"k": "a"}}, {}, False),
        ({"StringLike": {"k": "a*"}}, {"k": "ab"}, True),
        ({"StringNotEquals": {"k": "a"}}, {"k": "b"}, True),
        ({"StringNotEquals": {"k": "a"}}, {}, True),
        ({"Null": {"k": "false"}, "StringNotEquals": {"k": "a"}}, {}, False),
        ({"Null": {"k": "true"}}, {}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.1"}, True),
        ({"NumericLessThan": {"k": "1.2"}}, {"k": "1.2"}, False),
        ({"Bool": {"k": "false"}}, {"k": "false"}, True),
        ({"ArnEquals": {"k": "arn:*:cluster/a"}}, {"k": "arn:x:cluster/a"}, True),
        ({"StringEquals": {"k": "a", "l": "b"}}, {"k": "a"}, False),
    ],
)
def test_a_condition_holds_as_documented(condition: Any, context: dict[str, str], holds: bool) -> None:
    request = Request(READ.action, READ.resource, context)
    assert allows([policy("Allow", "s3:GetObject", "*", Condition=condition)], request) is holds


def test_what_the_evaluator_does_not_know_it_does_not_judge() -> None:
    with pytest.raises(NotImplementedError, match="DateLessThan"):
        allows([policy("Allow", "*", "*", Condition={"DateLessThan": {"k": "2026-01-01"}})], READ)
    with pytest.raises(NotImplementedError, match="NotAction"):
        allows([{"Statement": [{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}]}], READ)


def test_wildcards_are_found() -> None:
    assert wildcards([policy("Allow", "s3:GetObject", "arn:aws:s3:::lake/*")]) == []
    assert len(wildcards([policy("Allow", "s3:*", "arn:aws:s3:::lake"), policy("Allow", "s3:GetObject", "*")])) == 2
    assert wildcards([policy("Deny", "*", "*")]) == []
