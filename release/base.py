"""Refuses to release on a base image that can change: `python base.py IMAGE`.

A tag is moved by whoever owns it; what is tested, published and attested must be one base, which a digest names.
"""

import re
import sys


def main(image: str = "") -> int:
    """Returns the exit code: 1 where the base has no digest."""
    if re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", image):
        return 0
    print(f"cannot be released: the base is {image or 'none'}, give BASE_IMAGE=NAME:TAG@sha256:DIGEST", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
