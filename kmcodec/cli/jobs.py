"""Files in, files out: what `encode` and `decode` have in common."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import click

from kmcodec.cli.console import flush_stdout, progress, say, say_error
from kmcodec.errors import KmcError, LimitError
from kmcodec.files import check_target, is_url, open_binary, write_whole
from kmcodec.limits import DEFAULT_LIMITS

STDIO = "-"

Report = dict[str, Any]
Contents: TypeAlias = bytes | Iterable[bytes]
"""Of a file: whole, or in parts that follow one another."""

Convert = Callable[["Job"], tuple[Contents, Report]]

_CHUNK = 1 << 20


class Failure(Exception):  # noqa: N818  # it is not shown as an exception
    """Something that is said in one sentence and ends in exit code 1."""


@dataclass(frozen=True)
class Job:
    """
    One file to read and the one to write; either may be - for standard input or output.

    `named` tells whether the one to write was named by the user, not after the other.
    """

    source: str
    target: str
    named: bool


def jobs_of(inputs: Sequence[str], output: str | None, directory: str | None, ending: str) -> list[Job]:
    """Which file becomes which. Raises click.UsageError for two that would become one."""
    if output is not None and directory is not None:
        raise click.UsageError("-o names a file and -d a folder: give one of them")
    if output == "" or directory == "":
        raise click.UsageError(f"{'-o' if output == '' else '-d'} needs a name, not an empty one")
    if output is not None and len(inputs) > 1:
        raise click.UsageError(f"-o takes one input, not {len(inputs)}: use -d for a folder")
    if output == "/dev/stdout":
        output = STDIO
    jobs = [Job(source, output or _target_of(source, directory, ending), output is not None) for source in inputs]
    source_of: dict[str, str] = {}
    for job in jobs:
        if not job.target:
            continue
        key = job.target if job.target == STDIO or is_url(job.target) else os.path.abspath(job.target)  # noqa: PTH100  # keeps links
        if key in source_of:
            raise click.UsageError(
                f"{shown_input(source_of[key])} and {shown_input(job.source)} would both become"
                f" {shown_output(job.target)}: write one of them with -o"
            )
        source_of[key] = job.source
    return jobs


def run(
    jobs: Sequence[Job], convert: Convert, line: Callable[[Report], str], *, overwrite: bool, as_json: bool
) -> None:
    """
    Convert every file in turn and report on it; one that fails does not stop the others.

    Args:
        jobs: The files.
        convert: From a job to the contents of the file to write, and a report.
        line: A report as a line of text.
        overwrite: Whether files that exist are replaced.
        as_json: Whether to report as JSON.

    Raises:
        SystemExit: With 1 in the end if a file failed.
    """
    failed = False
    sources = {key: job.source for job in jobs if (key := _file_key(job.source))}
    with progress([shown_input(job.source) for job in jobs]) as advance:
        for job in jobs:
            try:
                with failures_of(job.source):
                    _check_target(job, sources, overwrite)
                    report = _convert(job, convert, overwrite)
            except Failure as failure:
                failed = True
                say_error(str(failure))
            else:
                say(json.dumps(report) if as_json else line(report), err=job.target == STDIO)
            advance()
    if failed:
        sys.exit(1)


@contextmanager
def failures_of(name: str) -> Iterator[None]:
    """Turn what may go wrong with a file into one sentence that names it."""
    try:
        yield
    except (Failure, BrokenPipeError):
        raise
    except KmcError as error:
        hint = "; --max-pixels raises it" if isinstance(error, LimitError) and "pixels" in str(error) else ""
        raise Failure(f"{shown_input(name)}: {error}{hint}") from error
    except FileExistsError as error:
        raise Failure(f"{error.filename}: exists already; --overwrite replaces it") from error
    except OSError as error:
        where = name if error.filename is None else os.fsdecode(error.filename)
        raise Failure(f"{shown_input(where)}: {error.strerror or error}") from error
    except MemoryError as error:
        raise Failure(f"{shown_input(name)}: not enough memory") from error
    except ImportError as error:
        raise Failure(str(error)) from error
    except Exception as error:
        if not is_url(name):
            raise
        # a backend of fsspec reads when asked to, and then raises whatever its protocol leads it to
        raise Failure(f"{name}: {error or type(error).__name__}") from error


@contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Open a file, a URL or standard input."""
    with BytesIO(read_bytes(name)) if name == STDIO else open_binary(name) as stream:
        yield stream


