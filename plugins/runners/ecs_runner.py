"""Runs a step as a task on ECS, by the Amazon provider's own operator."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from crypto_lakehouse.remote_settings import EcsSettings
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
_TAG_LENGTH = 256


class EcsRunner(OperatorRunner):
    """A task per order, in a group under the order's name; a later try joins the one that still runs."""

    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the operator that carries out the order.

        Raises:
            AirflowFailException: The lake is a folder and the task definitions do not mount it.
        """
        from airflow.providers.amazon.aws.operators.ecs import EcsRunTaskOperator

        settings, ecs = context.settings, context.settings.ecs
        name = step_name(step, order_key, settings)
        return EcsRunTaskOperator(
            task_id=step.value,
            cluster=ecs.cluster,
            task_definition=ecs.task_definition(step),
            launch_type=ecs.launch_type,
            overrides=overrides(step, order_key, settings),
            network_configuration=_network(ecs),
            group=name,
            tags={f"crypto-lakehouse:{key}": value[:_TAG_LENGTH] for key, value in context.labels.items()} or None,
            reattach=True,
            do_xcom_push=False,
            region_name=ecs.region,
            aws_conn_id=ecs.connection_id,
            deferrable=ecs.deferrable,
            waiter_delay=ecs.poll_seconds,
            container_name=ecs.container_name,
            awslogs_group=ecs.logs_group,
            awslogs_stream_prefix=ecs.logs_prefix if ecs.logs_group else None,
            awslogs_fetch_interval=timedelta(seconds=ecs.poll_seconds),
            execution_timeout=getattr(context.airflow.get("task"), "execution_timeout", None),
        )

    def reentered(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Hands the triggerer's event to the operator, which asks ECS how the task ended."""
        self._operator.execute_complete(context.airflow, dict(event))

    def is_final(self, error: Exception) -> bool:
        """Returns whether ECS refused the request itself."""
        from botocore.exceptions import ClientError

        return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _REFUSALS


def overrides(step: Step, order_key: str, settings: Settings) -> dict[str, Any]:
    """Returns what a task is told beside its definition; the operator logs it, and nothing in it is secret.

    Raises:
        AirflowFailException: The lake is a folder and the task definitions do not mount it.
    """
    if has_lake_folder(settings) and not settings.ecs.has_lake_mount:
        raise AirflowFailException(
            "the lake is a folder: use one in S3, or mount it at /lake by the task definitions and say so by "
            "ecs.has_lake_mount"
        )
    container = {
        "name": settings.ecs.container_name,
        "command": ["step", step.value, "--work-order", order_key],
        "environment": [{"name": name, "value": value} for name, value in step_environment(settings).items()],
    }
    size = settings.ecs.ephemeral_gib.get(step)
    storage = {} if size is None else {"ephemeralStorage": {"sizeInGiB": size}}
    return {"containerOverrides": [container], **storage}


def _network(ecs: EcsSettings) -> dict[str, Any] | None:
    if not ecs.subnets:
        return None
    return {
        "awsvpcConfiguration": {
            "subnets": list(ecs.subnets),
            "securityGroups": list(ecs.security_groups),
            "assignPublicIp": "ENABLED" if ecs.assign_public_ip else "DISABLED",
        }
    }
