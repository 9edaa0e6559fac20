"""Writes beside the parsing: in order, few at a time, and no error is lost."""

import threading
from collections.abc import Iterator

import pytest

from crypto_lakehouse.silver.background import Background


@pytest.fixture
def background() -> Iterator[Background]:
    opened = Background()
    yield opened
    opened.close()


def test_work_is_carried_out_in_order(background: Background) -> None:
    done: list[int] = []
    for number in range(20):
        background.submit(lambda number=number: done.append(number))
    background.drain()
    assert done == list(range(20))


def test_an_error_reaches_the_caller(background: Background) -> None:
    def fail() -> None:
        raise OSError("no space")

    background.submit(fail)
    with pytest.raises(OSError, match="no space"):
        background.drain()
    background.drain()


def test_a_third_piece_of_work_waits_for_the_first(background: Background) -> None:
    gate, submitted = threading.Event(), threading.Event()
    background.submit(gate.wait)
    background.submit(lambda: None)

    def third() -> None:
        background.submit(lambda: None)
        submitted.set()

    thread = threading.Thread(target=third)
    thread.start()
    assert not submitted.wait(0.2)
    gate.set()
    assert submitted.wait(900)
    thread.join()
