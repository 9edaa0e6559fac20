"""One contender in one process: it converts archive zips, and says how long that took and how much memory it held.

Every contender (ours, the peers, the baselines) is a function from a `Job` to an `Outcome`. Its module calls `main`,
so that each measurement is a process of its own, in the environment the contender needs. Standard library only: the
peers' environment has nothing of ours.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Job:
    """Zips to convert: keys below `archive`, which is laid out as the bucket; results go below `out`."""

    archive: Path
    keys: tuple[str, ...]
    out: Path

    @property
    def paths(self) -> list[Path]:
        return [self.archive / key for key in self.keys]


@dataclass
class Outcome:
    """Files written, and what the contender had to complain of."""

    files: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


Convert = Callable[[Job], Outcome]


def peak_mb() -> float:
    """Returns the most memory this process held. Not `ru_maxrss`, which a child inherits from its parent."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    raise RuntimeError("the kernel does not say how much memory this process held")


def measured(convert: Convert, job: Job, repeats: int) -> dict[str, Any]:
    """Returns seconds of each repeat, the peak, and the rows of the first; files are read and removed outside of it.

    Raises:
        RuntimeError: The contender complained: what it did is no measure of the whole work.
    """
    before, seconds, made = peak_mb(), [], []
    for number in range(repeats):
        mine = Job(job.archive, job.keys, job.out / str(number))
        mine.out.mkdir(parents=True)
        started = time.perf_counter()
        outcome = convert(mine)
        seconds.append(round(time.perf_counter() - started, 4))
        if outcome.complaints:
            raise RuntimeError(f"{len(outcome.complaints)} complaints, the first: {outcome.complaints[0]}")
        if number:
            shutil.rmtree(mine.out)
        else:
            made = outcome.files
    # The peak is read before the files are: only what the contender itself held counts.
    return {"seconds": seconds, "peak_mb": peak_mb(), "imported_mb": before, "rows": rows_in(made)}


def rows_in(files: Iterable[str]) -> int:
    """Returns the rows that really lie in the Parquet files."""
    from pyarrow.parquet import read_metadata

    return sum(read_metadata(one).num_rows for one in files)


def judged(convert: Convert, job: Job) -> dict[str, Any]:
    """Returns what the contender made of each file alone: files and complaints, or what it raised."""
    return {key: vars(_judged_one(convert, job, number)) for number, key in enumerate(job.keys)}


def _judged_one(convert: Convert, job: Job, number: int) -> Outcome:
    mine = Job(job.archive, (job.keys[number],), job.out / str(number))
    mine.out.mkdir(parents=True)
    try:
        return convert(mine)
    # Whatever a contender raises is its answer; this is where it is written down.
    except Exception as error:
        return Outcome(complaints=[f"{type(error).__name__}: {error}"])


def main(prepare: Mapping[str, Callable[[], Convert]]) -> None:
    """Runs `SCRIPT NAME measure|judge JOB.json` and prints one line of JSON, the last of its output."""
    name, task, job_file = sys.argv[1:]
    order = json.loads(Path(job_file).read_text())
    job = Job(Path(order["archive"]), tuple(order["keys"]), Path(order["out"]))
    convert = prepare[name]()
    said = measured(convert, job, order["repeats"]) if task == "measure" else judged(convert, job)
    print(json.dumps(said))
