"""The same work on many items, on all cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def run_on_cores(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int | None) -> list[_Result]:
    """
    Do the same to every item, in order, on several threads; the results do not depend on how many.

    Args:
        work: What to do; it should spend its time outside the interpreter lock.
        items: The items.
        threads: How many threads; None for one a core.
    """
    jobs = list(items)
    workers = min(len(jobs), threads or available_cores())
    if workers <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, jobs))


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
