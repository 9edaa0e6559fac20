"""Fetches the AWS provider that the tests apply with, unless it is here: `python -m tests.terraform.provider`."""

import os
import subprocess
import sys
from pathlib import Path

from tests.terraform.terraforming import find_tools

PROJECT = Path(__file__).parents[2]


def main() -> int:
    found = find_tools()
    if not isinstance(found, str):
        print(f"the provider is in {found.plugins}")
        return 0
    # A cache has the layout in which the tests look for it; ~/.terraform.d/plugins is where they look first.
    cache = Path.home() / ".terraform.d" / "plugins"
    cache.mkdir(parents=True, exist_ok=True)
    command = ["terraform", "-chdir=terraform", "init", "-backend=false", "-input=false"]
    environment = {**os.environ, "TF_PLUGIN_CACHE_DIR": str(cache)}
    code = subprocess.run(command, cwd=PROJECT, env=environment, check=False).returncode
    if code == 0 and isinstance(missing := find_tools(), str):
        print(missing, file=sys.stderr)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
