"""The same on a cluster of Dask."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kmcodec.errors import KmcError

if TYPE_CHECKING:
    from distributed import Client

_SECONDS_TO_CONNECT = 10
_SECONDS_BETWEEN_LOOKS = 0.5
_JOBS_A_THREAD = 3
"""In flight: one that is worked on, one that waits at the worker, and one on the way."""


class ClusterError(KmcError):
    """There is no cluster at an address."""


@dataclass(frozen=True, eq=False)
class Cluster:
    """
    A cluster that is connected.

    Attributes:
        executor: Runs jobs on it.
        window: How many to keep in flight.
    """

    executor: Executor
    window: int


@contextmanager
def connected(address: str, *, seconds: float = _SECONDS_TO_CONNECT) -> Iterator[Cluster]:
    """
    Connect to a cluster.

    Args:
        address: Of its scheduler, such as "tcp://127.0.0.1:8786" or "127.0.0.1:8786".
        seconds: To wait for the scheduler, and for its first worker.

    Raises:
        ClusterError: Nothing answers there, or it has no workers.
        ImportError: distributed is not installed.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import get_address_host_port
    except ImportError:
        raise ImportError("a cluster needs distributed; install it with: pip install 'kmcodec[dask]'") from None
    try:  # before there is a client, which complains once more as it goes
        get_address_host_port(address if "://" in address else f"tcp://{address}", strict=True)
    except ValueError as error:
        raise ClusterError(
            f"no Dask scheduler answers at {address}: that is no address as tcp://127.0.0.1:8786 is"
        ) from error
    try:
        client = Client(address, timeout=seconds, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {_reason(error)}") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=seconds)
        except TimeoutError as error:
            raise ClusterError(f"the Dask scheduler at {address} has no workers: start one with dask worker") from error
        threads = sum(client.nthreads().values())
        with _executor_of(client) as executor:
            yield Cluster(executor, _JOBS_A_THREAD * max(1, threads))


class _WatchedExecutor(Executor):
    """
    That of a client, whose futures are cancelled when the client is closed.

    The client itself cancels those that it has when it loses the scheduler, but not those that are submitted while it
    tries to find it again: of these nobody would ever hear.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._pending: set[Future[Any]] = set()
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = self._executor.submit(fn, *args, **kwargs)
        with self._lock:
            self._pending.add(future)
        future.add_done_callback(self._forget)
        return future

    def stop(self) -> None:
        """Watch no more."""
        self._is_over.set()

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._pending.discard(future)

    def _watch(self) -> None:
        while not self._is_over.wait(_SECONDS_BETWEEN_LOOKS):
            if self._client.status != "closed":
                continue
            with self._lock:
                lost = list(self._pending)
            for future in lost:
                if future.cancel():
                    with suppress(RuntimeError):  # the client's own loop may have said so meanwhile
                        future.set_running_or_notify_cancel()  # wakes whoever waits


@contextmanager
def _executor_of(client: Client) -> Iterator[Executor]:
    executor = _WatchedExecutor(client)
    try:
        yield executor
    finally:
        executor.stop()


def _reason(error: Exception) -> str:
    text = str(error)
    return "it takes too long" if "imed out" in text or not text else " ".join(text.split())
