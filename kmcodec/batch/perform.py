"""What every job has in common: what stands in its way, what goes wrong, and what is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from kmcodec.batch.jobs import Job, Outcome, failed
from kmcodec.batch.storage import Storage
from kmcodec.files import Contents, FileVersion
from kmcodec.sentences import sentence_of
from kmcodec.streams import read_up_to


@dataclass(frozen=True, eq=False)
class Converted:
    """
    A file to be written.

    Attributes:
        data: Its contents.
        size: Bytes of them.
        source_bytes: Bytes that were read for it.
        figures: Fields of `Outcome`.
        warnings: Those of `Outcome`.
    """

    data: Contents
    size: int
    source_bytes: int
    figures: dict[str, Any]
    warnings: tuple[str, ...] = ()


Convert: TypeAlias = Callable[[], Converted]


def perform(job: Job[Any], convert: Convert, storage: Storage, *, skip_larger: bool = False) -> Outcome:
    """
    Do a job; whatever goes wrong is in its outcome, and only KeyboardInterrupt and the like are
    raised, and BrokenPipeError.

    Args:
        job: The job.
        convert: Makes the file to be written.
        storage: Where the files are.
        skip_larger: Whether no file is written that would not be smaller than its source.
    """
    start = time.perf_counter()
    version: FileVersion | None = None
    try:
        is_there = _is_in_the_way(job, storage)
        version = storage.version(job.source)
        converted = convert()
        is_skipped = skip_larger and converted.size >= converted.source_bytes
        if is_there and not is_skipped:
            _check_same(job, converted, storage)
        elif not is_skipped:
            storage.write(job.target, converted.data, overwrite=job.settings.overwrite)
    except BrokenPipeError:  # nobody reads on: no fault of the file
        raise
    except Exception as error:
        shown = storage.shown(job.source)
        sentence = sentence_of(error, shown) or f"{shown}: unexpected {type(error).__name__}: {error}"
        if isinstance(error, FileExistsError):  # in the way today: without a version it is tried again on resume
            version = None
        return _finished(failed(job, sentence), version, start)
    outcome = Outcome(
        source=job.source,
        target=job.target,
        status="skipped" if is_skipped else "done",
        error=f"{storage.shown_target(job.target)}: not written, it would not be smaller" if is_skipped else None,
        settings=job.settings.hash,
        warnings=() if is_skipped else converted.warnings,
        target_bytes=converted.size,
        **converted.figures,
    )
    return _finished(outcome, version or FileVersion(converted.source_bytes, ""), start)


def _is_in_the_way(job: Job[Any], storage: Storage) -> bool:
    """Whether there is a target that may be the one to be written. Raises FileExistsError if there is another."""
    try:
        storage.check(job.target, overwrite=job.settings.overwrite)
    except FileExistsError:
        if not job.may_be_done:
            raise
        return True
    return False


def _check_same(job: Job[Any], converted: Converted, storage: Storage) -> None:
    """Raise FileExistsError if the target has other contents."""
    parts = (converted.data,) if isinstance(converted.data, bytes) else converted.data
    with storage.open(job.target) as file:
        is_same = all(read_up_to(file, len(part)) == part for part in parts) and not file.read(1)
    if not is_same:
        storage.check(job.target, overwrite=False)


def _finished(outcome: Outcome, version: FileVersion | None, start: float) -> Outcome:
    if version is not None:
        outcome = replace(outcome, source_bytes=version.size, source_stamp=version.stamp)
    return replace(outcome, seconds=time.perf_counter() - start)
