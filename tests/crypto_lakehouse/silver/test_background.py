"""Background work is done in order, and its errors reach the caller."""

import threading
from collections.abc import Iterator

import pytest

from crypto_lakehouse.silver.background import Background


@pytest.fixture
def background() -> Iterator[Background]:
    started = Background()
    yield started
    started.close()


def fail() -> None:
    raise OSError("no space left")


def test_work_is_done_in_the_order_it_was_given(background: Background) -> None:
    done: list[int] = []
    futures = [background.submit(lambda number=number: done.append(number)) for number in range(20)]
    background.drain()
    assert done == list(range(20))
    assert all(future.done() for future in futures)


def test_an_error_is_raised_by_a_later_call(background: Background) -> None:
    background.submit(fail)
    with pytest.raises(OSError, match="no space left"):
        background.drain()


def test_few_pieces_of_work_wait_at_a_time(background: Background) -> None:
    release, third_was_taken = threading.Event(), threading.Event()
    for _ in range(2):
        background.submit(release.wait)

    def submit_third() -> None:
        background.submit(lambda: None)
        third_was_taken.set()

    thread = threading.Thread(target=submit_third)
    thread.start()
    assert not third_was_taken.wait(0.2)
    release.set()
    thread.join()
    assert third_was_taken.is_set()
