"""Files in, files out: what `encode` and `decode` have in common."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from kmcodec.errors import KmcError
from kmcodec.files import is_url, open_binary, write_whole

STDIO = "-"

Report = dict[str, Any]


class Failure(Exception):  # noqa: N818  # it is not shown as an exception
    """Something that is said in one sentence and ends in exit code 1."""


@dataclass(frozen=True)
class Job:
    """One file to read and the one to write; either may be - for standard input or output."""

    source: str
    target: str


def jobs_of(inputs: Sequence[str], output: str | None, directory: str | None, ending: str) -> list[Job]:
    """Which file becomes which. Raises click.UsageError for two that would become one."""
    if output is not None and directory is not None:
        raise click.UsageError("-o names a file and -d a folder: give one of them")
    if output is not None and len(inputs) > 1:
        raise click.UsageError(f"-o takes one input, not {len(inputs)}: use -d for a folder")
    jobs = [Job(source, output or _target_of(source, directory, ending)) for source in inputs]
    source_of: dict[str, str] = {}
    for job in jobs:
        key = job.target if job.target == STDIO else os.path.abspath(job.target)  # noqa: PTH100  # keeps links
        if key in source_of:
            raise click.UsageError(
                f"{shown_input(source_of[key])} and {shown_input(job.source)} would both become"
                f" {shown_output(job.target)}: encode one of them with -o"
            )
        source_of[key] = job.source
    return jobs


def run(
    jobs: Sequence[Job],
    convert: Callable[[bytes, Job], tuple[bytes, Report]],
    line: Callable[[Report], str],
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """
    Convert every file in turn and report on it; one that fails does not stop the others.

    Args:
        jobs: The files.
        convert: From the contents of one to those of the other, and a report.
        line: A report as a line of text.
        overwrite: Whether files that exist are replaced.
        as_json: Whether to report as JSON.

    Raises:
        SystemExit: With 1 in the end if a file failed.
    """
    failed = False
    with _progress(jobs) as advance:
        for job in jobs:
            try:
                with failures_of(job.source):
                    report = _convert(job, convert, overwrite)
            except Failure as failure:
                failed = True
                say_error(str(failure))
            else:
                click.echo(json.dumps(report) if as_json else line(report), err=job.target == STDIO)
            advance()
    if failed:
        sys.exit(1)


@contextmanager
def failures_of(name: str) -> Iterator[None]:
    """Turn what may go wrong with a file into one sentence that names it."""
    try:
        yield
    except KmcError as error:
        raise Failure(f"{shown_input(name)}: {error}") from error
    except BrokenPipeError:
        raise
    except FileExistsError as error:
        raise Failure(f"{error.filename}: exists already; --overwrite replaces it") from error
    except OSError as error:
        where = shown_input(name) if error.filename is None else os.fsdecode(error.filename)
        raise Failure(f"{where}: {error.strerror or error}") from error
    except MemoryError as error:
        raise Failure(f"{shown_input(name)}: not enough memory") from error
    except ImportError as error:
        raise Failure(str(error)) from error


def say_error(text: str) -> None:
    """Print an error as every error of this command is printed."""
    click.echo(f"kmcodec: error: {text}", err=True)


def say_warning(text: str) -> None:
    """Print a warning: the file is written all the same."""
    click.echo(f"kmcodec: warning: {text}", err=True)


def read_bytes(name: str) -> bytes:
    """Contents of a file, a URL or standard input."""
    if name == STDIO:
        return sys.stdin.buffer.read()
    with open_binary(name) as file:
        return file.read()


def shown_input(name: str) -> str:
    """A name as messages show it."""
    return "standard input" if name == STDIO else name


def shown_output(name: str) -> str:
    """A name as messages show it."""
    return "standard output" if name == STDIO else name


def _target_of(source: str, directory: str | None, ending: str) -> str:
    if source == STDIO:
        if directory is not None:
            raise click.UsageError("a picture from standard input has no name: use -o with it, not -d")
        return STDIO
    path = Path(source.rpartition("/")[2] if is_url(source) else source).with_suffix(ending)
    return str(Path(directory) / path.name if directory else path)


def _convert(job: Job, convert: Callable[[bytes, Job], tuple[bytes, Report]], overwrite: bool) -> Report:
    if job.target == STDIO and sys.stdout.isatty():
        raise Failure("standard output is a terminal: redirect it, or name a file with -o")
    if not overwrite and Path(job.target).is_file():  # found before the work, not after
        raise FileExistsError(17, "File exists", job.target)
    data, report = convert(read_bytes(job.source), job)
    if job.target == STDIO:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    else:
        Path(job.target).parent.mkdir(parents=True, exist_ok=True)
        write_whole(job.target, data, overwrite=overwrite)
    return {"input": job.source, "output": job.target, **report}


@contextmanager
def _progress(jobs: Sequence[Job]) -> Iterator[Callable[[], None]]:
    """A progress bar over the jobs, gone when they are done, where standard error is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    names = iter([shown_input(job.source) for job in jobs])
    columns = [TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn()]
    if len(jobs) > 1:
        columns.append(MofNCompleteColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=sys.stdout.isatty())
    with bar:
        task = bar.add_task(next(names), total=len(jobs) if len(jobs) > 1 else None)
        yield lambda: bar.update(task, advance=1, description=next(names, ""))
