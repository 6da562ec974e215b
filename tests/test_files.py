"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kmcodec.files import check_target, folder_of, open_binary, write_whole


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


@pytest.mark.parametrize("name", ["none/", "none/.", "none/..", "none//"])
def test_a_name_that_only_a_folder_can_have_becomes_no_file(tmp_path: Path, name: str) -> None:
    for write in (lambda name: write_whole(name, b"new"), lambda name: check_target(name, overwrite=True)):
        with pytest.raises(IsADirectoryError, match=f"'{re.escape(str(tmp_path))}/{re.escape(name)}'"):
            write(f"{tmp_path}/{name}")
    assert names_in(tmp_path) == []


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


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(IsADirectoryError) as folder:
        write_whole(tmp_path, b"abc")
    with pytest.raises(FileNotFoundError) as no_folder:
        write_whole(tmp_path / "missing/file", b"abc")
    (tmp_path / "there").write_bytes(b"")
    (tmp_path / "link").symlink_to("there")
    with pytest.raises(FileExistsError) as exists:
        write_whole(tmp_path / "link", b"abc", overwrite=False)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device", "something else")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as no_space:
        write_whole(tmp_path / "file", b"abc")
    named = [error.value.filename for error in (folder, no_folder, exists, no_space)]
    assert named == [str(tmp_path / name) for name in ("", "missing/file", "link", "file")]


@pytest.mark.parametrize("name", ["漢" * 83 + ".png", "x" * 255])
def test_a_name_may_be_as_long_as_any(tmp_path: Path, name: str) -> None:
    write_whole(tmp_path / name, b"abc")
    assert names_in(tmp_path) == [name]


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="this system has no /dev/fd")
def test_a_pipe_without_a_path_is_written_to() -> None:
    reading, writing = os.pipe()
    write_whole(f"/dev/fd/{writing}", b"abc", overwrite=False)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert pipe.read() == b"abc"


def test_the_umask_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(_: int) -> int:
        raise AssertionError("another thread would make its files in between")

    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(os, "umask", changed)
            write_whole(tmp_path / "file", b"abc")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_a_url_is_written_and_read() -> None:
    write_whole("memory://folder/file", b"abc")
    with open_binary("memory://folder/file") as file:
        assert file.read() == b"abc"
    for refuse in (check_target, lambda name, overwrite: write_whole(name, b"new", overwrite=overwrite)):
        with pytest.raises(FileExistsError) as error:
            refuse("memory://folder/file", overwrite=False)
        assert error.value.filename == "memory://folder/file"


def test_whatever_a_backend_raises_is_an_error_of_the_file() -> None:
    with pytest.raises(OSError, match="Protocol not known: foo"):
        open_binary("foo://bar")
    with pytest.raises(OSError, match="Protocol not known: foo"):
        write_whole("foo://bar", b"")
    with pytest.raises(FileNotFoundError, match="No such file or directory: 'memory://missing'"):
        open_binary("memory://missing")


def test_contents_that_come_in_parts_are_there_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("no more")

    path = tmp_path / "a.kmc"
    write_whole(path, iter([b"one", b"", b"two"]))
    assert path.read_bytes() == b"onetwo"
    with pytest.raises(ValueError, match="no more"):
        write_whole(path, broken())
    assert path.read_bytes() == b"onetwo"
    assert list(tmp_path.iterdir()) == [path]


def test_the_folder_of_a_file_to_come_is_the_nearest_there_is(tmp_path: Path) -> None:
    assert folder_of(tmp_path / "a" / "b" / "c.kmc") == tmp_path
    assert folder_of("/dev/null") is None
    assert folder_of("memory://a/b.kmc") is None
