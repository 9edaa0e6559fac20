"""What the images are: small, of no rights, labelled, of the locked versions, and without a word of who built them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from crypto_lakehouse import __version__
from tests.containers.engine import (
    BASE,
    IMAGES,
    OTHER_IMAGES,
    PREFIX,
    REPOSITORY,
    STRICT,
    Engine,
    build_arguments,
    dockerfile,
    image,
)
from tests.release.tools import tool

pytestmark = [pytest.mark.containers, pytest.mark.timeout(7200)]

OCI = "org.opencontainers.image."
ALL_IMAGES = (*IMAGES, *OTHER_IMAGES)
BUDGET_LABEL = "crypto-lakehouse.budget-mb"
HASH = re.compile("[0-9a-f]{64}")
CANARY = "canary-71c0"
INSTALLED = """
import json, re
from importlib.metadata import distributions
ours = [distribution for distribution in distributions() if "/opt/" in str(distribution.locate_file(""))]
print(json.dumps({re.sub("[-_.]+", "-", distribution.name).lower(): distribution.version for distribution in ours}))
"""


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_an_image_keeps_to_its_budget(name: str, images: Engine) -> None:
    found = images.inspect(image(name))
    over = (found["Size"] - images.inspect(BASE)["Size"]) / 1e6
    budget = float(found["Config"]["Labels"][BUDGET_LABEL])
    print(f"{name}: {over:.1f} MB over its base, of {budget:g}")
    assert 0 < over <= budget


def test_the_budgets_are_those_that_were_promised(images: Engine) -> None:
    budgets = {name: int(images.inspect(image(name))["Config"]["Labels"][BUDGET_LABEL]) for name in IMAGES}
    assert (budgets["s5cmd"], budgets["polars"]) == (40, 400)


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_an_image_runs_as_nobody_and_says_what_it_is(name: str, images: Engine) -> None:
    config = images.inspect(image(name))["Config"]
    assert config["User"] == "10001:10001"
    said = {key.removeprefix(OCI): value for key, value in config["Labels"].items() if key.startswith(OCI)}
    assert set(said) == {"title", "description", "licenses", "version", "revision", "created", "source", "base.name"}
    assert (said["version"], said["base.name"]) == (__version__, BASE)
    assert config["Healthcheck"]["Test"][0] == ("CMD" if name == "airflow" else "NONE")
    assert not [variable for variable in config["Env"] if re.search("SECRET|TOKEN|PASSWORD|INDEX|_KEY", variable)]


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_nothing_can_be_written_but_scratch_space_and_no_right_is_left(name: str, images: Engine) -> None:
    code = (
        "import os, pathlib, socket\n"
        "print(os.getuid(), pathlib.Path('/proc/self/status').read_text().split('CapEff:')[1].split()[0])\n"
        "pathlib.Path('/work/x').write_text('x')\n"
        "try: pathlib.Path('/opt/x').write_text('x')\n"
        "except OSError as error: print(error.errno)\n"
        "try: socket.create_connection(('192.0.2.1', 80), 1)\n"
        "except OSError as error: print(error.errno)\n"
    )
    done = images.run("run", "--rm", *STRICT, "--network", "none", "--entrypoint", "python3", image(name), "-c", code)
    assert done.stdout.split() == ["10001", "0" * 16, "30", "101"]


LOADS = {
    "s5cmd": "structlog, crypto_lakehouse.lake.s3, crypto_lakehouse.steps.pull",
    "polars": "crypto_lakehouse.steps.conform, crypto_lakehouse.steps.publish",
    "quality": "crypto_lakehouse.steps.gate",
    "exchange": "crypto_lakehouse.steps.delta",
    "cli": "crypto_lakehouse.query, crypto_lakehouse.catalog.glue",
    "airflow": "airflow.sdk, lakehouse_airflow.operators, lakehouse_airflow.runners.choosing",
}


def compiled_at_start(engine: Engine, name: str, *options: str) -> list[str]:
    """Returns the files that Python had to compile in order to load what a step loads."""
    python = ("--network", "none", "--entrypoint", "python3", image(name), "-v", *options)
    done = engine.run("run", "--rm", *STRICT, *python, "-c", f"import {LOADS[name]}")
    assert done.returncode == 0, done.stderr[-2000:]
    return re.findall(r"^# code object from (/.*\.py)$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("name", LOADS)
def test_a_start_compiles_nothing(name: str, images: Engine) -> None:
    assert compiled_at_start(images, name) == []


def test_control_a_start_without_bytecode_is_seen(images: Engine) -> None:
    assert len(compiled_at_start(images, "s5cmd", "-X", "pycache_prefix=/nowhere")) > 100


@pytest.mark.parametrize("name", [name for name in IMAGES if name not in {"airflow", "glue"}])
def test_a_volume_at_the_scratch_space_is_the_user_s(name: str, images: Engine) -> None:
    # Fargate has no tmpfs here but a volume, and takes its rights from what the image declares.
    assert images.inspect(image(name))["Config"]["Volumes"] == {"/work": {}}
    code = "import pathlib; pathlib.Path('/work/x').write_text('x'); print(pathlib.Path('/work').is_mount())"
    read_only = ("--read-only", "--cap-drop=ALL", "--user", "10001:10001", "--network", "none")
    done = images.run("run", "--rm", *read_only, "--entrypoint", "python", image(name), "-c", code)
    assert done.stdout.split() == ["True"]


@pytest.mark.parametrize("name", IMAGES)
def test_what_is_installed_is_what_is_locked(name: str, images: Engine) -> None:
    done = images.run("run", "--rm", *STRICT, "--entrypoint", "python", image(name), "-c", INSTALLED)
    installed = json.loads(done.stdout)
    assert installed.pop("crypto-lakehouse")
    locked = set(re.findall(r"^([a-z0-9-]+)==(\S+)", lock(name), re.MULTILINE))
    assert set(installed.items()) <= locked
    unconditional = set(re.findall(r"^([a-z0-9-]+)==\S+ \\$", lock(name), re.MULTILINE))
    assert unconditional <= set(installed)


@pytest.mark.parametrize("name", (*IMAGES, "store"))
def test_a_lock_names_hashes_and_no_address(name: str) -> None:
    pins = re.findall(r"^[a-z0-9-]+==", lock(name), re.MULTILINE)
    assert pins
    assert len(re.findall(r"\\\n    --hash=sha256:", lock(name))) >= len(pins)
    assert "://" not in lock(name)


@pytest.mark.parametrize("name", (*IMAGES, "store"))
def test_an_image_holds_the_versions_that_the_tests_ran_with(name: str) -> None:
    tested = dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE))
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", lock(name), re.MULTILINE))
    assert {package: pinned[package] for package in pinned.keys() & tested if pinned[package] != tested[package]} == {}


def write_bill(folder: Path, client: str, named: str) -> "subprocess.CompletedProcess[str]":
    command = [tool("python"), str(REPOSITORY / "images" / "checks" / "sbom.py"), named]
    environment = {**os.environ, "PATH": f"{Path(client).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_the_bill_of_materials_names_all_that_is_installed(name: str, images: Engine, tmp_path: Path) -> None:
    done = write_bill(tmp_path, images.client, image(name))
    assert done.returncode == 0, done.stdout + done.stderr
    components = json.loads((tmp_path / "sbom" / f"{name}.cdx.json").read_text())["components"]
    said = images.run("run", "--rm", *STRICT, "--entrypoint", "python3", image(name), "-c", INSTALLED).stdout
    ours = [component for component in components if not component["purl"].startswith(("pkg:deb", "pkg:generic"))]
    assert {(component["name"], component["version"]) for component in ours} == set(json.loads(said).items())
    hashed = [component for component in ours if HASH.search(json.dumps(component))]
    assert len(hashed) == len(ours) - (name in IMAGES), "all but our own"
    debian = images.run("run", "--rm", "--entrypoint", "dpkg-query", image(name), "--show").stdout.splitlines()
    assert len(components) == len(ours) + len(debian) + 1, "and Python"


def test_an_image_with_more_than_its_lock_has_no_bill(images: Engine, tmp_path: Path) -> None:
    other = f"{PREFIX}-control/s5cmd:test"
    images.run("tag", image("polars"), other)
    done = write_bill(tmp_path, images.client, other)
    images.run("rmi", other)
    assert done.returncode == 1, done.stdout + done.stderr


def lock(name: str) -> str:
    return (REPOSITORY / "images" / name / "requirements.txt").read_text(encoding="utf-8")


def test_a_mirror_s_configuration_reaches_pip_and_no_layer(images: Engine, tmp_path: Path) -> None:
    secret, tag = tmp_path / "pip.conf", f"{image('s5cmd')}-canary"
    more = (*build_arguments(), "--no-cache", "--secret", f"id=pip,src={secret}")
    secret.write_text(f"[global]\ntimeout = {CANARY}\n")
    refused = images.build(tag, dockerfile("s5cmd"), REPOSITORY, *more)
    assert refused.returncode != 0
    assert CANARY in refused.stderr, "the control: pip read the configuration"
    secret.write_text(f"[global]\ntimeout = 100\n# {CANARY}\n")
    done = images.build(tag, dockerfile("s5cmd"), REPOSITORY, *more)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not holds_canary(images, tag)
    (tmp_path / "Dockerfile").write_text(f"FROM {tag}\nUSER 0\nRUN echo {CANARY} > /tmp/x\nRUN rm /tmp/x\n")
    assert images.build(f"{tag}-control", str(tmp_path / "Dockerfile"), tmp_path).returncode == 0
    assert holds_canary(images, f"{tag}-control"), "the control: a layer's file is found after its removal"
    images.run("rmi", f"{tag}-control", tag)


def holds_canary(engine: Engine, tag: str) -> bool:
    with subprocess.Popen([engine.client, "save", tag], stdout=subprocess.PIPE) as process:
        assert process.stdout
        tail, is_found = b"", False
        while block := process.stdout.read(1 << 20):
            is_found |= CANARY.encode() in tail + block
            tail = block[-len(CANARY) :]
    assert process.returncode == 0
    return is_found
