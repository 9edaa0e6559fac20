"""Pod Security Standards, profile "restricted", as data: which field of a pod may hold what.

One row per field that the standard names, and after it what we ask of ourselves beyond. Init and ephemeral containers
count as containers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

UNSET = None
_EACH = "containers[*]."
_LEVELS = ("spec.securityContext.", f"spec.{_EACH}securityContext.")


@dataclass(frozen=True)
class Rule:
    """A control and its fields: each found value must be among those allowed; any may be missing where UNSET is."""

    control: str
    fields: tuple[str, ...]
    allowed: frozenset[Any]


@dataclass(frozen=True)
class Inherited:
    """A control that the pod sets for all its containers, or each container for itself."""

    control: str
    field: str
    allowed: frozenset[Any]


def _rule(control: str, *fields: str, allowed: set[Any]) -> Rule:
    return Rule(control, fields, frozenset(allowed))


_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
_VOLUMES = {
    "name",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}

RESTRICTED: tuple[Rule | Inherited, ...] = (
    _rule(
        "hostProcess",
        *(f"{level}windowsOptions.hostProcess" for level in _LEVELS),
        allowed={UNSET, False},
    ),
    _rule("host namespaces", "spec.hostNetwork", "spec.hostPID", "spec.hostIPC", allowed={UNSET, False}),
    _rule("privileged", f"spec.{_EACH}securityContext.privileged", allowed={UNSET, False}),
    _rule("host ports", f"spec.{_EACH}ports[*].hostPort", allowed={UNSET, 0}),
    _rule(
        "AppArmor",
        *(f"{level}appArmorProfile.type" for level in _LEVELS),
        allowed={UNSET, "RuntimeDefault", "Localhost"},
    ),
    _rule("SELinux", *(f"{level}seLinuxOptions.type" for level in _LEVELS), allowed={UNSET, *_SELINUX}),
    _rule(
        "SELinux",
        *(f"{level}seLinuxOptions.{name}" for level in _LEVELS for name in ("user", "role")),
        allowed={UNSET, ""},
    ),
    _rule("/proc", f"spec.{_EACH}securityContext.procMount", allowed={UNSET, "Default"}),
    _rule("sysctls", "spec.securityContext.sysctls[*].name", allowed={UNSET, *_SAFE_SYSCTLS}),
    _rule("volume types", "spec.volumes[*]!", allowed=_VOLUMES),
    _rule("allowPrivilegeEscalation", f"spec.{_EACH}securityContext.allowPrivilegeEscalation", allowed={False}),
    Inherited("runAsNonRoot", "runAsNonRoot", frozenset({True})),
    _rule("runAsUser", *(f"{level}runAsUser" for level in _LEVELS), allowed={UNSET, *range(1, 65536)}),
    Inherited("seccompProfile", "seccompProfile.type", frozenset({"RuntimeDefault", "Localhost"})),
    _rule("dropped capabilities", f"spec.{_EACH}securityContext.capabilities.drop[0]", allowed={"ALL"}),
    _rule(
        "added capabilities",
        f"spec.{_EACH}securityContext.capabilities.add[*]",
        allowed={UNSET, "NET_BIND_SERVICE"},
    ),
)

OURS: tuple[Rule | Inherited, ...] = (
    _rule("read-only root", f"spec.{_EACH}securityContext.readOnlyRootFilesystem", allowed={True}),
    _rule("no token of the cluster", "spec.automountServiceAccountToken", allowed={False}),
    _rule("no addresses of services", "spec.enableServiceLinks", allowed={False}),
    _rule("one try per pod", "spec.restartPolicy", allowed={"Never"}),
)
"""Beyond the standard."""


def violations(pod: dict[str, Any], rules: tuple[Rule | Inherited, ...]) -> list[str]:
    """Returns the controls that a pod breaks."""
    checked = {**pod, "spec": {**pod["spec"], "containers": _containers(pod)}}
    return [rule.control for rule in rules if not _is_kept(checked, rule)]


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = ("containers", "initContainers", "ephemeralContainers")
    return [container for kind in kinds for container in pod["spec"].get(kind) or []]


def _is_kept(pod: dict[str, Any], rule: Rule | Inherited) -> bool:
    if isinstance(rule, Rule):
        return all(value in rule.allowed for field in rule.fields for value in values_at(pod, field))
    [of_pod] = values_at(pod, f"spec.securityContext.{rule.field}")
    of_each = list(values_at(pod, f"spec.{_EACH}securityContext.{rule.field}"))
    return all((of_pod if value is UNSET else value) in rule.allowed for value in of_each)


def values_at(value: Any, path: str) -> Iterator[Any]:
    """Yields what is at a path: `[*]` is every item, `[0]` the first, a closing `!` stands for an object's own keys.

    >>> list(values_at({"a": [{"b": 1}, {}]}, "a[*].b"))
    [1, None]
    """
    name, _, rest = path.partition(".")
    plain = name.removesuffix("!").removesuffix("[*]").removesuffix("[0]")
    found = value.get(plain) if isinstance(value, dict) else None
    items = [found]
    if "[*]" in name:
        items = list(found or []) or ([] if rest or name.endswith("!") else [UNSET])
    elif "[0]" in name:
        items = (found or [UNSET])[:1]
    for item in items:
        if name.endswith("!"):
            yield from item
        elif rest:
            yield from values_at(item, rest)
        else:
            yield item
