"""Tells by its exit code whether a part of Airflow is well: `python healthy.py PART [URL]`.

PART is one of the API server's own words: metadatabase, scheduler, dag_processor, triggerer. Each writes a heartbeat
into the database; the API server tells how old it is. `airflow jobs check` says the same and takes a core for seconds.
"""

import json
import sys
import urllib.request

HEALTH = "http://api-server:8080/api/v2/monitor/health"


def main(part: str, url: str = HEALTH) -> int:
    """Returns 0 where the part is well."""
    with urllib.request.urlopen(url, timeout=8) as answer:  # noqa: S310  an address of the stack
        state = json.load(answer)[part]
    print(state)
    return 0 if state["status"] == "healthy" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
