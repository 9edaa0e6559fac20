"""Runs a step as a task on ECS, by the Amazon provider's own operator."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from crypto_lakehouse.remote_settings import EcsNetwork
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.vocabulary import Step
from runners.container import has_lake_folder, step_environment, step_name
from runners.operator_runner import OperatorRunner
from runners.runner import RunContext

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
            tags={f"crypto-lakehouse:{key}": value[:_TAG_LENGTH] for key, value in context.labels.items()} or None,
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
