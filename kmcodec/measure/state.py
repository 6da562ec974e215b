"""A file that keeps every record as it is made, so that an interrupted sweep goes on where it stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from kmcodec import jsonlines
from kmcodec.files import FileName
from kmcodec.measure.records import METRICS, Record, key_of, record_from_json

_LINE = "record of a sweep"


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
        LinesError: A line is something else, or it is no regular file.
        OSError: It cannot be read.
    """
    records: dict[str, Record] = {}
    for number, entry in jsonlines.read_lines(file, _LINE):
        try:
            records[str(entry["key"])] = record_from_json(entry["record"])
        except (ValueError, TypeError, KeyError):
            raise jsonlines.not_a_line(number, _LINE) from None
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
    with jsonlines.appending(file) as append:
        yield lambda record: append({"key": key_of_record(record), "record": record.as_json()})


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
