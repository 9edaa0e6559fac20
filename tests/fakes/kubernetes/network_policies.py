"""Network policies as data: whether they let a pod reach an address."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import yaml

MANIFEST = Path(__file__).parents[3] / "deploy" / "kubernetes" / "network.yaml"
Policy = dict[str, Any]


def policies() -> list[Policy]:
    """Returns those that are deployed."""
    return list(yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8")))


def may_reach(in_force: list[Policy], labels: Mapping[str, str], address: str, port: int) -> bool:
    """Returns whether a pod with these labels may open a TCP connection to an address outside of the cluster."""
    chosen = [policy for policy in in_force if "Egress" in policy["spec"]["policyTypes"] and _selects(policy, labels)]
    # A pod that no policy chooses may do anything.
    return not chosen or any(
        _allows(rule, address, port) for policy in chosen for rule in policy["spec"].get("egress") or []
    )


def may_be_reached(in_force: list[Policy], labels: Mapping[str, str]) -> bool:
    """Returns whether anybody may open a connection to a pod with these labels."""
    chosen = [policy for policy in in_force if "Ingress" in policy["spec"]["policyTypes"] and _selects(policy, labels)]
    return not chosen or any(policy["spec"].get("ingress") for policy in chosen)


def _selects(policy: Policy, labels: Mapping[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    exact = selector.get("matchLabels") or {}
    return exact.items() <= labels.items() and all(
        _fits(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _fits(expression: dict[str, Any], labels: Mapping[str, str]) -> bool:
    found = labels.get(expression["key"])
    return {
        "In": found in expression.get("values", []),
        "NotIn": found not in expression.get("values", []),
        "Exists": found is not None,
        "DoesNotExist": found is None,
    }[expression["operator"]]


def _allows(rule: dict[str, Any], address: str, port: int) -> bool:
    ports, peers = rule.get("ports"), rule.get("to")
    is_port = not ports or any(entry["protocol"] == "TCP" and entry["port"] == port for entry in ports)
    return is_port and (not peers or any(_holds(peer["ipBlock"], address) for peer in peers if "ipBlock" in peer))


def _holds(block: dict[str, Any], address: str) -> bool:
    parsed = ip_address(address)
    return parsed in ip_network(block["cidr"]) and not any(
        parsed in ip_network(part) for part in block.get("except", [])
    )
