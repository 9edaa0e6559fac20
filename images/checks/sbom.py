"""Writes what is installed in each image as CycloneDX: `python sbom.py REGISTRY/NAME:TAG...`, into `sbom/`.

Names and versions are asked of the image itself, hashes come from its lock; a count that differs is a failure. What the
base brings, Debian's packages and Python, is listed beside it.
"""

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from locks import entries, lock_of, name_and_version

OURS = "crypto-lakehouse"
ASK = """
import json, platform, re, subprocess
from importlib.metadata import distributions
ours = [one for one in distributions() if "/opt/" in str(one.locate_file(""))]
ask = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${Architecture}\\n"]
print(json.dumps({
    "installed": [[re.sub("[-_.]+", "-", one.name).lower(), one.version] for one in ours],
    "debian": [line.split() for line in subprocess.check_output(ask, text=True).splitlines()],
    "python": platform.python_version(),
}))
"""


def main(images: list[str]) -> int:
    """Writes one file per image; returns the exit code."""
    Path("sbom").mkdir(exist_ok=True)
    return max(write(image) for image in images)


def write(image: str) -> int:
    """Writes the file of one image; returns the exit code."""
    name = image.rpartition("/")[2].partition(":")[0]
    asked = json.loads(
        _output("docker", "run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c", ASK)
    )
    installed = {(one, version) for one, version in asked["installed"]}
    lock = lock_of(name)
    # What installs nothing of Python's has no lock.
    locked = {name_and_version(entry): entry for entry in (entries(lock) if lock.exists() else ())}
    lines = [_entry(pin, entry) for pin, entry in locked.items() if pin in installed]
    own = [f"{one}=={version}" for one, version in installed if one == OURS]
    target = Path("sbom") / f"{name}.cdx.json"
    program = str(Path(sys.executable).parent / "cyclonedx-py")
    text = _output(program, "requirements", "--output-reproducible", "-", stdin="\n".join([*lines, *own]) + "\n")
    bill = json.loads(text)
    found = len(bill.setdefault("components", []))
    bill["components"] += [_of_base("generic", "python", asked["python"])]
    bill["components"] += [_of_base("deb/debian", one, version, arch) for one, version, arch in asked["debian"]]
    target.write_text(json.dumps(bill, indent=2) + "\n", encoding="utf-8")
    counts = f"{len(installed)} installed, {len(locked)} locked, {len(asked['debian'])} of Debian"
    print(f"{target}: {found} components, {counts}")
    return 0 if found == len(installed) else 1


def _of_base(kind: str, name: str, version: str, arch: str = "") -> dict[str, str]:
    purl = f"pkg:{kind}/{quote(name)}@{quote(version)}" + (f"?arch={arch}" if arch else "")
    return {"bom-ref": purl, "type": "library", "name": name, "version": version, "purl": purl}


def _entry(pin: tuple[str, str], entry: str) -> str:
    hashes = [word for word in entry.split() if word.startswith("--hash=")]
    return " ".join(["==".join(pin), *hashes])


def _output(*command: str, stdin: str = "") -> str:
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603  a list, our own words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
