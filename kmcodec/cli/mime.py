"""`kmcodec mime`."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import click

from kmcodec.cli.console import say, say_warning
from kmcodec.cli.help import Command
from kmcodec.cli.jobs import Failure, failures_of

_XML, _MAGIC = "kmcodec.xml", "kmcodec.magic"
_UPDATER = "update-mime-database"


@click.command(
    cls=Command,
    examples=[
        ("Let file managers and xdg-open know .kmc files:", "kmcodec mime --install"),
        ("Let file(1) know them:", "kmcodec mime --magic"),
        ("Take it back:", "kmcodec mime --uninstall"),
    ],
    environment=[("XDG_DATA_HOME", "Your data folder; ~/.local/share if not set.")],
)
@click.option("--install", is_flag=True, help="Install the type in your own data folder.")
@click.option("--uninstall", is_flag=True, help="Remove it from there.")
@click.option("--magic", is_flag=True, help="Show the entry for file(1) instead: file -m FILE …")
def mime(install: bool, uninstall: bool, magic: bool) -> None:
    """
    Tell the system what .kmc files are.

    Without options this shows the definition of the type image/x-kmc for shared-mime-info, which the desktops of Linux
    and BSD go by. A distribution installs it as share/mime/packages/kmcodec.xml.
    """
    if install + uninstall + magic > 1:
        raise click.UsageError("--install, --uninstall and --magic exclude each other")
    if install:
        _install()
    elif uninstall:
        _uninstall()
    else:
        say(_contents(_MAGIC if magic else _XML).rstrip("\n"))


def _install() -> None:
    from kmcodec.files import write_whole

    path = _installed_path()
    with failures_of(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, _contents(_XML).encode())
    _update(path)
    say(f"{path}: image/x-kmc installed")


def _uninstall() -> None:
    path = _installed_path()
    if not path.exists():
        raise Failure(f"{path}: not installed")
    with failures_of(str(path)):
        path.unlink()
    _update(path)
    say(f"{path}: image/x-kmc removed")


def _installed_path() -> Path:
    # a relative path is to be ignored (XDG Base Directory Specification)
    home = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not home.is_absolute():
        try:
            home = Path.home() / ".local/share"
        except RuntimeError:
            raise Failure("no home folder: set XDG_DATA_HOME") from None
    return home / "mime/packages" / _XML


def _update(path: Path) -> None:
    """Let the database take it in, or say why not: the file alone does nothing."""
    folder = path.parent.parent
    if shutil.which(_UPDATER) is None:
        say_warning(f"{_UPDATER} is not there; install shared-mime-info, then run: {_UPDATER} {folder}")
        return
    run = subprocess.run([_UPDATER, str(folder)], capture_output=True, text=True, check=False)
    if run.returncode:
        raise Failure(f"{_UPDATER} failed: {' '.join(run.stderr.split()) or run.returncode}")


def _contents(name: str) -> str:
    return files("kmcodec.mime").joinpath(name).read_text(encoding="utf-8")
