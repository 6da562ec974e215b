"""The same work on many items, on all cores."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_AHEAD = 2  # items begun for every thread, so that none waits for a slow one that is next in order


def run_on_cores(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None) -> list[_Result]:
    """
    Do the same to every item, in order, on several threads; the results do not depend on how many.

    Args:
        work: What to do; it should spend its time outside the interpreter lock.
        items: The items.
        threads: How many threads; None for one a core.
    """
    return list(map_on_cores(work, list(items), threads))


def map_on_cores(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None) -> Iterator[_Result]:
    """As `run_on_cores`, result by result: of items without number, no more than two a thread are held."""
    workers = threads or available_cores()
    if isinstance(items, Sized):
        workers = min(workers, len(items))
    if workers <= 1:
        yield from map(work, items)
        return
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > _AHEAD * workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # of what failed, or is not wanted any more
            for future in waiting:
                future.cancel()


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
