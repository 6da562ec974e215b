"""`kmcodec mime`: systems learn that .kmc files are images."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

import kmcodec

NAMESPACE = "{http://www.freedesktop.org/standards/shared-mime-info}"


def needs(*programs: str) -> pytest.MarkDecorator:
    missing = [program for program in programs if shutil.which(program) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)}: not installed")


def mime(*arguments: str, home: Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"XDG_DATA_HOME": str(home)} | ({} if path is None else {"PATH": path})
    command = [sys.executable, "-m", "kmcodec", "mime", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_the_definition_says_what_the_format_is(tmp_path: Path) -> None:
    (kind,) = ElementTree.fromstring(mime(home=tmp_path).stdout)
    (glob,) = kind.iter(f"{NAMESPACE}glob")
    (match,) = kind.iter(f"{NAMESPACE}match")
    assert (kind.get("type"), glob.get("pattern")) == ("image/x-kmc", "*.kmc")
    assert (match.get("offset"), match.get("value")) == ("0", r"\x89KMC")
    assert kmcodec.encode(np.zeros((1, 1, 3), np.uint8)).startswith(b"\x89KMC")


@needs("update-mime-database", "xdg-mime")
def test_the_desktop_knows_the_type_once_it_is_installed(tmp_path: Path) -> None:
    home = tmp_path / "data"
    run = mime("--install", home=home)
    installed = home / "mime/packages/kmcodec.xml"
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{installed}: image/x-kmc installed\n", "")
    kmcodec.write(tmp_path / "named.kmc", np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "nameless").write_bytes((tmp_path / "named.kmc").read_bytes())
    assert "image/x-kmc:*.kmc" in (home / "mime/globs").read_text(encoding="utf-8")
    environment = os.environ | {"XDG_DATA_HOME": str(home), "XDG_CURRENT_DESKTOP": "X-Generic"}
    query = ["xdg-mime", "query", "filetype", str(tmp_path / "named.kmc")]
    found = subprocess.run(query, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "image/x-kmc", found.stderr
    run = mime("--uninstall", home=home)
    assert (run.returncode, run.stdout) == (0, f"{installed}: image/x-kmc removed\n")
    assert not installed.exists()
    assert not (home / "mime/globs").exists() or "kmc" not in (home / "mime/globs").read_text(encoding="utf-8")


def test_without_the_database_the_command_says_what_is_missing(tmp_path: Path) -> None:
    run = mime("--install", home=tmp_path, path=str(tmp_path))
    assert run.returncode == 0
    assert run.stderr == (
        "kmcodec: warning: update-mime-database is not there; install shared-mime-info, then run:"
        f" update-mime-database {tmp_path}/mime\n"
    )


def test_what_is_not_installed_cannot_be_removed(tmp_path: Path) -> None:
    run = mime("--uninstall", home=tmp_path)
    assert run.returncode == 1
    assert run.stderr == f"kmcodec: error: {tmp_path}/mime/packages/kmcodec.xml: not installed\n"


@pytest.mark.parametrize("action", ["--install", "--uninstall"])
def test_a_user_without_a_home_is_told_what_to_set(action: str) -> None:
    nobody = "import pwd, sys; pwd.getpwuid = lambda uid: {}[uid]; from kmcodec.cli import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", nobody, "mime", action]
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_DATA_HOME")}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "kmcodec: error: no home folder: set XDG_DATA_HOME\n")


@needs("file")
def test_file_knows_the_type_by_the_magic_entry(tmp_path: Path) -> None:
    (tmp_path / "kmc.magic").write_text(mime("--magic", home=tmp_path).stdout, encoding="utf-8")
    kmcodec.write(tmp_path / "a", np.zeros((9, 9, 3), np.uint8))
    for option, expected in (("-b", "kmcodec image, format version 1"), ("-bi", "image/x-kmc; charset=binary")):
        command = ["file", option, "-m", "kmc.magic", "a"]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.stdout.strip() == expected, run.stderr
