"""Runs a step as a task on ECS, by the Amazon provider's own operator."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from crypto_lakehouse.settings import EcsNetwork, EcsSettings, Settings
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.container import has_lake_folder, step_environment, step_name
from lakehouse_airflow.runners.operator_runner import OperatorRunner
from lakehouse_airflow.runners.runner import RunContext

_REFUSALS = frozenset(
    {
        "AccessDeniedException",
        "ClientException",
        "ClusterNotFoundException",
        "InvalidParameterException",
        "PlatformUnknownException",
        "UnsupportedFeatureException",
    }
)
_PASSING = ("capacity is unavailable", "reached the limit", "try again")
"""What Fargate says as a ClientException although it is no fault of the request."""
_TAG_LENGTH = 256
_NOT_IN_TAGS = re.compile(r"[^\w\s+\-=.:/@]")
"""What AWS takes in the value of a tag is the opposite of this."""
_OVERRIDES_LENGTH = 8192
"""What RunTask takes."""
_SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]


class EcsRunner(OperatorRunner):
    """A task per order, in a group under the order's name; a later try joins the one that still runs."""

    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the operator that carries out the order.

        Raises:
            AirflowFailException: The lake is a folder and the task definitions do not mount it.
        """
        from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

        settings, ecs = context.settings, context.settings.ecs
        name, logs_group = step_name(step, order_key, settings), ecs.logs_group_of(step)
        return EcsRunTaskOperator(
            task_id=step.value,
            cluster=ecs.cluster,
            task_definition=ecs.task_definition(step),
            launch_type=ecs.launch_type,
            capacity_provider_strategy=_SPOT if step in ecs.spot else None,
            overrides=overrides(step, order_key, settings),
            network_configuration=_network(ecs.network(step)),
            group=name,
            tags={f"crypto-lakehouse:{key}": _tag(value) for key, value in context.labels.items()} or None,
            reattach=True,
            do_xcom_push=False,
            region_name=ecs.region,
            aws_conn_id=ecs.connection_id,
            deferrable=ecs.deferrable,
            waiter_delay=ecs.poll_seconds,
            waiter_max_attempts=math.ceil(ecs.timeout_seconds / ecs.poll_seconds),
            container_name=ecs.container_name,
            awslogs_group=logs_group,
            awslogs_stream_prefix=ecs.logs_prefix if logs_group else None,
            awslogs_fetch_interval=timedelta(seconds=ecs.poll_seconds),
            execution_timeout=getattr(context.airflow.get("task"), "execution_timeout", None),
        )

    def start(self, context: RunContext) -> None:
        """Has the operator start the task, or join one of an earlier try that still runs.

        Raises:
            AirflowException: The one that runs was waited for to the end already, and is stopped.
        """
        try:
            super().start(context)
        except TaskDeferred:
            self._end_what_hangs(context.settings.ecs)
            raise

    def _end_what_hangs(self, ecs: EcsSettings) -> None:
        # Whoever waits by a triggerer cannot stop the task when it gives up: the next try finds it, and would wait
        # as long again.
        arn, client = self._operator.arn, self._operator.client
        found = client.describe_tasks(cluster=ecs.cluster, tasks=[arn])["tasks"]
        now = datetime.now(UTC)
        age = max((now - one.get("createdAt", now) for one in found), default=timedelta())
        if age.total_seconds() >= ecs.timeout_seconds:
            client.stop_task(cluster=ecs.cluster, task=arn, reason="it ran longer than anybody waits for it")
            raise AirflowException(f"task {arn} of an earlier try has run for {age}: it was stopped")

    def reentered(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Hands the triggerer's event to the operator, which asks ECS how the task ended."""
        self._operator.execute_complete(context.airflow, dict(event))

    def is_final(self, error: Exception) -> bool:
        """Returns whether ECS refused the request itself."""
        from botocore.exceptions import ClientError

        if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") not in _REFUSALS:
            return False
        return not any(words in str(error).lower() for words in _PASSING)


def overrides(step: Step, order_key: str, settings: Settings) -> dict[str, Any]:
    """Returns what a task is told beside its definition; the operator logs it, and nothing in it is secret.

    Raises:
        AirflowFailException: The lake is a folder and the task definitions do not mount it, or the settings are longer
            than ECS takes.
    """
    if has_lake_folder(settings) and not settings.ecs.has_lake_mount:
        raise AirflowFailException(
            "the lake is a folder: use one in S3, or mount it at /lake by the task definitions and say so by "
            "ecs.has_lake_mount"
        )
    container = {
        "name": settings.ecs.container_name,
        # One line of JSON at the end: alarms count what these say.
        "command": ["step", step.value, "--work-order", order_key, "--json"],
        "environment": [{"name": name, "value": value} for name, value in step_environment(settings).items()],
    }
    size = settings.ecs.ephemeral_gib.get(step)
    storage = {} if size is None else {"ephemeralStorage": {"sizeInGiB": size}}
    told = {"containerOverrides": [container], **storage}
    if (length := len(json.dumps(told))) > _OVERRIDES_LENGTH:
        raise AirflowFailException(
            f"the settings make {length} characters of overrides and ECS takes {_OVERRIDES_LENGTH}: name symbols by "
            "globs in `markets`, and fewer `profiles`"
        )
    return told


def _tag(value: str) -> str:
    return _NOT_IN_TAGS.sub("-", value)[:_TAG_LENGTH]


def _network(network: EcsNetwork) -> dict[str, Any] | None:
    if not network.subnets:
        return None
    return {
        "awsvpcConfiguration": {
            "subnets": list(network.subnets),
            "securityGroups": list(network.security_groups),
            "assignPublicIp": "ENABLED" if network.assign_public_ip else "DISABLED",
        }
    }
