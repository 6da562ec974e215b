"""Files of JSON objects, one a line, that are written as the work goes on and so may end in half a line."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from kmcodec.errors import KmcError
from kmcodec.files import FileName, make_folder_of
from kmcodec.streams import write_all

_BLOCK = 1 << 16


class LinesError(KmcError, ValueError):
    """A file of lines is something else."""


def read_lines(file: FileName, what: str) -> Iterator[tuple[int, Any]]:
    """
    The numbers of all lines and the objects in them; none if there is no such file.

    Of a last line that was cut off in the middle of writing nothing is taken.

    Args:
        file: Path of the file.
        what: What a line should be, for the error, such as "record of a sweep".

    Raises:
        LinesError: A line is something else, or it is no regular file.
        OSError: It cannot be read.
    """
    path = Path(file)
    if not path.exists():
        return
    if not path.is_file():  # a device may never end
        raise LinesError("is no file that lines could be taken from")
    with open(path, "rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except (ValueError, RecursionError):
                if not line.endswith(b"\n"):  # the process died as it wrote it
                    return
                raise not_a_line(number, what) from None
            yield number, entry


def not_a_line(number: int, what: str) -> LinesError:
    """The error for a line that is something else."""
    return LinesError(f"line {number} is no {what}: name another file, or delete it")


@contextmanager
def appending(file: FileName) -> Iterator[Callable[[object], None]]:
    """
    Open a file to add lines to, each written at once, in a folder that is made; half a line at its end is cut off.

    Raises:
        LinesError: There is a file, and it is something else.
        OSError: It cannot be written.
    """
    make_folder_of(file)
    with open(file, "ab+", buffering=0) as opened:
        stream = cast(BinaryIO, opened)
        _end_last_line(stream)

        def append(entry: object) -> None:
            write_all(stream, json.dumps(entry).encode() + b"\n")

        yield append


def _end_last_line(stream: BinaryIO) -> None:
    """So that the next line does not become part of it: one that was cut off is taken away."""
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return
    stream.seek(0)
    if stream.read(1) not in (b"", b"{"):
        raise LinesError("is something else than lines of JSON objects: name another file, or delete it")
    end = place = stream.seek(0, os.SEEK_END)
    while place:
        start = max(0, place - _BLOCK)
        stream.seek(start)
        newline = stream.read(place - start).rfind(b"\n")
        if newline >= 0:
            place = start + newline + 1
            break
        place = start
    if place == end:
        return
    stream.seek(place)
    if _is_json(stream.read(end - place)):
        write_all(stream, b"\n")
    else:
        stream.truncate(place)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
