"""Runs the command line: `python -m crypto_lakehouse.cli`."""

import sys

from crypto_lakehouse.cli import main

if __name__ == "__main__":
    sys.exit(main())
