"""Runs queries in child processes, so that their limits hold for every query.

The engine looks at its own limits now and then: not within a function, a plan or the parser, and not at all memory. So
a query runs in a process whose memory the kernel bounds. It is killed at the deadline, and it ends with us.
"""

import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection

import polars as pl
import pyarrow as pa

from crypto_lakehouse.errors import InvalidRequest, LakehouseError, SourceUnavailable
from crypto_lakehouse.query.limits import QueryLimits, QueryResult, too_large_result, too_late, too_much_memory
from crypto_lakehouse.query.question import ERROR, ROWS, TAKEN, Question
from crypto_lakehouse.query.transfer import decoded, unknown_type

_START_SECONDS, _END_SECONDS = 60.0, 5.0
_MIB = 2**20
_KINDS = {kind.__name__: kind for kind in (InvalidRequest, SourceUnavailable)}
_VARIABLES = ("LANG", "LC_ALL", "TZ")
"""The variables of our environment that a process of a query gets. Others may be secrets."""
_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_S3_VARIABLES = ("HOME", "SSL_CERT_FILE", *_PROXY_VARIABLES, *(name.lower() for name in _PROXY_VARIABLES))
"""Further variables for a lake in S3, besides those that start with AWS_: the process reads the lake with our role."""


class _NotTaken(SourceUnavailable):
    """The process ended before it took the query: the query is not at fault."""


class QueryEngine:
    """Runs queries, each in a process. A process whose query has ended runs the next one, which saves its start.

    Args:
        reads_s3: Whether the lake is in S3. Then a process gets the variables of the AWS credential chain.
    """

    def __init__(self, *, reads_s3: bool) -> None:
        self._reads_s3 = reads_s3
        self._idle: list[_QueryProcess] = []
        self._owner = os.getpid()
        weakref.finalize(self, _end, self._idle)

    def run(self, question: Question) -> QueryResult:
        """Returns the rows of a query.

        Raises:
            InvalidRequest: The statement is not valid, or exceeds its limits.
            SourceUnavailable: A file could not be read, or the process did not start.
        """
        try:
            return self._ask(self._process(), question)
        except _NotTaken:
            # For example, the kernel killed it while it was idle.
            return self._ask(self._new_process(), question)

    def _ask(self, process: "_QueryProcess", question: Question) -> QueryResult:
        try:
            return process.ask(question)
        finally:
            if process.is_free and not self._idle:
                self._idle.append(process)
            else:
                process.end()

    def _process(self) -> "_QueryProcess":
        if self._owner != os.getpid():
            # After a fork, the idle processes belong to the parent.
            self._owner = os.getpid()
            self._idle.clear()
        with suppress(IndexError):
            process = self._idle.pop()
            if process.is_alive:
                return process
            process.end()
        return self._new_process()

    def _new_process(self) -> "_QueryProcess":
        return _QueryProcess(_environment(reads_s3=self._reads_s3))


def _end(processes: "list[_QueryProcess]") -> None:
    for process in processes:
        process.end()


def _environment(*, reads_s3: bool) -> dict[str, str]:
    names = {*_VARIABLES, *(_S3_VARIABLES if reads_s3 else ())}
    kept = {
        name: value for name, value in os.environ.items() if name in names or (reads_s3 and name.startswith("AWS_"))
    }
    # The packages that we have, but nothing of the current folder.
    return {**kept, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


class _QueryProcess:
    """A process that runs one query at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        (their_requests, requests), (answers, their_answers) = os.pipe(), os.pipe()
        self._requests, self._answers = Connection(requests, readable=False), Connection(answers, writable=False)
        self._is_started = self.is_free = self._is_late = self._is_taken = False
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                [sys.executable, "-P", "-m", "crypto_lakehouse.query.child", str(their_requests), str(their_answers)],
                pass_fds=(their_requests, their_answers),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                # Ctrl-C must reach us only: we end the process.
                start_new_session=True,
            )
        finally:
            os.close(their_requests)
            os.close(their_answers)

    @property
    def is_alive(self) -> bool:
        """Whether the process waits for a query."""
        return self.is_free and self._process.poll() is None

    def ask(self, question: Question) -> QueryResult:
        """Returns the rows of a query. Afterwards the process is free, or is to be ended."""
        self.is_free = self._is_taken = False
        try:
            self._await_start()
            timer = threading.Timer(question.limits.timeout_seconds, self._end_late)
            timer.start()
            try:
                self._requests.send_bytes(pickle.dumps(question))
                return self._received(question.limits)
            finally:
                timer.cancel()
                timer.join()
        except (EOFError, OSError) as error:
            raise self._broken_off(question.limits) from error

    def end(self) -> None:
        """Ends the process, also during a query."""
        self._process.kill()
        self._process.wait()
        self._requests.close()
        self._answers.close()

    def _await_start(self) -> None:
        if not self._is_started:
            if not self._answers.poll(_START_SECONDS):
                raise SourceUnavailable("the process of the query did not start", "Try again")
            self._is_started = bool(self._answers.recv_bytes())

    def _end_late(self) -> None:
        self._is_late = True
        # Our reading of its answer ends as well.
        self._process.kill()

    def _received(self, limits: QueryLimits) -> QueryResult:
        streams, left = list[bytes](), limits.max_result_mib * _MIB
        while True:
            # Polars lets the system repeat a read that Ctrl-C interrupts, but no wait can be repeated.
            self._answers.poll(None)
            message = self._answers.recv_bytes()
            kind, content = message[:1], message[1:]
            if kind == TAKEN:
                self._is_taken = True
                continue
            if kind == ROWS:
                streams.append(content)
                left -= len(content)
                if left < 0:
                    raise too_large_result(limits)
                continue
            self.is_free = True
            if kind == ERROR:
                name, what, advice = json.loads(content)
                raise _KINDS[name](what, advice)
            return QueryResult(_frame(decoded(streams)), truncated=json.loads(content))

    def _broken_off(self, limits: QueryLimits) -> LakehouseError:
        """Returns the error for a process that has ended in the middle of a query."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        code = self._process.poll()
        if self._is_late or code == -signal.SIGXCPU:
            return too_late(limits)
        if not self._is_taken:
            return _NotTaken(f"the process of the query ended with code {code} before it took the query", "Try again")
        if code in {-signal.SIGABRT, -signal.SIGKILL, -signal.SIGBUS}:
            # A library that gets no memory aborts, and the kernel kills where the machine has none left.
            return too_much_memory(limits)
        if code == -signal.SIGSEGV:
            what = "the engine broke off: the statement is nested too deep, or needs too much memory"
            return InvalidRequest(what, "Simplify the statement")
        return SourceUnavailable(f"the process of the query ended with code {code}", "Try again")


def _frame(table: pa.Table) -> pl.DataFrame:
    try:
        return pl.DataFrame(table)
    # Polars raises errors of several kinds for types that it does not have.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, TypeError, ValueError) as error:
        raise unknown_type(table.schema) from error
