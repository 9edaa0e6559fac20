"""Runs a step as a pod, with the operator of the Kubernetes provider."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from crypto_lakehouse.settings import Settings, StepRequests
from crypto_lakehouse.vocabulary import Step
from lakehouse_airflow.runners.container import LAKE, WORK, has_lake_folder, step_environment, step_name
from lakehouse_airflow.runners.operator_runner import OperatorRunner
from lakehouse_airflow.runners.runner import RunContext

_LABEL = "crypto-lakehouse"
_ABANDONED = "already_checked"
_GRACE_SECONDS = 10
_LOG_MIB = 256
_GONE_SECONDS = 120
_ENDED = frozenset({"Succeeded", "Failed"})
_MAY_PASS = frozenset({408, 409, 429})
_MESSAGE_LENGTH = 500


class KubernetesRunner(OperatorRunner):
    """Starts one pod per order, named after the order; a later try joins a pod that still runs."""

    def new_operator(self, step: Step, order_key: str, context: RunContext) -> Any:
        """Returns the operator that carries out the order.

        Raises:
            AirflowFailException: The lake is a folder and no volume claim is named.
        """
        from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

        settings, task = context.settings, context.airflow.get("task")
        kubernetes, name = settings.kubernetes, step_name(step, order_key, settings)
        context.log(f"pod {name} of {settings.docker.image(step)} in {kubernetes.namespace}")
        return KubernetesPodOperator(
            task_id=step.value,
            full_pod_spec=pod(step, order_key, settings),
            name=name,
            random_name_suffix=False,
            namespace=kubernetes.namespace,
            labels={f"{_LABEL}/step": step.value, f"{_LABEL}/name": name},
            kubernetes_conn_id=kubernetes.connection_id,
            deferrable=kubernetes.deferrable,
            poll_interval=kubernetes.poll_seconds,
            startup_timeout_seconds=kubernetes.startup_timeout_seconds,
            # The server also keeps a watch of events open this long; it accepts whole seconds only.
            startup_check_interval_seconds=max(1, round(kubernetes.poll_seconds)),
            termination_grace_period=_GRACE_SECONDS,
            execution_timeout=getattr(task, "execution_timeout", None),
            durable=True,
            do_xcom_push=False,
            on_finish_action="delete_pod",
            # The specification contains the environment.
            log_pod_spec_on_failure=False,
            # Events say why a pod waits: for a node, or for its image.
            log_events_on_startup=True,
            log_events_on_failure=True,
            container_name_log_prefix_enabled=False,
        )

    def start(self, context: RunContext) -> None:
        """Starts the pod, or joins a pod of an earlier try that still runs; a pod that ended is removed first.

        Raises:
            AirflowException: A pod that ended could not be removed.
        """
        client, namespace = self._operator.client, context.settings.kubernetes.namespace
        _remove_ended_pod(client, self._operator.name, namespace)

        # The provider's own function logs the whole specification if a pod cannot be created.
        self._operator.pod_manager.run_pod_async = lambda pod: _create(client, pod, namespace)
        with self._explained(context):
            super().start(context)

    def resume_operator(self, context: RunContext, event: Mapping[str, Any]) -> None:
        """Passes the triggerer's event to the operator, which reads the pod's log and removes the pod."""
        with self._explained(context):
            self._operator.trigger_reentry(context.airflow, dict(event))

    def reason(self, error: Exception) -> str:
        """Returns the error's message without what it quotes: stack frames of a trigger, headers of a request."""
        from kubernetes.client.exceptions import ApiException

        if isinstance(error, ApiException):
            return f"{error.status} {error.reason}"
        lines = str(error).strip().splitlines()
        frames = [number for number, line in enumerate(lines) if line.startswith("  ")]
        message = " ".join(lines[frames[-1] + 1 :] if frames else lines)
        # If cleaning up after an error fails too, the first error explains more.
        first = f", after {self.reason(error.__context__)}" if isinstance(error.__context__, Exception) else ""
        return f"{type(error).__name__}: {message[:_MESSAGE_LENGTH]}{first}"

    @contextmanager
    def _explained(self, context: RunContext) -> Iterator[None]:
        try:
            yield
        except TaskDeferred:
            raise
        except Exception:
            for line in _ending(self._operator.remote_pod or self._operator.pod):
                context.log(line)
            raise

    def is_final(self, error: Exception) -> bool:
        """Returns whether the API server refused the request for good, or no cluster is configured."""
        from kubernetes.client.exceptions import ApiException
        from kubernetes.config import ConfigException

        if isinstance(error, ApiException):
            # A full quota has the same status as a missing right, but it is free again when other pods have ended.
            is_full = error.status == 403 and "exceeded quota" in str(error.body)
            return 400 <= (error.status or 0) < 500 and error.status not in _MAY_PASS and not is_full
        return isinstance(error, ConfigException)


def pod(step: Step, order_key: str, settings: Settings) -> Any:
    """Returns the pod that carries out an order. It refers to secrets and does not contain them.

    Raises:
        AirflowFailException: The lake is a folder and no volume claim is named.
    """
    from kubernetes.client import models as k8s

    kubernetes = settings.kubernetes
    user, group = (int(number) for number in settings.docker.user.split(":"))
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(annotations={f"{_LABEL}/order": order_key}),
        spec=k8s.V1PodSpec(
            restart_policy="Never",
            containers=[_container(step, order_key, settings)],
            volumes=_volumes(step, settings),
            node_selector=dict(kubernetes.node_selector) or None,
            tolerations=[k8s.V1Toleration(**entry.model_dump(exclude_none=True)) for entry in kubernetes.tolerations],
            image_pull_secrets=[k8s.V1LocalObjectReference(name=name) for name in kubernetes.image_pull_secrets],
            service_account_name=kubernetes.service_account,
            active_deadline_seconds=kubernetes.deadline_seconds,
            automount_service_account_token=False,
            enable_service_links=False,
            security_context=k8s.V1PodSecurityContext(
                run_as_non_root=True,
                run_as_user=user,
                run_as_group=group,
                fs_group=group,
                # Else each pod changes the owner of every file of the lake before it starts.
                fs_group_change_policy="OnRootMismatch",
                seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
            ),
        ),
    )


