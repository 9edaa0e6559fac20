"""Ours as a contender: what the conform step does with its inputs, and the sha256 that a pull verifies."""

import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(_ROOT)]

from tests.bench.contender import Convert, Job, Outcome, main  # noqa: E402  it is run as a script

NAME = "crypto-lakehouse"


def conform_job() -> Convert:
    """Returns conform over the partitions that the job's keys cover."""
    from crypto_lakehouse.archive.keys import ArchiveKey, parse_key
    from crypto_lakehouse.lake.partition import Partition, partitions_between
    from crypto_lakehouse.settings import ConformSettings
    from crypto_lakehouse.silver.conform import conform
    from tests.archive_builder import input_at

    def known(text: str) -> ArchiveKey:
        key = parse_key(text)
        if key is None:
            raise ValueError(f"{text} is not an archive key")
        return key

    def partitions(keys: list[ArchiveKey]) -> list[Partition]:
        found = {
            one.name: one
            for key in keys
            for one in partitions_between(key.dataset, key.symbol, key.first_day, key.last_day, key.interval)
        }
        return list(found.values())

    def convert(job: Job) -> Outcome:
        keys = [known(one) for one in job.keys]
        inputs = [input_at(key, path) for key, path in zip(keys, job.paths, strict=True)]
        made = conform(keys[0].dataset, partitions(keys), inputs, job.out, ConformSettings())
        refused = [f"{one.key}: {one.error}: {one.reason}" for one in made.refused]
        files = [str(one.file) for one in made.partitions if one.file]
        return Outcome(files, refused)

    return convert


OURS = {NAME: conform_job}

if __name__ == "__main__":
    main(OURS)
