"""The README's examples do what it says."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.command import heed_interrupts

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


MEASURED = "".join(f"{codec} K {k} True\n" for codec in ("kmcodec", "png8") for k in (16, 64))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_examples_run(folder: Path) -> None:
    outputs = ["256 256 64\n", "KMC P (256, 256) 64\n", "(3000, 3)\n", "", "40\n", MEASURED]
    for example, printed in zip(blocks("python"), outputs, strict=True):
        run = subprocess.run([sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout, run.stderr) == (0, printed, "")


@pytest.fixture
def folder(tmp_path: Path, photo_file: Path) -> Path:
    """With the photo, and a folder of forty cuttings."""
    (tmp_path / "photo.png").write_bytes(photo_file.read_bytes())
    with Image.open(photo_file) as photo:
        for number in range(40):
            path = tmp_path / f"pictures/{number % 3}/{number:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            photo.crop((4 * number, 0, 4 * number + 48, 48)).save(path)
    return tmp_path


@pytest.mark.parametrize("session", blocks("console"))
def test_the_sessions_run_and_print_what_is_shown(session: str, folder: Path) -> None:
    port = free_port()
    servers: list[subprocess.Popen[bytes]] = []
    try:
        for step in session.split("$ ")[1:]:
            command, _, shown = step.partition("\n")
            arguments = program(command.replace(":8786", f":{port}"))
            if command.endswith("&"):
                servers.append(subprocess.Popen(with_port(arguments[:-1], port), cwd=folder, stderr=subprocess.DEVNULL))
            elif "Ctrl-C" in command:
                assert_interrupted(arguments, folder, shown)
            else:
                run = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
                assert run.returncode == 0, run.stderr
                assert_shown(run.stdout, shown, is_exact="Ctrl-C" not in session)
    finally:
        for server in servers[::-1]:
            server.terminate()
            server.wait()


def program(command: str) -> list[str]:
    """What a shell would run; kmcodec and dask are modules of this interpreter."""
    name, *arguments = shlex.split(command, comments=True)
    return [sys.executable, "-m", name, *arguments] if name in ("kmcodec", "dask") else [name, *arguments]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def with_port(arguments: list[str], port: int) -> list[str]:
    """A scheduler where no other one is."""
    return [*arguments, "--port", str(port), "--no-dashboard"] if "scheduler" in arguments else arguments


def assert_interrupted(arguments: list[str], folder: Path, shown: str) -> None:
    """Press Ctrl-C when the first file is logged."""
    process = subprocess.Popen(
        arguments,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_interrupts,
    )
    log = folder / arguments[arguments.index("--log") + 1]
    while not (log.exists() and log.stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert_shown(errors, shown.removeprefix("...\n"), is_exact=False)


def assert_shown(printed: str, shown: str, *, is_exact: bool) -> None:
    """The same words, and about the same numbers if those are to count; "..." stands for any lines before the last."""
    if not shown.strip():
        return
    if shown.startswith("...\n"):
        shown = shown.removeprefix("...\n")
        printed = "\n".join(printed.splitlines()[-len(shown.splitlines()) :])
    found, expected = words(printed), words(shown)
    assert [NUMBER.sub("#", word) for word in found] == [NUMBER.sub("#", word) for word in expected]
    if is_exact:
        assert numbers(found) == pytest.approx(numbers(expected), rel=0.03, abs=0.02)


NUMBER = re.compile(r"\d+\.?\d*")


def words(text: str) -> list[str]:
    """Output without times, and without the lines of tables, whose length depends on the terminal."""
    return re.sub(r"\d+\.\d+ s\b|[─-╿]", "", text).split()


def numbers(found: list[str]) -> list[float]:
    """All of them; sizes may differ a little with the versions of zstd, and of Pillow's zlib."""
    return [float(number) for word in found for number in NUMBER.findall(word)]


def test_the_two_commands_stand_alone() -> None:
    assert "    python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/kmcodec demo\n" in README
    assert "    python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/pytest\n" in README
