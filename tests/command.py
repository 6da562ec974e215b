"""The command, run as a user runs it."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from kmcodec.cli import main

Run = subprocess.CompletedProcess[str]


def kmcodec_here(*arguments: object, cwd: Path) -> Run:
    """The command in this process, which saves the time to start another one."""
    command = list(map(str, arguments))
    output, errors = StringIO(), StringIO()
    terminate, show = signal.getsignal(signal.SIGTERM), warnings.showwarning
    try:
        with chdir(cwd), redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as end:
            main(command)
    finally:
        signal.signal(signal.SIGTERM, terminate)
        warnings.showwarning = show
    assert isinstance(end.value.code, int)
    return subprocess.CompletedProcess(command, end.value.code, output.getvalue(), errors.getvalue())


def kmcodec_run(*arguments: object, cwd: Path, environment: Mapping[str, str] | None = None) -> Run:
    command = [sys.executable, "-m", "kmcodec", *map(str, arguments)]
    environment = {**os.environ, **(environment or {})}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def heed_interrupts() -> None:
    """What a new process does first where it is to be interrupted: those of a shell's background jobs ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def terminal_output_of(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str] | None = None, columns: int = 60
) -> str:
    """Everything sent to a terminal that is standard output and standard error."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kmcodec", *arguments],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), **(environment or {})},
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    with contextlib.suppress(OSError):  # Linux reports the end of a terminal so
        while chunk := os.read(leader, 65536):
            output += chunk
    os.close(leader)
    process.wait()
    return output.decode()


def without_colors(output: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", output)
