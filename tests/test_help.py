"""`--help` is a manual page: it fits the terminal, and what it shows is true."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

import kmcodec
from kmcodec.cli.command import EXAMPLES, cli
from kmcodec.cli.help import Command

COMMANDS = {name: command for name, command in cli.commands.items() if isinstance(command, Command)}
LINES = [*EXAMPLES, *(example for command in COMMANDS.values() for example in command.examples)]


def help_of(*arguments: str, width: int) -> str:
    result = CliRunner().invoke(cli, [*arguments, "--help"], prog_name="kmcodec", terminal_width=width - 2)
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("width", [60, 80])
@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_fits_the_terminal(command: str, width: int) -> None:
    assert [line for line in help_of(*command.split(), width=width).splitlines() if len(line) > width] == []


def test_every_command_has_examples_and_exit_codes() -> None:
    assert set(COMMANDS) == set(cli.commands)
    for name in COMMANDS:
        shown = help_of(name, width=80)
        assert "\nExamples:\n" in shown
        assert "\nExit codes:\n" in shown
        assert f"\n    kmcodec {name}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_shown_once_and_no_argument_is(name: str) -> None:
    shown = help_of(name, width=80)
    for param in COMMANDS[name].params:
        if param.param_type_name == "option":
            assert len(re.findall(rf"^  (?:-\w, )?{param.opts[-1]}(?![\w-])", shown, re.MULTILINE)) == 1
        else:
            metavar = re.escape(param.make_metavar(click.Context(COMMANDS[name])))
            assert not re.search(rf"^  {metavar}(?:  |$)", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("command", "in_rows"), [("encode", True), ("decode", True), ("info", False), ("measure", False)]
)
def test_blocks_of_rows_are_spoken_of_where_pictures_are_taken_so(command: str, in_rows: bool) -> None:
    shown = " ".join(help_of(command, width=80).partition("--max-pixels")[2].partition("\n  -")[0].split())
    assert "Refuse larger pictures" in shown
    assert ("blocks of rows" in shown) == in_rows


def test_subjects_name_options_that_there_are() -> None:
    for command in COMMANDS.values():
        names = [name for names in command.subjects.values() for name in names]
        assert set(names) <= {param.name for param in command.params}
        assert len(names) == len(set(names))


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray, photo_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photo.png and photo.kmc in it, which is also home."""
    (tmp_path / "photo.png").write_bytes(photo_file.read_bytes())
    kmcodec.write(tmp_path / "photo.kmc", photo, 16)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return tmp_path


@pytest.mark.parametrize("line", [line for _, line in LINES if line != "kmcodec demo"])
def test_an_example_works(line: str, folder: Path) -> None:
    if line in ("kmcodec encode photo.png", "kmcodec encode *.png -d small"):
        (folder / "photo.kmc").unlink()
    if line == "kmcodec decode photo.kmc":
        (folder / "photo.png").unlink()
    if "--uninstall" in line:
        CliRunner().invoke(cli, ["mime", "--install"])
    if any(character in line for character in "<>*"):
        shell = f'kmcodec() {{ {shlex.quote(sys.executable)} -m kmcodec "$@"; }}; {line}'
        run = subprocess.run(["bash", "-c", shell], cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return
    result = CliRunner().invoke(cli, shlex.split(line)[1:], prog_name="kmcodec", catch_exceptions=False)
    assert result.exit_code == 0, result.output
