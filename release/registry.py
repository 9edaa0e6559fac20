"""Pushes images and remembers their digests: `python registry.py login REGISTRY`, `python registry.py push IMAGE...`.

`push` writes `dist/images.sha256`, a line per image with the digest that the registry gave and the image's name without
its tag: what is signed and attested afterwards is a digest, since a tag can be moved. `login` takes REGISTRY_USER and
REGISTRY_PASSWORD from the environment.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

DIGESTS = Path("dist", "images.sha256")


def main(verb: str, *words: str) -> int:
    """Carries out one of the two; returns the exit code."""
    return login(words[0]) if verb == "login" else push(list(words))


def login(registry: str) -> int:
    """Logs in to the host of a registry; the password goes through a pipe, where no list of processes shows it."""
    user, password = os.environ.get("REGISTRY_USER"), os.environ.get("REGISTRY_PASSWORD")
    host, slash, _ = registry.partition("/")
    if not user or not password or not slash:
        print("give REGISTRY=HOST/PATH, and REGISTRY_USER and REGISTRY_PASSWORD in the environment", file=sys.stderr)
        return 2
    command = ["docker", "login", "--username", user, "--password-stdin", host]
    return subprocess.run(command, input=password, text=True, check=False).returncode  # noqa: S603  a list, our own words


def push(images: list[str]) -> int:
    """Pushes each image and writes the digests; nothing is written where one could not be pushed."""
    DIGESTS.unlink(missing_ok=True)
    for image in images:
        if code := subprocess.run(["docker", "push", "--quiet", image], check=False).returncode:  # noqa: S603, S607  a list, our own words
            print(f"{image} was not pushed", file=sys.stderr)
            return code
    digests = {image: _digest(image) for image in images}
    if unknown := [image for image, digest in digests.items() if not digest]:
        print(f"pushed, but the engine knows no digest of it: {', '.join(unknown)}", file=sys.stderr)
        return 1
    DIGESTS.parent.mkdir(exist_ok=True)
    lines = [f"{digest}  {_repository(image)}\n" for image, digest in digests.items()]
    DIGESTS.write_text("".join(lines), encoding="utf-8")
    print(DIGESTS.read_text(encoding="utf-8"), end="")
    return 0


def _digest(image: str) -> str | None:
    command = ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", image]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout  # noqa: S603  a list, our own words
    names = dict(one.split("@sha256:") for one in json.loads(said))
    return names.get(_familiar(_repository(image)))


def _familiar(repository: str) -> str:
    """Returns a name as the engine lists it: without the host that it takes where none is named."""
    host, _, rest = repository.partition("/")
    return rest.removeprefix("library/") if host in {"docker.io", "index.docker.io"} else repository


def _repository(image: str) -> str:
    return image.rpartition(":")[0]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
