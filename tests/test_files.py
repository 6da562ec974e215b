"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from kmcodec.files import write_whole


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_new_file_has_the_mode_that_open_would_give_it(tmp_path: Path) -> None:
    write_whole(tmp_path / "new", b"abc")
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert names_in(tmp_path) == ["new", "other"]


def test_a_replaced_file_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o640)
    write_whole(path, b"new")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (b"new", 0o640)


def test_a_file_is_not_replaced_unless_it_may(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_whole(path, b"new", overwrite=False)
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    fsync = os.fsync

    def slow_fsync(descriptor: int) -> None:
        path.write_bytes(b"other")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    with pytest.raises(FileExistsError):
        write_whole(path, b"new", overwrite=False)
    assert path.read_bytes() == b"other"
    assert names_in(tmp_path) == ["file"]


def test_file_systems_without_hard_links_work_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", no_links)
    write_whole(tmp_path / "file", b"new", overwrite=False)
    with pytest.raises(FileExistsError):
        write_whole(tmp_path / "file", b"newer", overwrite=False)
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert names_in(tmp_path) == ["file"]


def test_a_symbolic_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_whole(tmp_path / "link", b"abc")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"abc"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, b"abc", overwrite=False)
    reader.join()
    assert received == [b"abc"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("signal", ["SIGKILL", "SIGTERM"])
def test_killed_while_writing_the_old_file_stays(tmp_path: Path, signal: str, photo_file: Path) -> None:
    target = tmp_path / "photo.kmc"
    target.write_bytes(b"old")
    script = (
        "import os, signal, sys\n"
        "fsync = os.fsync\n"
        f"os.fsync = lambda descriptor: os.kill(os.getpid(), signal.{signal})\n"
        "from kmcodec.cli import main\n"
        f"main(['encode', {str(photo_file)!r}, '-o', {str(target)!r}, '--overwrite', '-k', '4'])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert run.returncode != 0
    assert target.read_bytes() == b"old"
    if signal == "SIGTERM":
        assert names_in(tmp_path) == ["photo.kmc"]
