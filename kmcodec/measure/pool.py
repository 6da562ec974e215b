"""Tasks over several processes: in order, and each picture's codec in one of them, so that work is shared."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TypeAlias

from kmcodec.measure.bench import Bench, Outcome, Task
from kmcodec.measure.pictures import name_of
from kmcodec.measure.records import Failure

Unit: TypeAlias = Sequence[Task]
"""Tasks that share work, and so a process: those of one picture and one codec."""

_SECONDS_TO_END = 2
"""After which a process that is deep in a library is not waited for any longer."""

_DIED = "the process that worked on it died, perhaps for lack of memory"


def run(units: Sequence[Unit], jobs: int, make_bench: Callable[[], Bench] = Bench) -> Iterator[tuple[Task, Outcome]]:
    """
    Run tasks, as many at a time as there are jobs.

    With one job they run in this process; else processes are started, and stopped at once when the iterator is closed.

    Args:
        units: The tasks.
        jobs: How many processes, at least 1.
        make_bench: What measures in each.

    Yields:
        Tasks and what came of them, as they are done.
    """
    if jobs == 1 or len(units) < 2:
        bench = make_bench()
        for unit in units:
            for task in unit:
                yield task, bench.run(task)
        return
    yield from _run_in_processes(units, min(jobs, len(units)), make_bench)


class _Worker:
    """A process, and the tasks that it has been sent and not yet answered."""

    def __init__(self, make_bench: Callable[[], Bench]) -> None:
        context = get_context("spawn")  # forks of a process with threads may hang
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make_bench), daemon=True)
        self._process.start()
        theirs.close()
        self.tasks: list[Task] = []

    def start(self, unit: Unit) -> None:
        self.tasks = list(unit)
        if unit:
            self.connection.send(self.tasks)

    def stop(self) -> None:
        self._process.terminate()
        self._process.join(_SECONDS_TO_END)
        self._process.kill()
        self._process.join()
        self.connection.close()


def _run_in_processes(
    units: Sequence[Unit], jobs: int, make_bench: Callable[[], Bench]
) -> Iterator[tuple[Task, Outcome]]:
    waiting = iter(units)
    workers: dict[object, _Worker] = {}
    try:
        for _ in range(jobs):
            worker = _Worker(make_bench)
            workers[worker.connection] = worker
            worker.start(next(waiting, ()))
        while busy := [worker.connection for worker in workers.values() if worker.tasks]:
            for ready in wait(busy):
                worker = workers[ready]
                task = worker.tasks.pop(0)
                try:
                    outcome = worker.connection.recv()
                except (EOFError, OSError):
                    outcome = _lost(task)
                    worker.stop()
                    del workers[ready]
                    rest, worker = worker.tasks, _Worker(make_bench)
                    workers[worker.connection] = worker
                    worker.start(rest)
                yield task, outcome
                if not worker.tasks:
                    worker.start(next(waiting, ()))
    finally:
        for worker in workers.values():
            worker.stop()


def _lost(task: Task) -> Outcome:
    point = task.point
    return Outcome(
        failure=Failure(picture=name_of(task.source), codec=point.codec, setting=point.setting, message=_DIED)
    )


def _serve(connection: Connection, make_bench: Callable[[], Bench]) -> None:
    """What a worker does: answer every task of a unit, then wait for the next unit."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that temporary files of peers are removed
    bench = make_bench()
    while True:
        try:
            unit: list[Task] = connection.recv()
        except EOFError:
            return
        for task in unit:
            connection.send(bench.run(task))
