"""Files by path or URL; a file written is there whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias, TypeGuard

from kmcodec.errors import LimitError

FileName: TypeAlias = str | os.PathLike[str]

Contents: TypeAlias = bytes | Iterable[bytes]
"""Of a file: whole, or in parts that follow one another."""

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileVersion:
    """
    What changes when a file does.

    Attributes:
        size: Bytes.
        stamp: Time of its last change in nanoseconds; behind a URL whatever its server tells, perhaps nothing.
    """

    size: int
    stamp: str


def is_url(name: FileName) -> bool:
    """Whether this names something behind fsspec, such as s3://bucket/picture.kmc."""
    return isinstance(name, str) and "://" in name


def names_folder(name: FileName) -> bool:
    """Whether only a folder can have this name: it ends in a separator, or in . or .. as its last part."""
    return os.path.basename(name) in ("", ".", "..")  # noqa: PTH119  # a Path forgets the separator


def local_path(name: str) -> str | None:
    """The path of a file on this machine, also where a URL such as file:///tmp/a.png names it; None for other URLs."""
    if not is_url(name):
        return name
    scheme, _, path = name.partition("://")
    return path if scheme in ("file", "local") else None


def open_binary(name: FileName) -> BinaryIO:
    """
    Open a file for reading, by path or URL.

    Raises:
        OSError: It cannot be read.
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    if is_url(name):
        url = os.fspath(name)
        with url_errors(url):
            return _fsspec_open(url, "rb")
    return open(name, "rb")


def read_at_most(stream: BinaryIO, limit: int | None) -> bytes:
    """
    Contents of a file that may never end.

    Args:
        stream: The file.
        limit: Most bytes it may have; None for no limit.

    Raises:
        LimitError: It is longer.
        OSError: It cannot be read.
    """
    buffer = BytesIO()
    while chunk := stream.read(_CHUNK):
        if limit is not None and buffer.tell() + len(chunk) > limit:
            raise LimitError(f"more than {limit} bytes, the limit of a file")
        buffer.write(chunk)
    return buffer.getvalue()


def version_of(name: FileName) -> FileVersion:
    """
    What tells a file from itself before a change.

    Raises:
        OSError: It cannot be read.
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    if is_url(name):
        return _url_version(os.fspath(name))
    status = os.stat(name)  # noqa: PTH116  # as in _checked_mode
    return FileVersion(status.st_size, str(status.st_mtime_ns))


def exists(name: FileName) -> bool:
    """
    Whether there is anything of this name.

    Raises:
        OSError: That cannot be found out.
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    if is_url(name):
        return _url_exists(os.fspath(name))
    return os.path.lexists(name)


def check_target(name: FileName, *, overwrite: bool) -> None:
    """
    Raise what `write_whole` would raise for what is there already; so it is found before the work, not after.

    Raises:
        FileExistsError: There is such a file, and it may not be replaced.
        IsADirectoryError: It is a folder.
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    if is_url(name):
        if not overwrite and _url_exists(os.fspath(name)):
            raise _os_error(errno.EEXIST, name)
        return
    _checked_mode(name, overwrite)


def make_folder_of(name: FileName) -> None:
    """
    Make the folder that a file shall be in, and those above it; behind a URL folders need not be made.

    Raises:
        OSError: It cannot be made.
    """
    if is_url(name):
        return
    folder = Path(name).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        raise OSError(errno.ENOTDIR, "is a file, not a folder", str(file)) from None


def is_under_a_file(name: FileName) -> bool:
    """Whether a part of a path that should be a folder is not one; `make_folder_of` says so better."""
    return not is_url(name) and any(path.exists() and not path.is_dir() for path in Path(name).parents)


