"""Worker processes that answer what they are sent, and whose death costs no more than the answer they were at."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from queue import SimpleQueue
from types import TracebackType
from typing import Any, ParamSpec, TypeAlias, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

Work: TypeAlias = Callable[[Any], Any]

_SECONDS_TO_END = 2
"""After which a process that is deep in a library is not waited for any longer."""


class WorkerDied(Exception):  # noqa: N818  # what happened, as in BrokenExecutor
    """The process that worked on it was killed, or crashed."""

    def __init__(self) -> None:
        super().__init__("the process that worked on it died, perhaps for lack of memory")


class Worker:
    """
    A process that answers every item of the lists that it is sent over `connection`, one answer an item.

    Where it dies, `connection.recv` raises EOFError. It ends by itself when the process that started it is gone.

    Args:
        make_work: Called in the process for what makes an answer of an item; both can be pickled.
    """

    def __init__(self, make_work: Callable[[], Work]) -> None:
        context = get_context("spawn")  # forks of a process with threads may hang
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, make_work), daemon=True)
        with _interrupts_held_back():
            self._process.start()
        theirs.close()

    def stop(self) -> None:
        """End the process, at once if it must be."""
        stop([self])


def stop(workers: Iterable[Worker]) -> None:
    """End processes, all at the same time, and wait until they have."""
    ended = [(worker._process, worker.connection) for worker in workers]
    for process, _ in ended:
        process.terminate()
    for process, connection in ended:
        process.join(_SECONDS_TO_END)
        process.kill()
        process.join()
        connection.close()


class Processes(Executor):
    """
    An executor over processes which goes on where one of them dies.

    Only the call that the process was at fails, with `WorkerDied`, and another process takes its place; a
    `concurrent.futures.ProcessPoolExecutor` would fail every call from then on. Leaving the context by an exception
    ends the processes at once.

    Args:
        count: How many, at least 1. They are started when they are needed.
    """

    def __init__(self, count: int) -> None:
        self._threads = ThreadPoolExecutor(count)
        self._idle: SimpleQueue[Worker | None] = SimpleQueue()
        for _ in range(count):
            self._idle.put(None)
        self._lock = threading.Lock()
        self._alive: set[Worker] = set()
        self._is_stopped = False

    def submit(
        self, fn: Callable[_Arguments, _Result], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> Future[_Result]:
        """As `Executor.submit`; function, arguments and result go through pickle."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`."""
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        if wait:
            self.stop()

    def stop(self) -> None:
        """End the processes at once; calls that they are at fail with `WorkerDied`, the others are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            self._is_stopped = True
            alive = list(self._alive)
            self._alive.clear()
        stop(alive)
        self._threads.shutdown(wait=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.shutdown()
        else:
            self.stop()

    def _call(self, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = ForkingPickler.dumps((fn, args, kwargs))  # what cannot be pickled costs no process
        worker = self._idle.get()
        try:
            worker = worker or self._started()
            worker.connection.send([bytes(call)])
            error, result = worker.connection.recv()
        except (EOFError, OSError):
            if worker is not None:
                self._discard(worker)
            worker = None
            raise WorkerDied from None
        finally:
            self._idle.put(worker)
        if error is not None:
            raise error
        return result

    def _started(self) -> Worker:
        with self._lock:
            if self._is_stopped:
                raise WorkerDied
            worker = Worker(_caller)
            self._alive.add(worker)
        return worker

    def _discard(self, worker: Worker) -> None:
        with self._lock:
            is_ours = worker in self._alive
            self._alive.discard(worker)
        if is_ours:
            worker.stop()


def _caller() -> Work:
    """What a worker of `Processes` does: call a function, and answer with what it raises and returns."""
    return _call


def _call(pickled: bytes) -> tuple[Exception | None, Any]:
    try:
        function, args, kwargs = ForkingPickler.loads(pickled)
        answer = None, function(*args, **kwargs)
        ForkingPickler.dumps(answer)
    except Exception as error:
        return error, None
    return answer


def _serve(connection: Connection, make_work: Callable[[], Work]) -> None:
    """What a worker does: answer every item of a list, then wait for the next list."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent stops its workers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that temporary files are removed
    _let_interrupts_through()
    work = make_work()
    with suppress(EOFError, OSError):  # the parent is gone
        while True:
            for item in connection.recv():
                connection.send(work(item))


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach before they ignore it: it would print a traceback from each."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which lets interrupts through again as it starts, with the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _let_interrupts_through() -> None:
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
