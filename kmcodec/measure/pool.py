"""Tasks over several processes: in order, and each picture's codec in one of them, so that work is shared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from multiprocessing.connection import wait
from typing import TypeAlias

from kmcodec.measure.bench import Bench, Outcome, Task
from kmcodec.measure.pictures import name_of
from kmcodec.measure.records import Failure
from kmcodec.processes import Work, Worker, WorkerDied, stop

Unit: TypeAlias = Sequence[Task]
"""Tasks that share work, and so a process: those of one picture and one codec."""


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


class _BenchWorker(Worker):
    """A process, and the tasks that it has been sent and not yet answered."""

    def __init__(self, make_bench: Callable[[], Bench]) -> None:
        super().__init__(partial(_work_of, make_bench))
        self.tasks: list[Task] = []

    def start(self, unit: Unit) -> None:
        self.tasks = list(unit)
        if unit:
            self.connection.send(self.tasks)


def _run_in_processes(
    units: Sequence[Unit], jobs: int, make_bench: Callable[[], Bench]
) -> Iterator[tuple[Task, Outcome]]:
    waiting = iter(units)
    workers: dict[object, _BenchWorker] = {}
    try:
        for _ in range(jobs):
            worker = _BenchWorker(make_bench)
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
                    rest, worker = worker.tasks, _BenchWorker(make_bench)
                    workers[worker.connection] = worker
                    worker.start(rest)
                yield task, outcome
                if not worker.tasks:
                    worker.start(next(waiting, ()))
    finally:
        stop(workers.values())


def _lost(task: Task) -> Outcome:
    point = task.point
    failure = Failure(picture=name_of(task.source), codec=point.codec, setting=point.setting, message=str(WorkerDied()))
    return Outcome(failure=failure)


def _work_of(make_bench: Callable[[], Bench]) -> Work:
    """Bound in the process, where a bench keeps what the next task of its picture can use."""
    return make_bench().run
