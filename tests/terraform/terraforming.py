"""The Terraform tree, copied and run against moto's server with the provider that lies on this machine.

In the copy override files make the provider speak path-style to one endpoint, and keep it from putting right for ever
what the stand-in forgets (`MOTO_FORGETS`). Nothing else differs from what users apply but the variables in `MOTO_LACKS`
and one header that `stand_in` adds.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
TREE = PROJECT / "terraform"
STATE_BUCKET = "states-of-tests"

MOTO_LACKS: dict[str, tuple[object, str]] = {
    "glue_partition_indexes": (False, "CreatePartitionIndex: not implemented"),
    "dns_allow_list": (False, "Route 53 Resolver: no DNS firewall"),
    "monthly_budget_usd": (None, "Budgets: DescribeSubscribersForNotification"),
}
"""Variables that leave out what the stand-in cannot do: value and what is missing. It can be planned, not applied."""

MOTO_FORGETS: tuple[tuple[str, str, str, str], ...] = (
    ("modules/bucket", "aws_s3_bucket_notification", "this", "eventbridge"),
    (".", "aws_s3_bucket_replication_configuration", "lake", "rule"),
    ("modules/network", "aws_vpc_security_group_egress_rule", "isolated_s3", "description"),
    ("modules/network", "aws_vpc_security_group_egress_rule", "isolated_endpoints", "description"),
)
"""Attributes that the stand-in takes and does not give back: module, type of resource, its name, attribute."""

_OVERRIDE = """
provider "aws" {
  s3_use_path_style = true
}

provider "aws" {
  alias             = "replica"
  s3_use_path_style = true
}
"""


@dataclass(frozen=True)
class Tools:
    """Where Terraform and a folder of its providers are."""

    terraform: Path
    plugins: Path


def find_tools() -> Tools | str:
    """Returns the tools of this machine, or the reason why there are none."""
    terraform = shutil.which("terraform")
    if terraform is None:
        return "there is no terraform on this machine"
    named = [os.environ[name] for name in ("TF_PLUGIN_DIR", "TF_PLUGIN_CACHE_DIR") if os.environ.get(name)]
    usual = (Path.home() / ".terraform.d" / "plugins", Path("/usr/share/terraform/plugins"), *Path("/opt").glob("*"))
    for folder in (*map(Path, named), *usual):
        if any(folder.glob("registry.terraform.io/hashicorp/aws/5.100.*/*/terraform-provider-aws*")):
            return Tools(Path(terraform), folder)
    return "the AWS provider 5.100 lies in no folder that is looked into: name its mirror in TF_PLUGIN_DIR"


@dataclass(frozen=True)
class Applied:
    """What a run of Terraform said."""

    code: int
    text: str

    @property
    def ok(self) -> bool:
        return self.code == 0


@dataclass(frozen=True)
class Workspace:
    """A copy of the tree that is applied to a stand-in."""

    tools: Tools
    folder: Path
    endpoint: str
    variables: Mapping[str, object]

    def run(self, *arguments: str) -> Applied:
        """Runs Terraform without asking anything."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "TF_", "CRYPTO_LAKEHOUSE"))
        }
        environment |= {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EC2_METADATA_DISABLED": "true",
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "AWS_MAX_ATTEMPTS": "2",
        }
        done = subprocess.run(
            [self.tools.terraform, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Applied(done.returncode, done.stdout + done.stderr)

    def below(self, folder: str) -> "Workspace":
        """Returns another root of the same copy."""
        return replace(self, folder=self.folder / folder)

    def undiminished(self) -> "Workspace":
        """Returns the same copy with what the stand-in lacks: that can be planned, as a plan asks for little."""
        left = {name: value for name, value in self.variables.items() if name not in MOTO_LACKS}
        return replace(self, variables=left)

    def with_local_state(self) -> "Workspace":
        """Returns the same copy, ready, its state beside it."""
        (self.folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        started = self.init()
        assert started.ok, started.text
        return self

    def init(self, *arguments: str) -> Applied:
        return self.run("init", "-input=false", "-no-color", f"-plugin-dir={self.tools.plugins}", *arguments)

    def plan(self) -> Applied:
        """Code 0 where nothing would change, 2 where something would."""
        return self.run("plan", "-input=false", "-no-color", "-detailed-exitcode", *self._chosen())

    def planned(self) -> dict[str, dict[str, Any]]:
        """Returns what would be made, by address: its values, where they are known before."""
        said = self.run("plan", "-input=false", "-no-color", "-out=test.tfplan", *self._chosen())
        assert said.ok, said.text[-3000:]
        changes = json.loads(self.run("show", "-json", "test.tfplan").text)["resource_changes"]
        return {one["address"]: one["change"]["after"] for one in changes if one["change"]["actions"] == ["create"]}

    def apply(self) -> Applied:
        return self.run("apply", "-input=false", "-no-color", "-auto-approve", *self._chosen())

    def destroy(self) -> Applied:
        return self.run("destroy", "-input=false", "-no-color", "-auto-approve", *self._chosen())

    def output(self, name: str) -> Any:
        said = self.run("output", "-json", name)
        assert said.ok, said.text
        return json.loads(said.text)

    def _chosen(self) -> list[str]:
        path = self.folder / "test.tfvars.json"
        path.write_text(json.dumps(dict(self.variables)))
        return [f"-var-file=environments/{self.variables['environment']}.tfvars", f"-var-file={path.name}"]


def workspace(tools: Tools, folder: Path, endpoint: str, **variables: object) -> Workspace:
    """Copies the tree into a folder, so that nothing is left beside the sources."""
    copy = folder / "terraform"
    shutil.copytree(TREE, copy, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    lacking = {name: value for name, (value, _) in MOTO_LACKS.items()}
    (copy / "provider_override.tf").write_text(_OVERRIDE)
    for number, (module, kind, name, attribute) in enumerate(MOTO_FORGETS):
        ignored = f'resource "{kind}" "{name}" {{\n  lifecycle {{\n    ignore_changes = [{attribute}]\n  }}\n}}\n'
        (copy / module / f"moto{number}_override.tf").write_text(ignored)
    return Workspace(tools, copy, endpoint, {**lacking, **variables})
