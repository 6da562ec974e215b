"""
A stream of jobs to a stream of outcomes.

Only a window of jobs is taken from the stream at a time, so that a million of them take no more memory than a few.
Every job has one outcome, also where the process dies that works on it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import replace
from typing import Any, TypeVar

from kmcodec.batch.jobs import Job, Outcome, failed
from kmcodec.batch.settings import DecodeSettings, EncodeSettings
from kmcodec.errors import KmcError
from kmcodec.format.cores import available_cores
from kmcodec.processes import Processes, WorkerDied
from kmcodec.sentences import printable

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_Settings = TypeVar("_Settings", EncodeSettings, DecodeSettings)

DEFAULT_WINDOW = 32
"""Jobs in flight: enough to keep some eight workers busy."""

_MOST_RETRIES = 1
"""Of a job over which a process died: perhaps not for its sake, but for lack of memory that another one took."""


class WorkersLostError(KmcError):
    """The executor takes no more jobs, as of a cluster whose scheduler is gone."""


def stream(
    work: Callable[[Job[_Settings]], Outcome],
    jobs: Iterable[Job[_Settings] | Outcome],
    *,
    executor: Executor | None,
    window: int,
) -> Generator[Outcome, None, None]:
    """
    The outcomes of jobs as they are done; an outcome among the jobs is yielded as it is.

    Args:
        work: Does a job; it can be pickled, and raises nothing.
        jobs: They are taken one by one, as there is room in the window.
        executor: What runs them; None runs them here, in turn. A process pool that breaks is replaced by `Processes`.
        window: Most jobs in flight, at least 1.

    Raises:
        ValueError: `window` is below 1.
        WorkersLostError: The executor takes no more jobs. Those in flight had their outcomes before.
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, not {window}")
    if executor is None:
        return (item if isinstance(item, Outcome) else work(item) for item in jobs)
    return _outcomes(work, jobs, executor, window)


def gather(
    work: Callable[[_Item], _Result], items: Iterable[_Item], *, executor: Executor | None, window: int
) -> Generator[tuple[_Item, _Result | BaseException], None, None]:
    """
    Items and the results of work on them, or what was raised, as they are done.

    Args:
        work: Done for every item; it can be pickled.
        items, executor, window: As `jobs` and so on of `stream`.

    Raises:
        WorkersLostError: As `stream`.
    """
    if executor is None:
        return ((item, work(item)) for item in items)
    return _Flight(work, executor, window, again=lambda item: item).over(items)


def _outcomes(
    work: Callable[[Job[_Settings]], Outcome],
    jobs: Iterable[Job[_Settings] | Outcome],
    executor: Executor,
    window: int,
) -> Generator[Outcome, None, None]:
    flight = _Flight(work, executor, window, again=lambda job: replace(job, may_be_done=True))
    with closing(flight.over(jobs, is_done=lambda item: isinstance(item, Outcome))) as steps:
        for job, result in steps:
            if isinstance(job, Outcome):
                yield job
            elif isinstance(result, Outcome):
                yield result
            else:
                yield failed(job, f"{printable(job.source)}: {_reason(result)}")


def _reason(error: object) -> str:
    """Why a job was not worked on to its end."""
    if isinstance(error, WorkerDied) or type(error).__name__ == "KilledWorker":  # Dask's, which may not be installed
        return str(WorkerDied())
    if isinstance(error, CancelledError):
        return "not done, for the workers are gone"
    return f"could not be worked on: {error or type(error).__name__}"


class _Flight:
    """
    Work on a window of items at a time.

    Args:
        work: Done for every item.
        executor: What runs it.
        window: Most items in flight.
        again: An item that is worked on once more, since the process died that was at it.
    """

    def __init__(
        self, work: Callable[[Any], Any], executor: Executor, window: int, again: Callable[[Any], Any]
    ) -> None:
        self._work, self._executor, self._window, self._again = work, executor, window, again
        self._own: Processes | None = None
        self._pending: dict[Future[Any], tuple[Any, int]] = {}

    def over(
        self, items: Iterable[Any], is_done: Callable[[Any], bool] = lambda _: False
    ) -> Generator[tuple[Any, Any], None, None]:
        """Items with results or errors; those that are done already come back as they are."""
        lost: Exception | None = None
        waiting = iter(items)
        is_at_end = False
        try:
            while True:
                while not (is_at_end or lost) and len(self._pending) < self._window:
                    try:
                        item = next(waiting)
                    except StopIteration:
                        is_at_end = True
                    else:
                        if is_done(item):
                            yield item, None
                        else:
                            lost = self._begin(item, 0)
                if not self._pending:
                    break
                done, _ = wait(self._pending, return_when=FIRST_COMPLETED)
                for future in [future for future in self._pending if future in done]:
                    item, deaths = self._pending.pop(future)
                    error = _error_of(future)
                    if _is_to_be_tried_again(error, deaths):
                        # which of its processes died, and over which job, a broken pool does not tell
                        refused = self._begin(self._again(item), deaths + isinstance(error, WorkerDied))
                        if refused is None:
                            continue
                        lost = refused
                    if isinstance(error, CancelledError):  # nobody but the executor itself cancels them
                        lost = error
                    yield item, future.result() if error is None else error
        finally:
            for future in self._pending:
                future.cancel()
            if self._own is not None:
                self._own.stop()
        if lost is not None:
            reason = f": {lost}" if str(lost) else ""
            raise WorkersLostError(f"the workers are gone{reason}") from lost

    def _begin(self, item: Any, deaths: int) -> Exception | None:
        """Submit an item; what is returned keeps it, and any other, from being submitted."""
        try:
            future = self._executor.submit(self._work, item)
        except BrokenProcessPool:
            self._own = Processes(min(self._window, available_cores()))
            self._executor = self._own
            return self._begin(item, deaths)
        except Exception as error:  # whatever an executor raises when it is shut down or cut off
            return error
        self._pending[future] = item, deaths
        return None


def _is_to_be_tried_again(error: BaseException | None, deaths: int) -> bool:
    return isinstance(error, BrokenProcessPool) or (isinstance(error, WorkerDied) and deaths < _MOST_RETRIES)


def _error_of(future: Future[Any]) -> BaseException | None:
    try:
        return future.exception()
    except CancelledError as error:
        return error
