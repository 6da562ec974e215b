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
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from kmcodec.cli import main

Run = subprocess.CompletedProcess[str]


BinaryRun = subprocess.CompletedProcess[bytes]


def kmcodec_here(*arguments: object, cwd: Path) -> Run:
    """The command in this process, which saves the time to start another one."""
    run = binary_kmcodec_here(*arguments, cwd=cwd)
    return subprocess.CompletedProcess(run.args, run.returncode, run.stdout.decode(), run.stderr.decode())


def binary_kmcodec_here(*arguments: object, cwd: Path = Path(), stdin: bytes = b"") -> BinaryRun:
    """The same, with what goes through standard input and output."""
    command = list(map(str, arguments))
    streams = [TextIOWrapper(BytesIO(content), "utf-8", write_through=True) for content in (stdin, b"", b"")]
    source, output, errors = streams
    before = sys.stdin, signal.getsignal(signal.SIGTERM), warnings.showwarning
    sys.stdin = source
    try:
        with chdir(cwd), redirect_stdout(output), redirect_stderr(errors), pytest.raises(SystemExit) as end:
            main(command)
    finally:
        sys.stdin, terminate, warnings.showwarning = before
        signal.signal(signal.SIGTERM, terminate)
    assert isinstance(end.value.code, int)
    written, said = (stream.buffer.getvalue() for stream in (output, errors))  # type: ignore[attr-defined]
    return subprocess.CompletedProcess(command, end.value.code, written, said)


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