def write_whole(name: FileName, data: Contents, *, overwrite: bool = True) -> None:
    """
    Write a file such that it appears under its name only when it is complete; until then an old one stays.

    The bytes go to a temporary file beside it, which then takes its name. What is not a regular file (a pipe, a
    device) is written to directly; a symbolic link is followed.

    Args:
        name: Path or URL.
        data: Contents, whole or in parts that follow one another.
        overwrite: Whether a file of this name may be replaced.

    Raises:
        FileExistsError: There is one, and it may not.
        OSError: It cannot be written.
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    parts = (data,) if isinstance(data, bytes) else data
    if is_url(name):
        _write_url(os.fspath(name), parts, overwrite=overwrite)
        return
    # asked of the name as given: what /dev/stdout or /dev/fd/63 links to may have no path
    mode = _checked_mode(name, overwrite)
    if mode is not None and not stat.S_ISREG(mode):
        with _errors_naming(name), open(name, "wb") as file:
            file.writelines(parts)
        return
    with _errors_naming(name):
        _write_beside(Path(os.path.realpath(name)), parts, mode, overwrite=overwrite)


def folder_of(name: FileName) -> Path | None:
    """Where a file will be written, or the nearest folder above that is there already; None for a URL or a device."""
    if is_url(name):
        return None
    path = Path(os.path.realpath(name))
    if path.exists() and not path.is_file():
        return None
    return next(folder for folder in path.parents if folder.is_dir())


def _checked_mode(name: FileName, overwrite: bool) -> int | None:
    """The mode of what has this name, None if nothing has. Raises FileExistsError and IsADirectoryError."""
    try:
        mode = os.stat(name).st_mode  # noqa: PTH116  # a Path would show another name in errors
    except FileNotFoundError:
        if not names_folder(name):
            return None
        raise _os_error(errno.EISDIR, name) from None
    if stat.S_ISDIR(mode):
        raise _os_error(errno.EISDIR, name)
    if stat.S_ISREG(mode) and not overwrite:
        raise _os_error(errno.EEXIST, name)
    return mode


def _write_beside(path: Path, parts: Iterable[bytes], mode: int | None, *, overwrite: bool) -> None:
    # the name is short, so that there is room for it wherever there is for the file's own
    temporary = path.with_name(f".kmcodec-{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)  # less the umask, as of any new file
    try:
        with open(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(descriptor)
        if mode is not None:
            temporary.chmod(stat.S_IMODE(mode))
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
            raise _os_error(errno.EEXIST, path) from None
        temporary.replace(path)


@contextmanager
def _errors_naming(name: FileName) -> Iterator[None]:
    """Errors name the file that was asked for, not the temporary one."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, os.fspath(name)) from error


def _os_error(number: int, name: FileName) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(name))


def _write_url(url: str, parts: Iterable[bytes], *, overwrite: bool) -> None:
    with url_errors(url), _fsspec_open(url, "wb" if overwrite else "xb") as file:
        for part in parts:
            file.write(part)


def _url_exists(url: str) -> bool:
    with url_errors(url):
        import fsspec

        file = fsspec.open(url)
        return bool(file.fs.exists(file.path))


def _url_version(url: str) -> FileVersion:
    with url_errors(url):
        import fsspec

        file = fsspec.open(url)
        info = file.fs.info(file.path)
    stamps = (info.get(name) for name in ("ETag", "etag", "LastModified", "mtime", "created"))
    return FileVersion(int(info.get("size") or 0), next((str(stamp) for stamp in stamps if stamp), ""))


def _fsspec_open(url: str, mode: str) -> BinaryIO:
    import fsspec

    # where there are folders they are made; elsewhere that would make buckets
    opened: BinaryIO = fsspec.open(url, mode, auto_mkdir=url.startswith(("file:", "local:"))).open()
    return opened


@contextmanager
def url_errors(url: str) -> Iterator[None]:
    """Whatever a backend of fsspec raises, as an OSError that names the URL."""
    try:
        yield
    except ImportError as error:
        if error.name == "fsspec":
            raise ImportError(f"{url}: URLs need fsspec; install it with: pip install 'kmcodec[cloud]'") from None
        raise ImportError(f"{url}: {error}") from error
    except FileExistsError as error:
        raise _os_error(errno.EEXIST, url) from error
    except FileNotFoundError as error:
        if _is_of_the_server(error.__cause__):
            raise OSError(errno.EIO, _reason_of(error.__cause__), url) from error
        raise _os_error(errno.ENOENT, url) from error
    except Exception as error:
        raise OSError(getattr(error, "errno", None) or errno.EIO, _reason_of(error), url) from error


def _is_of_the_server(cause: BaseException | None) -> TypeGuard[Exception]:
    """Whether a file "is not there" for lack of a server, or since that would not tell: so fsspec puts it for HTTP."""
    if isinstance(cause, OSError):
        return not isinstance(cause, FileNotFoundError)
    return type(cause).__module__.partition(".")[0] == "aiohttp" and getattr(cause, "status", 0) not in (404, 410)


def _reason_of(error: Exception) -> str:
    return " ".join((getattr(error, "strerror", None) or str(error) or type(error).__name__).split())
