"""A signal that ends the process ends it, whatever the code that it meets makes of it."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress

import pytest

from crypto_lakehouse import termination
from crypto_lakehouse.foreign_errors import translated
from crypto_lakehouse.settings import Settings
from crypto_lakehouse.steps import run_step
from crypto_lakehouse.termination import raise_if_ended, terminable
from crypto_lakehouse.vocabulary import Step

SIGNALS = pytest.mark.parametrize(
    ("number", "raised"), [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)], ids=["SIGTERM", "SIGINT"]
)
PanicException = type("PanicException", (BaseException,), {})


def lost(number: signal.Signals) -> None:
    """A library whose code throws the exception away."""
    with suppress(BaseException):
        os.kill(os.getpid(), number)


def as_another_error(number: signal.Signals) -> None:
    """A library that makes an error of its own of it."""
    try:
        os.kill(os.getpid(), number)
    except BaseException as error:
        raise ImportError("numpy could not be loaded") from error


def as_a_panic(number: signal.Signals) -> None:
    """An engine in Rust that imports a Python module at that moment."""
    try:
        os.kill(os.getpid(), number)
    except BaseException as error:
        raise PanicException("failed to access the array API") from error


@SIGNALS
@pytest.mark.parametrize("library", [as_another_error, as_a_panic])
def test_what_a_library_makes_of_a_signal_ends_the_process(
    number: signal.Signals, raised: type[BaseException], library: Callable[[signal.Signals], None]
) -> None:
    before = signal.getsignal(number)
    with pytest.raises(raised), terminable(), translated("a batch"):
        library(number)
    assert signal.getsignal(number) == before


@SIGNALS
def test_a_signal_that_a_library_throws_away_ends_the_process_before_the_next_step(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    with pytest.raises(raised), terminable():
        lost(number)
        run_step(Step.PULL, "runs/binance_um_klines/a/pull-000.json", Settings())
    with pytest.raises(raised), terminable():
        lost(number)


@SIGNALS
def test_the_exit_code_is_of_the_signal(number: signal.Signals, raised: type[BaseException]) -> None:
    with pytest.raises(raised) as ended, terminable():
        lost(number)
    assert getattr(ended.value, "code", 143) == 143


@pytest.mark.parametrize("library", [as_another_error, as_a_panic])
def test_control_without_the_memory_a_batch_would_fail_and_the_run_go_on(
    library: Callable[[signal.Signals], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(termination, "_received", type("Forgetful", (list,), {"append": lambda *_: None})())
    with pytest.raises((ImportError, RuntimeError)), terminable(), translated("a batch"):
        library(signal.SIGTERM)


def test_without_a_signal_nothing_is_raised() -> None:
    with terminable(), translated("a batch"):
        raise_if_ended()
