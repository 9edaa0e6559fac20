"""`python -m tests.fakes.exchange`: serves until it is told to end; its one line of output is the address."""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.fakes.exchange.rows import FolderRows, SyntheticRows
from tests.fakes.exchange.server import LocalExchange, running_clock
from tests.fakes.exchange.symbols import Symbols


def main(arguments: Sequence[str]) -> int:
    """Serves until SIGTERM or SIGINT; returns the exit code."""
    chosen = _parser().parse_args(arguments)
    numbers = (signal.SIGTERM, signal.SIGINT)
    # Before the server's thread starts, which inherits the mask: only the main thread is to wait for them.
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    exchange = LocalExchange(
        FolderRows(chosen.archive) if chosen.archive else SyntheticRows(),
        symbols=Symbols.named(chosen.symbols) if chosen.symbols else None,
        clock=_clock(chosen.now, stands_still=chosen.still),
        port=chosen.port,
    )
    with exchange:
        print(exchange.url, flush=True)
        signal.sigwait(numbers)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.exchange", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--now", type=_instant, help="where its clock starts: 2025-01-03T10:07:30Z")
    parser.add_argument("--still", action="store_true", help="its clock stands still at --now")
    parser.add_argument("--archive", type=Path, help="a folder laid out as the bucket is, instead of synthetic rows")
    parser.add_argument("--symbols", nargs="+", default=(), help="BTCUSDT is of spot and um, BTCUSD_PERP of cm")
    return parser


def _clock(now: datetime | None, *, stands_still: bool) -> Callable[[], float]:
    if now is None:
        return time.time
    return (now.timestamp) if stands_still else running_clock(now)


def _instant(words: str) -> datetime:
    moment = datetime.fromisoformat(words)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