def read_bytes(name: str, limit: int | None = DEFAULT_LIMITS.file_bytes) -> bytes:
    """
    Contents of a file, a URL or standard input, any of which may never end.

    Raises:
        LimitError: They are longer than the limit.
    """
    if name == STDIO:
        if sys.stdin is None:
            raise Failure("standard input is closed")
        return _read_at_most(sys.stdin.buffer, limit)
    with open_binary(name) as file:
        return _read_at_most(file, limit)


def shown_input(name: str) -> str:
    """A name as messages show it."""
    return "standard input" if name == STDIO else name or "''"


def shown_output(name: str) -> str:
    """A name as messages show it."""
    return "standard output" if name == STDIO else name


def _target_of(source: str, directory: str | None, ending: str) -> str:
    """The name of a file to write, empty where a source has no name."""
    if source == STDIO:
        if directory is not None:
            raise click.UsageError("a picture from standard input has no name: use -o with it, not -d")
        return STDIO
    path = Path(source.rpartition("/")[2] if is_url(source) else source)
    if not path.name:
        return ""
    path = path.with_suffix(ending)
    if directory is None:
        return str(path)
    if is_url(directory):
        return f"{directory}{'' if directory.endswith('/') else '/'}{path.name}"
    return str(Path(directory) / path.name)


def _check_target(job: Job, sources: dict[tuple[int, int], str], overwrite: bool) -> None:
    """Find what stands in the way before the work, not after."""
    if job.target == STDIO:
        if sys.stdout is None:
            raise Failure("standard output is closed")
        if sys.stdout.isatty():
            raise Failure("standard output is a terminal: redirect it, or name a file with -o")
        return
    if not job.target:
        raise Failure(f"{shown_input(job.source)}: not the name of a file")
    replaced = sources.get(_file_key(job.target) or (0, 0))
    if replaced == job.source and not job.named:
        raise Failure(f"{job.source}: a {Path(job.target).suffix} file already")
    if replaced is not None:
        raise Failure(f"{job.target}: is an input, and not overwritten")
    if not _is_under_a_file(job.target):
        check_target(job.target, overwrite=overwrite)


def _convert(job: Job, convert: Convert, overwrite: bool) -> Report:
    data, report = convert(job)
    write_output(job.target, data, overwrite=overwrite)
    return {"input": job.source, "output": job.target, **report}


def write_output(target: str, data: Contents, *, overwrite: bool) -> None:
    """Write a file, in a folder that is made if need be, or standard output. Raises OSError or Failure if it fails."""
    if target == STDIO:
        _write_stdout((data,) if isinstance(data, bytes) else data)
        return
    if not is_url(target):
        _make_folder(Path(target).parent)
    write_whole(target, data, overwrite=overwrite)


def _write_stdout(parts: Iterable[bytes]) -> None:
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:  # one write may be of a part, where PYTHONUNBUFFERED is set
                rest = rest[sys.stdout.buffer.write(rest) :]
        flush_stdout()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise Failure(f"standard output: {error.strerror}") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(path for path in (folder, *folder.parents) if path.exists())
        raise OSError(errno.ENOTDIR, "is a file, not a folder", str(file)) from None


def _is_under_a_file(name: str) -> bool:
    """Whether a part of a path that should be a folder is not one; `_make_folder` says so better."""
    return not is_url(name) and any(path.exists() and not path.is_dir() for path in Path(name).parents)


def _file_key(name: str) -> tuple[int, int] | None:
    """What tells a regular file from every other, whatever its name."""
    if name == STDIO or is_url(name):
        return None
    try:
        status = os.stat(name)  # noqa: PTH116  # Path("") is the current folder
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _read_at_most(stream: BinaryIO, limit: int | None) -> bytes:
    buffer = BytesIO()
    while chunk := stream.read(_CHUNK):
        if limit is not None and buffer.tell() + len(chunk) > limit:
            raise LimitError(f"more than {limit} bytes, the limit of a file")
        buffer.write(chunk)
    return buffer.getvalue()
