"""A function on many items in parallel threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from typing import TypeVar

from pipeline.machine import available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Yield function(item) for each item in the order in which they finish, with one thread for each
    processor of this process.

    This is for work that releases the interpreter lock: numpy, hashing, reading. An item is taken only when a
    thread is free for it, so that not all items are in memory at once. An exception ends the work.
    """
    threads = available_cores()
    running: set[Future[Result]] = set()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            running.add(pool.submit(function, item))
            del item
            if len(running) == threads:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in as_completed(running))
