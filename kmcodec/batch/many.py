"""Streams of pictures, encoded and decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Executor

from kmcodec.batch.jobs import Job, Outcome
from kmcodec.batch.settings import DecodeSettings, EncodeSettings
from kmcodec.batch.streaming import DEFAULT_WINDOW, stream


def encode_many(
    jobs: Iterable[Job[EncodeSettings]], *, executor: Executor | None = None, window: int = DEFAULT_WINDOW
) -> Iterator[Outcome]:
    """
    Encode many pictures.

    Args:
        jobs: They are taken one by one, as there is room in the window; there may be any number.
        executor: What runs them: any of `concurrent.futures`, `Processes`, or `Client.get_executor(pure=False)` of
            Dask; None runs them here, in turn. A process pool that breaks, as it does when one of its processes is
            killed, is replaced by `Processes`.
        window: Most jobs in flight; two or three for each worker are enough.

    Yields:
        An outcome for every job, as they are done. Closing the iterator cancels those not yet begun.

    Raises:
        ValueError: `window` is below 1.
        WorkersLostError: The executor takes no more jobs. Those in flight had their outcomes before.
    """
    from kmcodec.batch.encoding import encode_job

    return stream(encode_job, jobs, executor=executor, window=window)


def decode_many(
    jobs: Iterable[Job[DecodeSettings]], *, executor: Executor | None = None, window: int = DEFAULT_WINDOW
) -> Iterator[Outcome]:
    """Decode many `.kmc` files; as `encode_many`."""
    from kmcodec.batch.decoding import decode_job

    return stream(decode_job, jobs, executor=executor, window=window)
