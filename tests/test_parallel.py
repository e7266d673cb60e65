import os
import threading
from collections.abc import Iterator

import pytest

from pipeline.parallel import in_threads


def test_every_item_is_done_once() -> None:
    assert sorted(in_threads(lambda item: item * item, range(100))) == [item * item for item in range(100)]
    assert list(in_threads(lambda item: item, [])) == []


def test_items_run_in_parallel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    both = threading.Barrier(2, timeout=10)  # broken unless two items wait at the same time
    assert len(list(in_threads(lambda _: both.wait(), range(2)))) == 2


def test_an_item_is_taken_only_when_a_thread_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    taken = finished = largest = 0

    def items() -> Iterator[int]:
        nonlocal taken, largest
        for item in range(20):
            taken += 1
            largest = max(largest, taken - finished)
            yield item

    for _ in in_threads(lambda item: item, items()):
        finished += 1
    assert finished == 20
    assert (
        largest <= 6
    )  # at most one per thread at work, and one per thread that is finished but not yet counted


def test_an_exception_ends_the_work() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise ValueError("item 3")
        return item

    with pytest.raises(ValueError, match="item 3"):
        list(in_threads(fail, range(1000)))
