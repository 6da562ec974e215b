"""Files by path or URL; a file written is there whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, TypeAlias

FileName: TypeAlias = str | os.PathLike[str]


def is_url(name: FileName) -> bool:
    """Whether this names something behind fsspec, such as s3://bucket/picture.kmc."""
    return isinstance(name, str) and "://" in name


def open_binary(name: FileName) -> BinaryIO:
    """
    Open a file for reading, by path or URL.

    Raises:
        OSError: It cannot be read.
        ImportError: It is a URL, and fsspec is not installed.
    """
    if is_url(name):
        return _fsspec_open(os.fspath(name), "rb")
    return open(name, "rb")


def write_whole(name: FileName, data: bytes, *, overwrite: bool = True) -> None:
    """
    Write a file such that it appears under its name only when it is complete; until then an old one stays.

    The bytes go to a temporary file beside it, which then takes its name. What is not a regular file (a pipe, a
    device) is written to directly; a symbolic link is followed.

    Args:
        name: Path or URL.
        data: Contents.
        overwrite: Whether a file of this name may be replaced.

    Raises:
        FileExistsError: There is one, and it may not.
        OSError: It cannot be written.
        ImportError: It is a URL, and fsspec is not installed.
    """
    if is_url(name):
        with _fsspec_open(os.fspath(name), "wb" if overwrite else "xb") as file:
            file.write(data)
        return
    path = Path(os.path.realpath(name))
    mode = _mode_of(path)
    if mode is not None and not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        path.write_bytes(data)
        return
    if mode is not None and not overwrite:
        raise FileExistsError(17, "File exists", os.fspath(name))
    descriptor, temporary_name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".part", dir=path.parent)
    temporary = Path(temporary_name)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.chmod(0o666 & ~_umask() if mode is None else stat.S_IMODE(mode))
        if overwrite:
            temporary.replace(path)
        else:
            _rename_to_new(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _rename_to_new(temporary: Path, path: Path) -> None:
    """Rename, unless another process made a file of that name meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if path.exists():
            raise FileExistsError(17, "File exists", os.fspath(path)) from None
        temporary.replace(path)


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _fsspec_open(url: str, mode: str) -> BinaryIO:
    try:
        import fsspec
    except ImportError:
        raise ImportError(f"{url}: URLs need fsspec; install it with: pip install 'kmcodec[cloud]'") from None
    opened: BinaryIO = fsspec.open(url, mode).open()
    return opened
