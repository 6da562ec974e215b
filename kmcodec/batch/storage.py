"""Where the files of jobs are."""

from __future__ import annotations

import os
import stat
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from kmcodec import files
from kmcodec.sentences import printable


class Storage(Protocol):
    """Reads and writes files by name."""

    def shown(self, name: str) -> str:
        """The name of a file to read as messages show it."""
        ...

    def shown_target(self, name: str) -> str:
        """The name of a file to write as messages show it."""
        ...

    def version(self, name: str) -> files.FileVersion | None:
        """What tells a file to read from itself before a change; None where nothing does. Raises OSError."""
        ...

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to read. Raises OSError, or ImportError for a URL without what it needs."""
        ...

    def path(self, name: str) -> str | None:
        """The path of a file that can be read again and again; None where there is none. Raises OSError."""
        ...

    def folder(self, name: str) -> Path | None:
        """A folder for temporary files of one to write; None for the system's own."""
        ...

    def check(self, name: str, *, overwrite: bool) -> None:
        """Raise what `write` would raise for what is there already."""
        ...

    def write(self, name: str, data: files.Contents, *, overwrite: bool) -> None:
        """Write a file, which appears only when it is whole, in a folder that is made. Raises as `write_whole`."""
        ...


class Disk:
    """Paths, and URLs through fsspec."""

    def shown(self, name: str) -> str:
        """As `Storage.shown`."""
        return printable(name) or "''"

    def shown_target(self, name: str) -> str:
        """As `Storage.shown_target`."""
        return self.shown(name)

    def version(self, name: str) -> files.FileVersion | None:
        """As `Storage.version`."""
        is_stream = not files.is_url(name) and self.path(name) is None  # its size is not that of what it gives
        return None if is_stream else files.version_of(name)

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """As `Storage.open`."""
        return files.open_binary(name)

    def path(self, name: str) -> str | None:
        """As `Storage.path`."""
        return name if not files.is_url(name) and stat.S_ISREG(os.stat(name).st_mode) else None  # noqa: PTH116

    def folder(self, name: str) -> Path | None:
        """As `Storage.folder`."""
        return files.folder_of(name)

    def check(self, name: str, *, overwrite: bool) -> None:
        """As `Storage.check`."""
        if not files.is_under_a_file(name):
            files.check_target(name, overwrite=overwrite)

    def write(self, name: str, data: files.Contents, *, overwrite: bool) -> None:
        """As `Storage.write`."""
        files.make_folder_of(name)
        files.write_whole(name, data, overwrite=overwrite)


DISK = Disk()
