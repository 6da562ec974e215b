"""A file that keeps every record as it is made, so that an interrupted sweep goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from kmcodec.errors import KmcError
from kmcodec.files import FileName
from kmcodec.measure.records import METRICS, Record, key_of, record_from_json


class StateError(KmcError, ValueError):
    """A file to resume from is not one."""


class Keep(Protocol):
    """Appends a record."""

    def __call__(self, record: Record) -> None:
        """Write it, at once."""


def read_state(file: FileName) -> dict[str, Record]:
    """
    Records by their keys, the newest of each; none if there is no such file.

    Of a last line that was cut off in the middle of writing nothing is taken.

    Args:
        file: JSON lines, each an object with `key` and `record`.

    Raises:
        StateError: A line is something else, or it is no regular file.
        OSError: It cannot be read.
    """
    path = Path(file)
    if not path.exists():
        return {}
    if not path.is_file():  # a device may never end
        raise StateError("is no file that records could be taken from")
    records: dict[str, Record] = {}
    lines = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            records[str(entry["key"])] = record_from_json(entry["record"])
        except (ValueError, TypeError, KeyError):
            if number == len(lines):  # it has no end: the process died as it wrote it
                break
            raise StateError(f"line {number} is no record of a sweep: name another file, or delete it") from None
    return records


@contextmanager
def appending(file: FileName | None) -> Iterator[Keep]:
    """
    Open a file to keep records in; with None they are not kept.

    Raises:
        OSError: It cannot be written.
    """
    if file is None:
        yield _forget
        return
    with open(file, "ab+") as stream:
        _cut_unfinished_line(file)

        def keep(record: Record) -> None:
            entry = {"key": key_of_record(record), "record": record.as_json()}
            stream.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
            stream.flush()

        yield keep


def key_of_record(record: Record) -> str:
    """As `key_of`."""
    return key_of(record.picture_sha256, record.point, record.tool)


def has_metrics(record: Record, names: tuple[str, ...], measurable: Mapping[str, int]) -> bool:
    """
    Whether a record has all metrics asked for.

    Args:
        record: The record.
        names: Of `METRICS`.
        measurable: The smallest side of a picture for each metric that has one; below it, none is expected.
    """
    side = min(record.width, record.height)
    wanted = [name for name in names if side >= measurable.get(name, 0)]
    return all(getattr(record, column) is not None for name in wanted for column in METRICS[name])


def _forget(record: Record) -> None:
    del record


def _cut_unfinished_line(file: FileName) -> None:
    """So that the next record does not become part of it."""
    path = Path(file)
    data = path.read_bytes()
    end = data.rfind(b"\n") + 1
    if end < len(data):
        with open(path, "rb+") as stream:
            stream.truncate(end)
