"""What can be said of the stack without starting it."""

import re
from typing import Any

import pytest
import yaml

from tests.containers.engine import REPOSITORY

FILE = REPOSITORY / "docker-compose.yaml"
EXAMPLE = REPOSITORY / ".env.example"
TEXT = FILE.read_text(encoding="utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
ONCE = {"secrets", "demo", "cli", "s5cmd", "polars", "quality", "exchange", "migrate"}


def test_every_variable_is_explained_and_every_explained_one_is_used() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT)) | {"COMPOSE_PROFILES"}
    explained = re.findall(r"^#?([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(explained) == sorted(used)


def test_the_example_says_what_the_defaults_are() -> None:
    defaults = set(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    said = set(re.findall(r"^#?([A-Z_]+)=(.*)$", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    of_the_demonstration = {"ARCHIVE_ENDPOINT_URL", "COMPOSE_PROFILES", "EXCHANGE_ENABLED"}
    assert {name for name, _ in said - defaults} == of_the_demonstration
    assert len({name for name, _ in defaults}) == len(defaults), "a variable has one default"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_rights_and_knows_its_limits(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    assert not {"privileged", "pid", "ipc", "devices"} & set(service)
    if name != "guard":
        assert service["user"] == "10001:10001"
        assert "cap_add" not in service


def test_only_the_guard_holds_the_engine_s_socket_and_it_has_no_network() -> None:
    holders = {name for name, service in SERVICES.items() if "docker.sock" in str(service.get("volumes"))}
    assert holders == {"guard"}
    assert SERVICES["guard"]["network_mode"] == "none"
    users = {
        (name, volume)
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
        if volume.startswith("engine:")
    }
    assert users == {("guard", "engine:/engine"), ("scheduler", "engine:/engine:ro")}


def test_ports_are_on_loopback_alone() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:${") for port in ports)


def test_services_that_go_on_are_watched_and_come_back() -> None:
    lasting = set(SERVICES) - ONCE
    assert {name for name, service in SERVICES.items() if "healthcheck" in service} == lasting
    assert {name for name, service in SERVICES.items() if service["restart"] == "unless-stopped"} == lasting


def test_whoever_waits_for_another_waits_until_it_is_well_or_done() -> None:
    dependencies = [service.get("depends_on", {}) for service in SERVICES.values()]
    waits = [(other, how["condition"]) for needed in dependencies for other, how in needed.items()]
    assert waits
    for other, condition in waits:
        assert condition == ("service_completed_successfully" if other in ONCE else "service_healthy")


def test_images_are_built_where_they_are_missing_and_never_pulled() -> None:
    for service in SERVICES.values():
        assert service["pull_policy"] == "never"
        assert (REPOSITORY / service["build"]["dockerfile"]).is_file()
        name = service["build"]["dockerfile"].split("/")[1]
        assert service["image"] == f"${{REGISTRY:-crypto-lakehouse}}/{name}:${{TAG:-latest}}"


def test_secrets_are_mounted_where_they_are_needed_and_nowhere_else() -> None:
    holders: dict[str, set[str]] = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            holders.setdefault(volume.split(":")[0], set()).add(name)
    assert holders["login"] == {"secrets", "api-server"}
    assert holders["database-secrets"] == {"secrets", "database"}
    assert holders["archive-key"] == {"secrets", "store", "demo"}
    assert holders["reader-key"] == {"secrets", "store", "api-server"}
    assert holders["lake-key"] == {"secrets", "store", "glue", "scheduler", "cli"}
    assert holders["airflow-secrets"] == {
        *("secrets", "migrate", "api-server", "scheduler", "dag-processor", "triggerer")
    }
    assert not re.search(r"(PASSWORD|SECRET|KEY)[A-Z_]*: (?!cat /|/secrets/)", TEXT)
