"""
Temporary files for what does not fit in memory.

They lie beside the file that will be written, where there is room if there is for that, and not in a folder that may be
in memory, as /tmp often is. On POSIX systems they have no name, and so are gone with the process, however it ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import overload

import numpy as np

from kmcodec.indexed import Labels, label_dtype
from kmcodec.streams import read_up_to, write_all


class Spool(Sequence[bytes]):
    """
    Byte strings in a temporary file, one after another; any thread may read them. The file goes with the object.

    Args:
        folder: Where the file is made; None for the system's own place.

    Raises:
        OSError: Here and in all methods: the file cannot be made, written or read; it names the folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = Path(tempfile.gettempdir()) if folder is None else folder
        with self._errors():
            self._file = tempfile.TemporaryFile(prefix=".kmcodec-", dir=self._folder)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self._ends = [0]
        self._lock = Lock()

    @property
    def size(self) -> int:
        """Bytes of all strings."""
        return self._ends[-1]

    def append(self, data: bytes) -> None:
        """Put one more at the end."""
        with self._errors(), self._lock:
            self._file.seek(self.size)
            write_all(self._file, data)
            self._file.flush()  # so that a full disk is found here
        self._ends.append(self.size + len(data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        with self._errors(), self._lock:
            self._file.seek(self._ends[place])
            return read_up_to(self._file, self._ends[place + 1] - self._ends[place])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """A full disk is named: it need not be the one of the file that is read, or written."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, f"temporary file: {error.strerror}", os.fspath(self._folder)) from error


class LabelSpool(Sequence[Labels]):
    """
    Strips of labels in a temporary file, as `encode_strips` wants them.

    Args:
        colors: K.
        width: Pixels in a row.
        folder: As of `Spool`.
    """

    def __init__(self, colors: int, width: int, folder: Path | None = None) -> None:
        self._spool = Spool(folder)
        self._dtype, self._width = label_dtype(colors), width

    def append(self, strip: Labels) -> None:
        """Put one more below, shape (rows, width)."""
        self._spool.append(strip.astype(self._dtype, copy=False).tobytes())

    def __len__(self) -> int:
        return len(self._spool)

    @overload
    def __getitem__(self, index: int) -> Labels: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Labels]: ...
    def __getitem__(self, index: int | slice) -> Labels | Sequence[Labels]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return np.frombuffer(self._spool[index], self._dtype).reshape(-1, self._width)
