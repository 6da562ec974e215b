"""The same on a cluster of Dask."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from kmcodec.errors import KmcError

_SECONDS_TO_CONNECT = 10
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
    except ImportError:
        raise ImportError("a cluster needs distributed; install it with: pip install 'kmcodec[dask]'") from None
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
        yield Cluster(client.get_executor(pure=False), _JOBS_A_THREAD * max(1, threads))


def _reason(error: Exception) -> str:
    text = str(error)
    return "it takes too long" if "imed out" in text or not text else " ".join(text.split())
