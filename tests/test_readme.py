"""The README's examples do what it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


MEASURED = "".join(f"{codec} K {k} True\n" for codec in ("kmcodec", "png8") for k in (16, 64))


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_python_examples_run(tmp_path: Path, photo_file: Path) -> None:
    (tmp_path / "photo.png").write_bytes(photo_file.read_bytes())
    for example, printed in zip(blocks("python"), ["256 256 64\n", "(3000, 3)\n", "", MEASURED], strict=True):
        run = subprocess.run([sys.executable, "-c", example], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (run.returncode, run.stdout, run.stderr) == (0, printed, "")


@pytest.mark.parametrize("session", blocks("console"))
def test_the_sessions_run_and_print_what_is_shown(session: str, tmp_path: Path, photo_file: Path) -> None:
    (tmp_path / "photo.png").write_bytes(photo_file.read_bytes())
    for step in session.split("$ ")[1:]:
        command, _, shown = step.partition("\n")
        run = subprocess.run(
            [sys.executable, "-m", *shlex.split(command, comments=True)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        if shown.strip():
            printed, expected = words(run.stdout), words(shown)
            assert [NUMBER.sub("#", word) for word in printed] == [NUMBER.sub("#", word) for word in expected]
            assert numbers(printed) == pytest.approx(numbers(expected), rel=0.03, abs=0.02)


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