def _container(step: Step, order_key: str, settings: Settings) -> Any:
    from kubernetes.client import models as k8s

    mounts = [k8s.V1VolumeMount(name="work", mount_path=WORK)]
    if has_lake_folder(settings):
        mounts.append(k8s.V1VolumeMount(name="lake", mount_path=LAKE))
    return k8s.V1Container(
        name="base",
        image=settings.docker.image(step),
        args=["step", step.value, "--work-order", order_key],
        env=_variables(settings),
        resources=_resources(step, settings),
        volume_mounts=mounts,
        security_context=k8s.V1SecurityContext(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            capabilities=k8s.V1Capabilities(drop=["ALL"]),
        ),
    )


def _resources(step: Step, settings: Settings) -> Any:
    from kubernetes.client import models as k8s

    limits, requests = settings.docker.limits_of(step), settings.kubernetes.requests.get(step) or StepRequests()
    scratch = f"{limits.scratch_mib + _LOG_MIB}Mi"
    memory = min(requests.memory_mib or limits.memory_mib, limits.memory_mib)
    cpus = min(requests.cpus or limits.cpus, limits.cpus)
    return k8s.V1ResourceRequirements(
        requests=_quantities(cpus, memory, scratch),
        limits=_quantities(limits.cpus, limits.memory_mib, scratch),
    )


def _quantities(cpus: float, memory_mib: int, scratch: str) -> dict[str, str]:
    return {"cpu": f"{round(cpus * 1000)}m", "memory": f"{memory_mib}Mi", "ephemeral-storage": scratch}


def _variables(settings: Settings) -> list[Any]:
    from kubernetes.client import models as k8s

    plain = [k8s.V1EnvVar(name=name, value=value) for name, value in step_environment(settings).items()]
    for name, reference in settings.kubernetes.secrets.items():
        secret, _, key = reference.partition("/")
        selector = k8s.V1SecretKeySelector(name=secret, key=key)
        plain.append(k8s.V1EnvVar(name=name, value_from=k8s.V1EnvVarSource(secret_key_ref=selector)))
    return plain


def _volumes(step: Step, settings: Settings) -> list[Any]:
    from kubernetes.client import models as k8s

    scratch = f"{settings.docker.limits_of(step).scratch_mib}Mi"
    volumes = [k8s.V1Volume(name="work", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=scratch))]
    if has_lake_folder(settings):
        if settings.kubernetes.lake_claim is None:
            raise AirflowFailException(
                "the lake is a folder, which a pod does not see. Set kubernetes.lake_claim, or use a lake in S3"
            )
        claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=settings.kubernetes.lake_claim)
        volumes.append(k8s.V1Volume(name="lake", persistent_volume_claim=claim))
    return volumes


def _ending(pod: Any) -> Iterator[str]:
    """Yields lines for the log that describe how a pod ended."""
    status = getattr(pod, "status", None)
    if status is None:
        return
    if status.reason:
        yield f"the cluster ended the pod: {status.reason}, {status.message or 'without a message'}"
    for container in status.container_statuses or ():
        ended = container.state.terminated
        if ended is not None:
            yield f"the pod ended with exit code {ended.exit_code}: {ended.reason}"
            if ended.reason == "OOMKilled":
                yield "it needed more memory than its limit. Raise memory_mib in docker.limits for this step"


def _create(client: Any, pod: Any, namespace: str) -> Any:
    from kubernetes.client.exceptions import ApiException

    try:
        return client.create_namespaced_pod(namespace, pod)
    except ApiException as error:
        if error.status != 409:
            raise
        # The answer to an earlier request was lost. Only this order has this name.
        existing = _find_pod(client, pod.metadata.name, namespace)
        if existing is None:
            raise AirflowException(f"pod {pod.metadata.name} existed and was removed meanwhile") from error
        return existing


def _remove_ended_pod(client: Any, name: str, namespace: str) -> None:
    deadline = time.monotonic() + _GONE_SECONDS
    while (existing := _find_pod(client, name, namespace)) is not None:
        if existing.metadata.deletion_timestamp is None:
            # The operator labels a pod that it abandoned. If it could not remove it, no later try may join it.
            is_abandoned = (existing.metadata.labels or {}).get(_ABANDONED) == "True"
            if existing.status.phase not in _ENDED and not is_abandoned:
                return
            _delete(client, name, namespace)
        if time.monotonic() > deadline:
            raise AirflowException(f"pod {name} of an earlier try was not removed within {_GONE_SECONDS} s")
        time.sleep(0.5)


def _delete(client: Any, name: str, namespace: str) -> None:
    from kubernetes.client.exceptions import ApiException

    try:
        client.delete_namespaced_pod(name, namespace)
    except ApiException as error:
        # It was removed meanwhile.
        if error.status != 404:
            raise


def _find_pod(client: Any, name: str, namespace: str) -> Any:
    from kubernetes.client.exceptions import ApiException

    try:
        return client.read_namespaced_pod(name, namespace)
    except ApiException as error:
        if error.status != 404:
            raise
        return None
