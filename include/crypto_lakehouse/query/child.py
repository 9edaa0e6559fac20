"""The process that runs queries: `python -m crypto_lakehouse.query.child REQUESTS ANSWERS`, with two descriptors.

A query runs in a thread, and the main thread waits for the next query. So the process ends as soon as its parent does.
"""

import json
import os
import pickle
import resource
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from crypto_lakehouse.errors import InvalidRequest, LakehouseError
from crypto_lakehouse.query.limits import QueryLimits, too_large_result, too_much_memory
from crypto_lakehouse.query.question import END, ERROR, READY, ROWS, TAKEN, Question
from crypto_lakehouse.query.session import answer
from crypto_lakehouse.query.transfer import encoded

_MIB = 2**20
_SPARE_MIB = 256
"""Memory that the limit of the engine does not count: stacks, allocators, batches on their way."""
_SPARE_CPU_SECONDS = 30


def main(requests: Connection, answers: Connection) -> None:
    """Answers one query after the other until the parent closes its end."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers.send_bytes(READY)
    while True:
        try:
            request = requests.recv_bytes()
        except EOFError:
            # A query may still run, but nobody waits for its answer.
            os._exit(0)
        # We trust the parent. It does not trust us: what it gets is Arrow and JSON.
        question: Question = pickle.loads(request)  # noqa: S301
        answers.send_bytes(TAKEN)
        threading.Thread(target=_answer, args=(question, answers), daemon=True).start()


def _answer(question: Question, answers: Connection) -> None:
    try:
        _bound(question.limits)
        truncated = _send_rows(question, answers)
    except LakehouseError as error:
        _send_error(error, answers)
    except MemoryError:
        _send_error(too_much_memory(question.limits), answers)
    # Without an answer, the parent would wait until the deadline.
    except Exception as error:
        what = f"the result of the query cannot be returned: {type(error).__name__}"
        _send_error(InvalidRequest(what, "Cast its columns to simpler types, for example to VARCHAR"), answers)
    else:
        answers.send_bytes(END + json.dumps(truncated).encode())


def _send_rows(question: Question, answers: Connection) -> bool:
    """Sends the rows; returns whether some were cut off."""
    limits = question.limits
    rows, left = 0, limits.max_result_mib * _MIB
    for batch in answer(question.text, question.views, limits):
        kept = batch.slice(0, limits.max_rows - rows)
        rows += batch.num_rows
        left -= kept.nbytes
        if left < 0:
            raise too_large_result(limits)
        answers.send_bytes(ROWS + encoded(kept))
        if rows > limits.max_rows:
            return True
    return False


def _send_error(error: LakehouseError, answers: Connection) -> None:
    answers.send_bytes(ERROR + json.dumps([type(error).__name__, error.what, error.advice]).encode())


def _bound(limits: QueryLimits) -> None:
    """Bounds what a query may use beyond what the process has used so far."""
    memory = _writable_bytes() + (limits.memory_mib + _SPARE_MIB) * _MIB
    resource.setrlimit(resource.RLIMIT_DATA, (memory, resource.RLIM_INFINITY))
    # Nothing is written to disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    # The parent ends the process at the deadline. This limit holds without a parent, too.
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime + limits.timeout_seconds * (os.cpu_count() or 1) + _SPARE_CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), resource.RLIM_INFINITY))


def _writable_bytes() -> int:
    """Returns the bytes that count towards RLIMIT_DATA, where the system knows them."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
    return int(lines["VmData"].split()[0]) * 1024


if __name__ == "__main__":
    main(Connection(int(sys.argv[1]), writable=False), Connection(int(sys.argv[2]), readable=False))
