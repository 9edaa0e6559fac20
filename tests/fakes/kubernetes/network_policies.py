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
    chosen = [one for one in in_force if "Egress" in one["spec"]["policyTypes"] and _selects(one, labels)]
    # A pod that no policy chooses may do anything.
    return not chosen or any(_allows(rule, address, port) for one in chosen for rule in one["spec"].get("egress") or [])


def may_be_reached(in_force: list[Policy], labels: Mapping[str, str]) -> bool:
    """Returns whether anybody may open a connection to a pod with these labels."""
    chosen = [one for one in in_force if "Ingress" in one["spec"]["policyTypes"] and _selects(one, labels)]
    return not chosen or any(one["spec"].get("ingress") for one in chosen)


def _selects(policy: Policy, labels: Mapping[str, str]) -> bool:
    selector = policy["spec"]["podSelector"]
    exact = selector.get("matchLabels") or {}
    return exact.items() <= labels.items() and all(_fits(one, labels) for one in selector.get("matchExpressions") or [])


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
    is_port = not ports or any(one["protocol"] == "TCP" and one["port"] == port for one in ports)
    return is_port and (not peers or any(_holds(one["ipBlock"], address) for one in peers if "ipBlock" in one))


def _holds(block: dict[str, Any], address: str) -> bool:
    one = ip_address(address)
    return one in ip_network(block["cidr"]) and not any(one in ip_network(part) for part in block.get("except", []))
