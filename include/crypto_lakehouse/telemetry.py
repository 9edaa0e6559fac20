"""Structured logs: one line for each event, with the dataset, partition, run, step and seconds that it is about.

The lines go to stderr, because stdout is for results. On a terminal they are words and only warnings and errors are
shown, because bars and tables tell the rest. Elsewhere each line is JSON. A library must not print, so nothing is
logged until a program switches the logs on.

An event has no `status` and no `subject`: the alarms of a deployment use these names to find a
step's result in the same stream.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from crypto_lakehouse.foreign_text import message

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger

Fact = str | int | float
"""A value of an event: facts are our own names and figures, never a foreign text that may quote a secret."""


class Level(IntEnum):
    """The level of an event, with the numbers of `logging`."""

    INFO = 20
    WARNING = 30
    ERROR = 40


class _Switch:
    is_on = False


_BOUND: ContextVar[Mapping[str, Fact]] = ContextVar("bound", default={})  # noqa: B039  never changed in place


@contextmanager
def switched_on() -> Iterator[None]:
    """Lets this process log its events until the block ends."""
    before, _Switch.is_on = _Switch.is_on, True
    try:
        yield
    finally:
        _Switch.is_on = before


@contextmanager
def bound(**facts: Fact) -> Iterator[None]:
    """Adds facts to all events of this thread until the block ends."""
    token = _BOUND.set({**_BOUND.get(), **facts})
    try:
        yield
    finally:
        _BOUND.reset(token)


def event(name: str, level: Level = Level.INFO, /, **facts: Fact) -> None:
    """Logs an event.

    Args:
        name: What happened: `step_started`.
        level: How much it matters.
        facts: What it is about.
    """
    if _Switch.is_on:
        given = {**_BOUND.get(), **facts}
        safe = {name: message(fact) if isinstance(fact, str) else fact for name, fact in given.items()}
        _logger(sys.stderr.isatty()).log(level, name, **safe)


def readable(line: str) -> str:
    """Returns a line of JSON that `event` logged as words, any other line as it is.

    >>> readable('{"event": "step_started", "level": "info", "timestamp": "2025-01-01T00:00:00Z", "step": "pull"}')
    'step_started step=pull'
    """
    if not line.startswith('{"event": '):
        return line
    try:
        facts = json.loads(line)
    except ValueError:
        return line
    words = [f"{name}={value}" for name, value in facts.items() if name not in {"event", "level", "timestamp"}]
    return " ".join([facts["event"], *words])


class _StandardError:
    """Writes lines to stderr as it is at that time: bars and tests put another stream in its place."""

    def msg(self, line: str) -> None:
        """Writes a line."""
        print(line, file=sys.stderr, flush=True)

    log = debug = info = warn = warning = error = critical = fatal = failure = msg


@lru_cache
def _logger(is_terminal: bool) -> "FilteringBoundLogger":
    # Loaded with the first event: `--help` logs none.
    import structlog

    words = structlog.dev.ConsoleRenderer(colors=is_terminal)
    logger: FilteringBoundLogger = structlog.wrap_logger(
        _StandardError(),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper("iso", utc=True),
            _event_first,
            words if is_terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(Level.WARNING if is_terminal else Level.INFO),
    )
    return logger


def _event_first(_logger: object, _method: str, facts: "EventDict") -> "EventDict":
    first = ("event", "level", "timestamp")
    return {**{name: facts[name] for name in first}, **{key: facts[key] for key in facts if key not in first}}
