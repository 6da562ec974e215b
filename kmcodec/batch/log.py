"""What was done, a line a file, so that a run that was broken off goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kmcodec import jsonlines
from kmcodec.batch.jobs import Job, Outcome
from kmcodec.files import FileName, FileVersion

_LINE = "report on a file"
_DIGEST_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class Remembered(Outcome):
    """What came of a job in an earlier run."""


class History:
    """
    What earlier runs did, by source and its version, target, and settings; some 200 bytes a file.

    Args:
        entries: Of a log, the oldest first.

    Raises:
        KeyError, TypeError: An entry is not of a log.
    """

    def __init__(self, entries: Iterable[dict[str, Any]] = ()) -> None:
        self._status_of: dict[bytes, str] = {}
        for entry in entries:
            key = _key(
                entry["input"], entry["output"], entry["settings"], entry.get("input_bytes"), entry.get("input_stamp")
            )
            self._status_of[key] = str(entry["status"])

    def status_of(self, job: Job[Any], version: FileVersion | None) -> str | None:
        """
        How a job ended, "done", "skipped" or "failed"; None if the source is another by now, or it was never tried.

        A job that failed before its source was looked at, for what stood in its way or for a worker that died, was not.

        Args:
            job: The job.
            version: The source's; None if it could not be found.
        """
        size, stamp = (None, None) if version is None else (version.size, version.stamp)
        return self._status_of.get(_key(job.source, job.target, job.settings.hash, size, stamp))


def read_log(file: FileName) -> History:
    """
    Read a log; of one that is not there, nothing. Of a last line that is cut off nothing is taken.

    Args:
        file: JSON lines, as of `Outcome.as_json`.

    Raises:
        LinesError: A line is something else, or it is no regular file.
        OSError: It cannot be read.
    """
    number = 0

    def entries() -> Iterable[dict[str, Any]]:
        nonlocal number
        for number, entry in jsonlines.read_lines(file, _LINE):  # noqa: B007  # for the error
            yield entry

    try:
        return History(entries())
    except (KeyError, TypeError, AttributeError):
        raise jsonlines.not_a_line(number, _LINE) from None


def _key(source: str, target: str, settings: str, size: int | None, stamp: str | None) -> bytes:
    text = json.dumps([source, target, settings, size, stamp])
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
