"""Signs what was pushed, and attests what it holds: `python sign.py [--dry-run]`.

Each digest of `dist/images.sha256` is signed by cosign without a key, as the identity of the workflow that runs this,
and gets its bill of materials from `sbom/` as an attestation. Nothing is signed where one of these files is missing.
`--dry-run` prints the commands instead.
"""

import shlex
import subprocess
import sys
from pathlib import Path

DIGESTS, BILLS = Path("dist", "images.sha256"), Path("sbom")


def main(*words: str) -> int:
    """Signs and attests each image; returns the exit code of the first command that failed, or 0."""
    if not DIGESTS.is_file():
        print(f"{DIGESTS} is not here: `make images-push` writes it", file=sys.stderr)
        return 2
    commands = [one for line in DIGESTS.read_text(encoding="utf-8").splitlines() for one in commands_for(line)]
    bills = [word for command in commands for word in command if word.endswith(".cdx.json")]
    missing = [bill for bill in bills if not Path(bill).is_file()]
    if missing or not commands:
        print(f"not signed: {', '.join(missing) or 'no digest'} is missing: `make images-sbom`", file=sys.stderr)
        return 2
    for command in commands:
        print(shlex.join(command), flush=True)
        if "--dry-run" not in words and (code := subprocess.run(command, check=False).returncode):  # noqa: S603  a list, our own words
            return code
    return 0


def commands_for(line: str) -> list[list[str]]:
    """Returns the commands for a line of the digests."""
    digest, repository = line.split()
    reference = f"{repository}@sha256:{digest}"
    bill = BILLS / f"{repository.rpartition('/')[2]}.cdx.json"
    return [
        ["cosign", "sign", "--yes", reference],
        ["cosign", "attest", "--yes", "--type", "cyclonedx", "--predicate", str(bill), reference],
    ]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
