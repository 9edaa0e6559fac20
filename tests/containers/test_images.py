"""What the images are: small, of no rights, labelled, of the locked versions, and without a word of who built them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.containers.engine import (
    BASE,
    IMAGES,
    OTHER_IMAGES,
    REPOSITORY,
    STRICT,
    Engine,
    build_arguments,
    dockerfile,
    image,
)

pytestmark = [pytest.mark.containers, pytest.mark.timeout(3600)]

ALL_IMAGES = (*IMAGES, *OTHER_IMAGES)
BUDGET_LABEL = "crypto-lakehouse.budget-mb"
CANARY = "canary-71c0"
INSTALLED = """
import json, re
from importlib.metadata import distributions
ours = [one for one in distributions() if "/opt/" in str(one.locate_file(""))]
print(json.dumps({re.sub("[-_.]+", "-", one.name).lower(): one.version for one in ours}))
"""


@pytest.mark.parametrize("name", ALL_IMAGES)
def test_an_image_keeps_to_its_budget(name: str, images: Engine) -> None:
    found = images.inspect(image(name))
    over = (found["Size"] - images.inspect(os.environ.get("BASE_IMAGE", BASE))["Size"]) / 1e6
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
    wanted = {"title", "description", "licenses", "version", "revision"}
    assert wanted == {label.rpartition(".")[2] for label in config["Labels"] if label.startswith("org.opencontainers")}
    assert config["Healthcheck"] == {"Test": ["NONE"]}
    assert not [one for one in config["Env"] if re.search("SECRET|TOKEN|PASSWORD|INDEX|_KEY", one)]


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
    assert {one: version for one, version in pinned.items() if one in tested and tested[one] != version} == {}


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
