"""Runs a step as a task on ECS, with the operator of the Amazon provider."""

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
"""Parts of messages of a ClientException that is not caused by the request, such as a lack of capacity."""
_TAG_LENGTH = 256
_NOT_IN_TAGS = re.compile(r"[^\w\s+\-=.:/@]")
"""Characters that AWS does not accept in the value of a tag."""
_OVERRIDES_LENGTH = 8192
"""The largest number of characters that RunTask accepts."""
_SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]


class EcsRunner(OperatorRunner):
    """Starts one task per order, in a group named after the order; a later try joins a task that still runs."""

    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the operator that carries out the order.

        Raises:
            AirflowFailException: The lake is a folder that the task definitions do not mount, or the settings are
                too long.
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
        """Starts the task, or joins a task of an earlier try that still runs.

        Raises:
            AirflowException: The task of an earlier try ran longer than the timeout and was stopped.
        """
        try:
            super().start(context)
        except TaskDeferred:
            self._stop_overdue_task(context.settings.ecs)
            raise

    def _stop_overdue_task(self, ecs: EcsSettings) -> None:
        # A triggerer that gives up cannot stop the task. The next try would find it and wait as long again.
        arn, client = self._operator.arn, self._operator.client
        tasks = client.describe_tasks(cluster=ecs.cluster, tasks=[arn])["tasks"]
        now = datetime.now(UTC)
        age = max((now - task.get("createdAt", now) for task in tasks), default=timedelta())
        if age.total_seconds() >= ecs.timeout_seconds:
            client.stop_task(cluster=ecs.cluster, task=arn, reason="it ran longer than ecs.timeout_seconds")
            raise AirflowException(f"task {arn} of an earlier try has run for {age}: it was stopped")

    def resume_operator(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Passes the triggerer's event to the operator, which asks ECS how the task ended."""
        self._operator.execute_complete(context.airflow, dict(event))

    def is_final(self, error: Exception) -> bool:
        """Returns whether ECS refused the request itself."""
        from botocore.exceptions import ClientError

        if not isinstance(error, ClientError) or error.response.get("Error", {}).get("Code") not in _REFUSALS:
            return False
        return not any(words in str(error).lower() for words in _PASSING)


def overrides(step: Step, order_key: str, settings: Settings) -> dict[str, Any]:
    """Returns what a task gets in addition to its definition. The operator logs it, so it contains no secret.

    Raises:
        AirflowFailException: The lake is a folder that the task definitions do not mount, or the settings are longer
            than ECS accepts.
    """
    if has_lake_folder(settings) and not settings.ecs.has_lake_mount:
        raise AirflowFailException(
            "the lake is a folder, which a task on ECS does not see. Use a lake in S3, or mount the folder at /lake in "
            "the task definitions and set ecs.has_lake_mount"
        )
    container = {
        "name": settings.ecs.container_name,
        # The last line is the result as JSON; alarms read its figures.
        "command": ["step", step.value, "--work-order", order_key, "--json"],
        "environment": [{"name": name, "value": value} for name, value in step_environment(settings).items()],
    }
    size = settings.ecs.ephemeral_gib.get(step)
    storage = {} if size is None else {"ephemeralStorage": {"sizeInGiB": size}}
    values = {"containerOverrides": [container], **storage}
    if (length := len(json.dumps(values))) > _OVERRIDES_LENGTH:
        raise AirflowFailException(
            f"the settings need {length} characters of overrides and ECS accepts {_OVERRIDES_LENGTH}. Replace symbols "
            "in `markets` by glob patterns, and remove unused `profiles`"
        )
    return values


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
