"""Many files on the command line: folders, logs, what stands in the way, and what is said about it."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kmcodec
from tests.command import heed_interrupts, kmcodec_here, terminal_output_of, without_colors


@pytest.fixture
def folder(tmp_path: Path, photo: np.ndarray) -> Path:
    """Pictures in a folder and in two below it, with a file of another kind."""
    for number, name in enumerate(["a.png", "b.png", "sub/c.png", "sub/deep/d d é.webp"]):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo[30 * number : 30 * number + 24, :32]).save(path)
    (tmp_path / "in/notes.txt").write_text("no picture")
    return tmp_path


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def log_of(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def encode(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return kmcodec_here("encode", "in", "-d", "out", "-k", 4, "-j", 1, *arguments, cwd=folder)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_folder_keeps_its_tree(folder: Path, jobs: int) -> None:
    run = kmcodec_here("encode", "in", "-d", "out", "-k", 4, "--recursive", "-j", jobs, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert tree(folder / "out") == ["a.kmc", "b.kmc", "sub/c.kmc", "sub/deep/d d é.kmc"]
    for path in (folder / "in").rglob("*.*g"):
        target = (folder / "out" / path.relative_to(folder / "in")).with_suffix(".kmc")
        assert target.read_bytes() == kmcodec.encode(Image.open(path), 4)
    *lines, summary = run.stdout.splitlines()
    assert sorted(line.split(":")[0] for line in lines) == [
        f"out/{name}" for name in ("a.kmc", "b.kmc", "sub/c.kmc", "sub/deep/d d é.kmc")
    ]
    assert re.fullmatch(r"4 encoded; \d+ -> \d+ bytes \(\d+\.\d%\); left out 1 other file", summary)


def test_without_recursive_only_the_folders_own_files_are_taken(folder: Path) -> None:
    assert encode(folder).returncode == 0
    assert tree(folder / "out") == ["a.kmc", "b.kmc"]


def test_without_a_folder_to_write_to_files_appear_beside_their_source(folder: Path) -> None:
    run = kmcodec_here("encode", "in", "-r", "-k", 4, "-j", 1, cwd=folder)
    assert run.returncode == 0
    assert [name for name in tree(folder / "in") if name.endswith(".kmc")] == [
        "a.kmc",
        "b.kmc",
        "sub/c.kmc",
        "sub/deep/d d é.kmc",
    ]


def test_decode_does_the_same_for_kmc_files(folder: Path) -> None:
    encode(folder, "-r")
    run = kmcodec_here("decode", "out", "-d", "again", "-r", "-j", 2, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert tree(folder / "again") == ["a.png", "b.png", "sub/c.png", "sub/deep/d d é.png"]
    with Image.open(folder / "again/sub/c.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), kmcodec.read(folder / "out/sub/c.kmc"))


def test_one_bad_file_stops_no_other_and_is_listed_in_the_end(folder: Path) -> None:
    (folder / "in/bad.png").write_bytes(b"\x89PNG not")
    (folder / "in/empty.png").write_bytes(b"")
    run = encode(folder, "--log", "log.jsonl")
    assert run.returncode == 1
    assert tree(folder / "out") == ["a.kmc", "b.kmc"]
    errors = [
        "in/bad.png: not an image that Pillow can read, or damaged",
        "in/empty.png: empty, where an image was expected",
    ]
    assert run.stderr.splitlines() == [
        *[f"kmcodec: error: {error}" for error in errors],
        "kmcodec: error: 2 failed:",
        *[f"  {error}" for error in errors],
    ]


def test_the_list_of_failures_has_an_end(folder: Path) -> None:
    for number in range(30):
        (folder / f"in/empty{number}.png").write_bytes(b"")
    run = encode(folder)
    assert run.stderr.splitlines()[-1] == "  and 10 more; --log would keep all"
    assert len(run.stderr.splitlines()) == 30 + 1 + 20 + 1


def test_the_log_has_a_line_a_file(folder: Path) -> None:
    (folder / "in/bad.png").write_bytes(b"no picture")
    encode(folder, "--log", "log.jsonl", "--quiet")
    entries = {entry["input"]: entry for entry in log_of(folder / "log.jsonl")}
    assert sorted(entries) == ["in/a.png", "in/b.png", "in/bad.png"]
    done, bad = entries["in/a.png"], entries["in/bad.png"]
    assert (done["status"], done["output"], done["colors"]) == ("done", "out/a.kmc", 4)
    assert done["input_bytes"] == (folder / "in/a.png").stat().st_size
    assert done["output_bytes"] == (folder / "out/a.kmc").stat().st_size
    assert done["psnr_db"] > 10
    assert done["seconds"] > 0
    assert done["settings"] == bad["settings"]
    assert (bad["status"], bad["error"]) == (
        "failed",
        "in/bad.png: not an image that Pillow can read, or damaged",
    )


def test_the_folder_of_a_log_is_made(folder: Path) -> None:
    assert encode(folder, "--log", "new/er/log.jsonl", "--dry-run").returncode == 0
    assert not (folder / "new").exists()
    assert encode(folder, "--log", "new/er/log.jsonl").returncode == 0
    assert len(log_of(folder / "new/er/log.jsonl")) == 2
    run = encode(folder, "--log", "in/a.png/log.jsonl")
    assert (run.returncode, run.stderr) == (1, "kmcodec: error: in/a.png: is a file, not a folder\n")


def test_resume_does_what_is_not_done(folder: Path) -> None:
    encode(folder, "--log", "log.jsonl")
    stamps = {path: path.stat().st_mtime_ns for path in (folder / "out").iterdir()}
    (folder / "out/b.kmc").unlink()
    with (folder / "log.jsonl").open("ab") as log:
        log.write(b'{"input": "in/half')  # it was killed as it wrote
    run = encode(folder, "-r", "--log", "log.jsonl", "--resume")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("3 encoded, 1 done before; ")
    assert tree(folder / "out") == ["a.kmc", "b.kmc", "sub/c.kmc", "sub/deep/d d é.kmc"]
    assert (folder / "out/a.kmc").stat().st_mtime_ns == stamps[folder / "out/a.kmc"]
    assert len(log_of(folder / "log.jsonl")) == 5


def test_resume_does_again_what_has_changed(folder: Path) -> None:
    encode(folder, "--log", "log.jsonl")
    shutil.copy(folder / "in/sub/c.png", folder / "in/a.png")
    run = encode(folder, "--log", "log.jsonl", "--resume", "--overwrite")
    assert run.stdout.splitlines()[-1].startswith("1 encoded, 1 done before; ")
    assert (folder / "out/a.kmc").read_bytes() == kmcodec.encode(Image.open(folder / "in/a.png"), 4)
    other = kmcodec_here(
        *("encode", "in", "-d", "out", "-k", 5, "-j", 1, "--log", "log.jsonl", "--resume", "--overwrite"), cwd=folder
    )
    assert other.stdout.splitlines()[-1].startswith("2 encoded; ")


def test_resume_takes_a_file_for_done_that_was_written_and_not_logged(folder: Path) -> None:
    encode(folder)
    run = encode(folder, "--log", "log.jsonl", "--resume")
    assert (run.returncode, run.stdout.splitlines()[-1].split(";")[0]) == (0, "2 encoded")
    (folder / "log.jsonl").unlink()
    (folder / "out/a.kmc").write_bytes(b"of somebody else")
    run = encode(folder, "--log", "log.jsonl", "--resume")
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: out/a.kmc: exists already; --overwrite replaces it\n")
    assert (folder / "out/a.kmc").read_bytes() == b"of somebody else"


def test_what_failed_before_is_left_alone_unless_it_is_to_be_tried_again(folder: Path) -> None:
    (folder / "in/bad.png").symlink_to("missing")
    assert encode(folder, "--log", "log.jsonl").returncode == 1
    run = encode(folder, "--log", "log.jsonl", "--resume")
    assert run.returncode == 1
    assert run.stderr.splitlines()[-1] == "  in/bad.png: failed before; --retry-failed tries it again"
    assert run.stdout == "0 encoded, 2 done before, 1 failed; left out 1 other file\n"
    shutil.copy(folder / "in/a.png", folder / "in/missing")
    run = encode(folder, "--log", "log.jsonl", "--retry-failed")
    assert (run.returncode, run.stdout.splitlines()[-1].split(";")[0]) == (0, "1 encoded, 2 done before")


def test_a_file_that_is_no_log_is_refused_and_left_alone(folder: Path) -> None:
    for contents in (b"once upon a time\n", b'{"key": 1}\n', b"[]\n", b"3\n"):
        (folder / "log.jsonl").write_bytes(contents)
        run = encode(folder, "--log", "log.jsonl", "--resume")
        assert run.returncode == 1
        says = "log.jsonl: line 1 is no report on a file: name another file, or delete it"
        assert run.stderr == f"kmcodec: error: {says}\n"
        assert (folder / "log.jsonl").read_bytes() == contents


def test_a_dry_run_says_what_would_be_done_and_writes_nothing(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/b.kmc").write_bytes(b"old")
    before = tree(folder)
    run = encode(folder, "-r", "--dry-run", "--log", "log.jsonl")
    assert run.returncode == 1
    assert run.stdout.splitlines() == [
        "would encode in/a.png to out/a.kmc",
        "would encode in/sub/c.png to out/sub/c.kmc",
        "would encode in/sub/deep/d d é.webp to out/sub/deep/d d é.kmc",
        "3 to encode, 1 failed; left out 1 other file",
    ]
    assert "out/b.kmc: exists already; --overwrite replaces it" in run.stderr
    assert tree(folder) == before


def test_fail_fast_stops_at_the_first_failure(folder: Path) -> None:
    (folder / "in/aa.png").write_bytes(b"")
    assert encode(folder, "--fail-fast").returncode == 1
    assert tree(folder / "out") == ["a.kmc"]


def test_quiet_says_nothing_but_what_is_wrong(folder: Path) -> None:
    run = encode(folder, "--quiet")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    (folder / "in/bad.png").write_bytes(b"")
    run = encode(folder, "--quiet", "--overwrite")
    assert (run.returncode, run.stdout) == (1, "")
    assert "in/bad.png: empty" in run.stderr


def test_json_is_one_object_a_line_also_of_a_folder(folder: Path) -> None:
    entries = [json.loads(line) for line in encode(folder, "--json").stdout.splitlines()]
    assert [entry["output"] for entry in entries] == ["out/a.kmc", "out/b.kmc"]


def test_a_file_that_would_be_larger_is_left_out_and_that_is_said(folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    Image.fromarray(noise).save(folder / "in/b.webp", quality=1)
    (folder / "in/b.png").unlink()
    arguments = ("encode", "in", "-d", "out", "-j", 1, "--skip-larger", "--log", "log.jsonl")
    run = kmcodec_here(*arguments, cwd=folder)
    assert (run.returncode, tree(folder / "out")) == (0, ["a.kmc"])
    assert "out/b.kmc: not written, it would not be smaller" in run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 encoded, 1 would not be smaller; ")
    again = kmcodec_here(*arguments, "--resume", cwd=folder)
    assert again.stdout == "0 encoded, 2 done before; left out 1 other file\n"


@pytest.mark.parametrize("jobs", [1, 2])
def test_of_two_files_that_would_become_one_the_second_is_named_and_nothing_is_lost(folder: Path, jobs: int) -> None:
    shutil.copy(folder / "in/b.png", folder / "in/a.webp")
    (folder / "in/a.kmc.png").symlink_to("b.png")
    run = kmcodec_here("encode", "in", "-d", "out", "-k", 4, "--overwrite", "-j", jobs, cwd=folder)
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: in/a.webp: not written, for in/a.png becomes out/a.kmc already\n")
    assert tree(folder / "out") == ["a.kmc", "a.kmc.kmc", "b.kmc"]
    assert (folder / "out/a.kmc").read_bytes() == kmcodec.encode(Image.open(folder / "in/a.png"), 4)


def test_two_folders_and_a_file_do_not_overwrite_each_other(folder: Path) -> None:
    shutil.copytree(folder / "in", folder / "in2")
    (folder / "b.png").write_bytes((folder / "in/sub/c.png").read_bytes())
    run = kmcodec_here("encode", "in", "in2", "b.png", "-d", "out", "-k", 4, "-j", 1, "--overwrite", cwd=folder)
    assert run.returncode == 1
    assert sorted(line for line in run.stderr.splitlines() if line.startswith("kmcodec: error: in")) == [
        "kmcodec: error: in/b.png: not written, for b.png becomes out/b.kmc already",
        "kmcodec: error: in2/a.png: not written, for in/a.png becomes out/a.kmc already",
        "kmcodec: error: in2/b.png: not written, for b.png becomes out/b.kmc already",
    ]
    assert tree(folder / "out") == ["a.kmc", "b.kmc"]
    assert (folder / "out/b.kmc").read_bytes() == kmcodec.encode(Image.open(folder / "b.png"), 4)


def test_what_is_named_twice_is_done_once(folder: Path) -> None:
    run = kmcodec_here("encode", "in", "in/", "in/a.png", "-k", 4, "-j", 1, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith("2 encoded; ")


def test_links_to_files_are_read_and_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "in/sub/loop").symlink_to("..")
    (folder / "in/link.png").symlink_to("sub/c.png")
    (folder / "there").symlink_to("in")
    run = kmcodec_here("encode", "there", "-d", "out", "-k", 4, "-r", "-j", 1, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert tree(folder / "out") == ["a.kmc", "b.kmc", "link.kmc", "sub/c.kmc", "sub/deep/d d é.kmc"]


@pytest.mark.parametrize("into", ["out", "file://{folder}/out"])
def test_a_link_that_leads_to_an_input_is_not_written_through(folder: Path, into: str) -> None:
    original = (folder / "in/b.png").read_bytes()
    (folder / "out").mkdir()
    (folder / "out/a.kmc").symlink_to("../in/b.png")
    run = encode(folder, "--overwrite", "-d", into.format(folder=folder))
    assert run.returncode == 1
    assert "out/a.kmc: is a link to " in run.stderr
    assert (folder / "in/b.png").read_bytes() == original


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_log_is_never_made_of_another_file(folder: Path, resume: tuple[str, ...]) -> None:
    shutil.copy(folder / "in/a.png", folder / "victim.png")
    before = (folder / "victim.png").read_bytes()
    run = encode(folder, "--log", "victim.png", *resume)
    assert run.returncode == 1
    assert run.stderr.startswith("kmcodec: error: victim.png: ")
    assert (folder / "victim.png").read_bytes() == before


@pytest.mark.parametrize("log", ["in/a.png", "out/a.kmc", "./in/../in/a.png"])
def test_a_log_is_no_file_that_is_read_or_written(folder: Path, log: str) -> None:
    before = (folder / "in/a.png").read_bytes()
    run = kmcodec_here("encode", "in/a.png", "-d", "out", "--log", log, cwd=folder)
    assert run.returncode == 2
    assert f"{log} cannot be the log" in run.stderr
    assert (folder / "in/a.png").read_bytes() == before


def test_a_last_line_without_its_end_is_kept_if_it_is_whole(folder: Path) -> None:
    assert encode(folder, "--log", "l.jsonl").returncode == 0
    whole = (folder / "l.jsonl").read_bytes()
    (folder / "l.jsonl").write_bytes(whole.rstrip(b"\n"))
    assert encode(folder, "--log", "l.jsonl", "--resume").returncode == 0
    assert (folder / "l.jsonl").read_bytes().startswith(whole)


def test_what_was_in_the_way_is_tried_again_on_resume(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/a.kmc").write_bytes(b"another file")
    assert encode(folder, "--log", "l.jsonl", "--resume").returncode == 1
    (folder / "out/a.kmc").unlink()
    assert encode(folder, "--log", "l.jsonl", "--resume").returncode == 0
    assert (folder / "out/a.kmc").exists()


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_named_input_is_not_overwritten_by_a_file_of_a_folder(folder: Path, jobs: int) -> None:
    (folder / "out").mkdir()
    shutil.copy(folder / "in/b.png", folder / "out/a.kmc")  # a picture, whatever its name
    before = (folder / "out/a.kmc").read_bytes()
    run = kmcodec_here("encode", "in", "out/a.kmc", "-d", "out", "--overwrite", "-j", jobs, cwd=folder)
    assert run.returncode == 1
    assert "in/a.png: not written, for out/a.kmc becomes out/a.kmc already" in run.stderr
    assert (folder / "out/a.kmc").read_bytes() == before


def test_a_named_file_is_not_written_through_a_link_to_another_kind(folder: Path) -> None:
    (folder / "original.png").write_bytes(b"of great value")
    (folder / "in/a.kmc").symlink_to(folder / "original.png")
    run = kmcodec_here("encode", "in/a.png", "--overwrite", cwd=folder)
    assert run.returncode == 1
    assert "is a link to" in run.stderr
    assert (folder / "original.png").read_bytes() == b"of great value"


def test_fail_fast_logs_what_was_under_way(folder: Path) -> None:
    for number in range(12):
        shutil.copy(folder / "in/a.png", folder / f"in/{number:02}.png")
    (folder / "in/00.png").write_bytes(b"no picture")
    encode(folder, "-j", 2, "--fail-fast", "--log", "l.jsonl")
    done = {Path(line["output"]).name for line in log_of(folder / "l.jsonl") if line["status"] == "done"}
    assert done == {path.name for path in (folder / "out").iterdir()}


def test_files_that_are_to_share_a_palette_say_why_they_cannot_be_read(folder: Path) -> None:
    (folder / "x.png").write_bytes(b"no picture")
    run = kmcodec_here("encode", "x.png", "--shared-palette", cwd=folder)
    assert run.returncode == 1
    assert "x.png: not an image" in run.stderr


@pytest.mark.parametrize("jobs", [1, 2])
def test_names_may_have_spaces_newlines_and_bytes_that_are_no_text(folder: Path, jobs: int) -> None:
    names = [b"with space.png", "漢字.png".encode(), b"\xff\xfe.png", b"line\nbreak.png", b"-k.png"]
    for name in names:
        shutil.copy(folder / "in/a.png", os.fsencode(folder / "in") + b"/" + name)
    arguments = ("encode", "in", "-d", "out", "-k", 4, "-j", jobs, "--log", "log.jsonl")
    run = kmcodec_here(*arguments, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    expected = sorted([*(name[:-4] + b".kmc" for name in names), b"a.kmc", b"b.kmc"])
    assert sorted(map(os.fsencode, tree(folder / "out"))) == expected
    assert len(run.stdout.splitlines()) == len(names) + 3
    again = kmcodec_here(*arguments, "--resume", cwd=folder)
    assert again.stdout.startswith(f"0 encoded, {len(names) + 2} done before")


def test_a_folder_without_images_is_said(folder: Path) -> None:
    (folder / "none/below").mkdir(parents=True)
    run = kmcodec_here("encode", "none", cwd=folder)
    assert run.returncode == 1
    hint = " (--recursive looks into the folders below as well)"
    assert run.stderr.startswith(f"kmcodec: error: none: a folder without images{hint}\n")
    run = kmcodec_here("decode", "in", "-r", cwd=folder)
    assert run.stderr.startswith("kmcodec: error: in: a folder without .kmc files\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["in", "-o", "x.kmc"], "-o names a file, and the input is a folder: use -d"),
        (["in", "--resume"], "--resume needs the log of the run to go on with: --log F.jsonl"),
        (["in", "--retry-failed"], "--retry-failed needs the log of the run to go on with: --log F.jsonl"),
        (["in", "--log", ""], "--log needs a name, not an empty one"),
        (["in", "--jobs", "0"], "0 is not in the range x>=1"),
        (["in", "--dask", "x:1", "--jobs", "2"], "--dask and --jobs exclude each other"),
        (["-", "--shared-palette"], "--shared-palette needs the names of files: - is standard input or output"),
        (["in", "--shared-palette", "-q", "50"], "a shared palette and quality exclude each other"),
        (["in", "--shared-palette", "--psnr", "30"], "a shared palette and psnr exclude each other"),
        (["in", "--shared-palette", "--max-bytes", "9"], "a shared palette and max-bytes exclude each other"),
        (["in", "--shared-palette", "--palette", "in/a.png"], "a shared palette and palette exclude each other"),
    ],
)
def test_options_that_make_no_sense_are_refused(folder: Path, arguments: list[str], says: str) -> None:
    run = kmcodec_here("encode", *arguments, cwd=folder)
    assert (run.returncode, run.stdout) == (2, "")
    assert says in run.stderr
    assert not list(folder.rglob("*.kmc"))


@pytest.mark.parametrize("arguments", [("-k", 6), ("-k", 6, "--rdo", 40), ("-k", 6, "--dither", "ordered")])
def test_a_shared_palette_is_in_every_file(folder: Path, arguments: tuple[object, ...]) -> None:
    run = kmcodec_here("encode", "in", "-d", "out", "-r", "--shared-palette", "-j", 2, *arguments, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    pictures = [np.asarray(Image.open(path).convert("RGB")) for path in sorted((folder / "in").rglob("*.[pw]*"))]
    expected = kmcodec.quantize(np.concatenate(pictures), 6).palette
    for path in (folder / "out").rglob("*.kmc"):
        with kmcodec.open(path) as file:
            assert file.palette.tobytes() == expected.tobytes()


@contextmanager
def permissions_that_count() -> Iterator[None]:
    """They do not for root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_what_may_not_be_read_or_written_is_named(folder: Path) -> None:
    encode(folder, "-r")  # loads what another user may not
    shutil.rmtree(folder / "out")
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        place = Path(name)
        place.chmod(0o777)
        shutil.copytree(folder / "in", place / "in")
        (place / "in/a.png").chmod(0)
        (place / "in/sub/deep").chmod(0)
        (place / "out/sub").mkdir(parents=True)
        (place / "out").chmod(0o777)
        (place / "out/sub").chmod(0o555)
        with chdir(place), permissions_that_count():  # who may not go back to the folder the tests run in
            run = encode(place, "-r")
        (place / "in/sub/deep").chmod(0o755)
        written = tree(place / "out")
    assert run.returncode == 1
    assert [line for line in run.stderr.splitlines() if line.startswith("kmcodec")] == [
        "kmcodec: error: in/a.png: Permission denied",
        "kmcodec: error: out/sub/c.kmc: Permission denied",
        "kmcodec: error: in/sub/deep: Permission denied",
        "kmcodec: error: 3 failed:",
    ]
    assert written == ["b.kmc"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_full_disk_fails_every_file_and_leaves_no_half_one(folder: Path, jobs: int) -> None:
    def no_space() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    command = [sys.executable, "-m", "kmcodec", "encode", "in", "-d", "out", "-r", "-j", str(jobs)]
    run = subprocess.run(command, cwd=folder, preexec_fn=no_space, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "kmcodec: error: out/a.kmc: File too large\n" in run.stderr
    assert run.stdout.startswith("0 encoded, 4 failed")
    assert tree(folder / "out") == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_log_that_cannot_be_written_stops_the_work(folder: Path) -> None:
    run = encode(folder, "--log", "/dev/full")
    assert run.returncode == 1
    assert run.stderr == "kmcodec: error: /dev/full: No space left on device\n"


def start_slow_run(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Encode 24 pictures, in a session of its own, and come back when the first are done."""
    for number in range(22):
        (folder / f"in/{number:02}.png").write_bytes((folder / "in/a.png").read_bytes())
    process = subprocess.Popen(
        [sys.executable, "-m", "kmcodec", "encode", "in", "-d", "out", "--log", "log.jsonl", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    while not ((folder / "log.jsonl").exists() and (folder / "log.jsonl").stat().st_size):
        assert process.poll() is None
        time.sleep(0.01)
    return process


def processes_of(session: int) -> list[str]:
    """Of a session, those that still run."""
    run = subprocess.run(["ps", "-o", "stat=,args=", "-s", str(session)], capture_output=True, text=True, check=False)
    return [line for line in run.stdout.splitlines() if not line.startswith("Z")]


@pytest.mark.parametrize(
    ("kind", "code", "jobs"),
    [
        (signal.SIGINT, 130, "1"),
        (signal.SIGINT, 130, "2"),
        (signal.SIGTERM, 143, "2"),
        (signal.SIGKILL, -signal.SIGKILL, "2"),
    ],
)
def test_a_run_that_is_broken_off_goes_on_later(folder: Path, kind: signal.Signals, code: int, jobs: str) -> None:
    process = start_slow_run(folder, "--jobs", jobs)
    (os.killpg if kind == signal.SIGINT else os.kill)(process.pid, kind)
    _, errors = process.communicate(timeout=60)
    done = len(log_of(folder / "log.jsonl"))
    assert process.returncode == code
    if kind == signal.SIGINT:
        says = rf"kmcodec: error: interrupted: {done} files are encoded; the same command with --resume goes on\n"
        assert re.fullmatch(says, errors)
    else:
        assert errors == ""
    end = time.monotonic() + 20
    while processes_of(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_of(process.pid) == []
    assert all(name.endswith(".kmc") for name in tree(folder / "out")) or kind == signal.SIGKILL
    assert done < 24
    run = kmcodec_here("encode", "in", "-d", "out", "--log", "log.jsonl", "--resume", "-j", 1, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines()[-1].startswith(f"{24 - done} encoded, {done} done before")
    assert {entry["status"] for entry in log_of(folder / "log.jsonl")} == {"done"}


def test_a_worker_that_is_killed_loses_no_file(folder: Path) -> None:
    process = start_slow_run(folder, "--jobs", "2")
    workers = subprocess.run(["pgrep", "-f", "spawn_main", "-s", str(process.pid)], capture_output=True, check=False)
    os.kill(int(workers.stdout.split()[0]), signal.SIGKILL)
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert output.splitlines()[-1].startswith("24 encoded; ")
    assert len([name for name in tree(folder / "out") if name.endswith(".kmc")]) == 24


def test_the_bar_shows_files_megabytes_and_time_in_60_columns(folder: Path) -> None:
    output = terminal_output_of(["encode", "in", "-d", "out", "-r", "-j", "1"], folder)
    shown = without_colors(output)
    assert re.search(r"\d/4 0\.0 MB saved +(-+:-+|\d\d:\d\d) left", shown)
    bars = [line for line in re.split(r"[\r\n]|\x1b\[\d*[A-Z]", shown) if " left" in line]
    assert bars
    assert max(map(len, bars)) <= 60


@pytest.mark.parametrize(
    ("environment", "arguments", "has_bar", "has_color"),
    [
        ({}, [], True, True),
        ({"NO_COLOR": "1"}, [], True, False),
        ({"TERM": "dumb"}, [], False, False),
        ({}, ["--quiet"], False, False),
    ],
)
def test_colour_and_progress_only_where_they_are_wanted(
    folder: Path, environment: dict[str, str], arguments: list[str], has_bar: bool, has_color: bool
) -> None:
    output = terminal_output_of(["encode", "in", "-d", "out", "-j", "1", *arguments], folder, environment)
    assert ("MB saved" in without_colors(output)) == has_bar
    assert bool(re.search(r"\x1b\[[\d;]*3\d", output)) == has_color


def test_a_folder_loads_no_more_than_it_must(folder: Path) -> None:
    """A single file needs no multiprocessing, and decoding a folder no quantiser."""
    encode(folder)
    script = "import sys, runpy, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    for arguments, absent in (
        (["encode", "in/a.png", "-o", "x.kmc"], {"multiprocessing", "rich", "fsspec"}),
        (["decode", "out", "-d", "again", "-j", "2"], {"kmcodec.quantizer", "kmcodec.rate_distortion"}),
    ):
        code = script + f"sys.argv = ['kmcodec', *{arguments!r}]; runpy.run_module('kmcodec', run_name='__main__')"
        run = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False)
        assert run.returncode == 0
        assert not absent & set(run.stderr.split())
