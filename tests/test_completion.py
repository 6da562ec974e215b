"""`kmcodec completion`: what a shell completes after Tab."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest


def script_for(shell: str) -> str:
    command = [sys.executable, "-m", "kmcodec", "completion", shell]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return run.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture and a command kmcodec in it."""
    (tmp_path / "my photo.png").touch()
    (tmp_path / "kmcodec").write_text(f'#!/bin/sh\nexec {sys.executable} -m kmcodec "$@"\n', encoding="utf-8")
    (tmp_path / "kmcodec").chmod(0o755)
    return tmp_path


def run_in(folder: Path, *command: str) -> str:
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


BASH = """
source ./script
COMP_WORDS=({words}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_kmcodec_completion kmcodec
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash: not installed")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("kmcodec enc", ["encode"]),
        ("kmcodec encode --spa", ["--space"]),
        ("kmcodec encode --space ok", ["oklab"]),
        ("kmcodec completion f", ["fish"]),
    ],
)
def test_bash_completes(words: str, completed: list[str], folder: Path) -> None:
    (folder / "script").write_text(script_for("bash"), encoding="utf-8")
    assert run_in(folder, "bash", "-c", BASH.format(words=words)).split() == completed


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash: not installed")
@pytest.mark.parametrize("words", ["kmcodec encode my", "kmcodec decode a.kmc -o my", "kmcodec info my"])
def test_bash_completes_names_of_files_itself(words: str, folder: Path) -> None:
    (folder / "script").write_text(script_for("bash"), encoding="utf-8")
    shell = 'compopt() { echo "asked for $*"; }; ' + BASH.format(words=words)
    assert run_in(folder, "bash", "-c", shell).split() == ["asked", "for", "-o", "default"]


@pytest.mark.parametrize(
    ("shell", "check"), [("bash", ["bash", "-n"]), ("zsh", ["zsh", "-n"]), ("fish", ["fish", "--no-execute"])]
)
def test_a_script_is_one_of_its_shell(shell: str, check: list[str], folder: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell}: not installed")
    (folder / "script").write_text(script_for(shell), encoding="utf-8")
    run_in(folder, *check, "script")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash: not installed")
def test_tab_completes_at_a_prompt(folder: Path) -> None:
    (folder / "script").write_text(script_for("bash"), encoding="utf-8")
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "TERM": "dumb", "PS1": "ready "}
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
    try:
        os.write(terminal, b"source ./script\nkmcodec enco\t--help\n")
        shown = b""
        while b"Usage: kmcodec encode" not in shown:
            assert select.select([terminal], [], [], 60)[0], shown
            shown += os.read(terminal, 4096)
    finally:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(terminal)


def test_another_shell_is_wrong_usage() -> None:
    command = [sys.executable, "-m", "kmcodec", "completion", "tcsh"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in run.stderr
