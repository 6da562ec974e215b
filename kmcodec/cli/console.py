"""What the command says, where it says it, and the progress bar that has to make way for it."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn

_bar: Progress | None = None  # the one on the screen


def say(text: str, *, err: bool = False) -> None:
    """
    Print a line on standard output, or standard error; bytes of a name that are no text are replaced.

    Raises:
        OSError: It cannot be written.
    """
    with _no_bar():
        click.echo(text.encode(errors="surrogateescape").decode(errors="replace"), err=err)


def say_error(text: str) -> None:
    """Print an error as every error of this command is printed."""
    _complain("error", text)


def say_warning(text: str) -> None:
    """Print a warning: the file is written all the same."""
    _complain("warning", text)


def show_python_warnings_in_one_line() -> None:
    """What libraries warn of, such as a kernel that was not compiled, without a line of their source."""

    def show(
        message: Warning | str,
        category: type[Warning],  # noqa: ARG001
        filename: str,  # noqa: ARG001
        lineno: int,  # noqa: ARG001
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        say_warning(str(message))

    warnings.showwarning = show


def flush_stdout() -> None:
    """
    Write what is left for standard output.

    What cannot be written is given up, or Python would try again, and complain, as it exits.

    Raises:
        OSError: It cannot be written.
    """
    if sys.stdout is None:  # closed, as by >&-
        return
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise


class FilesBar:
    """A progress bar over files, where there is none: what it is told is lost."""

    def start_file(self, name: str) -> None:
        """Show which file is worked on."""

    def count(self, total: int) -> None:
        """Show how many files there are."""

    def finish_file(self, *, saved_bytes: int = 0) -> None:
        """Count a file that is done, and by how much it is smaller now."""

    def leave_out_file(self) -> None:
        """Count one file less, which was done before."""


class _ShownBar(FilesBar):
    def __init__(self, bar: Progress, total: int | None) -> None:
        self._bar, self._total = bar, total
        self._task = bar.add_task("", total=total, saved="")
        self._saved = self._left_out = 0

    def start_file(self, name: str) -> None:
        self._bar.update(self._task, description=name)

    def count(self, total: int) -> None:
        self._total = total
        self._bar.update(self._task, total=total - self._left_out)

    def finish_file(self, *, saved_bytes: int = 0) -> None:
        self._saved += saved_bytes
        self._bar.update(self._task, advance=1, saved=f"{self._saved / 1e6:.1f} MB saved")

    def leave_out_file(self) -> None:
        self._left_out += 1
        if self._total is not None:
            self.count(self._total)


def _progress(columns: Sequence[ProgressColumn]) -> Progress:
    """On standard error, as wide as the terminal, and gone when it is done."""
    from rich.console import Console
    from rich.progress import Progress

    return Progress(
        *columns,
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        speed_estimate_period=300,
        expand=True,
    )


@contextmanager
def files_bar(total: int | None) -> Iterator[FilesBar]:
    """
    A progress bar over files, gone when they are done, where standard error is a terminal that can show one.

    Args:
        total: How many; None if it is not known yet.
    """
    global _bar
    if not _can_show_bar():
        yield FilesBar()
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column

    name = TextColumn(
        "{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")
    )
    columns: list[ProgressColumn] = [name, BarColumn(bar_width=12)]
    if total == 1:
        columns.append(TimeElapsedColumn())
    else:
        saved = TextColumn("{task.fields[saved]}", markup=False, table_column=Column(no_wrap=True))
        columns += [MofNCompleteColumn(), saved, TimeRemainingColumn(compact=True), TextColumn("left")]
    with _progress(columns) as bar:
        shown = _ShownBar(bar, total if total != 1 else None)
        _bar = bar
        try:
            yield shown
        finally:
            _bar = None


def show_step(text: str) -> None:
    """Say on the progress bar, if there is one, how far its file is."""
    if _bar is not None:
        _bar.update(_bar.task_ids[0], description=text)


@contextmanager
def progress_of(total: int) -> Iterator[Callable[[str, bool], None]]:
    """
    A progress bar over many steps with the time that is left, gone when they are done.

    It is told what each step was, and whether it was work; those that were none are not counted.
    """
    global _bar
    if not _can_show_bar():
        yield lambda _what, _is_work: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    columns = [
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("left"),
    ]
    with _progress(columns) as bar:
        task = bar.add_task("", total=total)
        _bar = bar

        def advance(what: str, is_work: bool) -> None:
            if is_work:
                bar.update(task, advance=1, description=what)
            else:
                bar.update(task, total=(bar.tasks[0].total or 1) - 1)

        try:
            yield advance
        finally:
            _bar = None


def _can_show_bar() -> bool:
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal and os.environ.get("TERM", "") not in ("dumb", "unknown")


@contextmanager
def _no_bar() -> Iterator[None]:
    """Take the bar off the screen for a moment: a line printed over it would be torn, whichever stream it is on."""
    if _bar is None:
        yield
        return
    _bar.stop()
    try:
        yield
    finally:
        _bar.start()


def _complain(kind: str, text: str) -> None:
    with suppress(OSError):  # standard error is full or gone: nobody can be told
        say(f"kmcodec: {kind}: {' '.join(text.split())}", err=True)
