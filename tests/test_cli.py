"""The command: what it does, what it says, how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmcodec

Run = subprocess.CompletedProcess[bytes]


def kmcodec_run(*arguments: object, cwd: Path | None = None, stdin: bytes = b"") -> Run:
    command = [sys.executable, "-m", "kmcodec", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, check=False)


def text(output: bytes) -> str:
    return output.decode()


@pytest.fixture
def folder(tmp_path: Path, photo_file: Path) -> Path:
    """A folder with photo.png in it."""
    (tmp_path / "photo.png").write_bytes(photo_file.read_bytes())
    return tmp_path


def modules_loaded_by(*arguments: str) -> set[str]:
    script = (
        "import sys, atexit, runpy\n"
        "atexit.register(lambda: print(*sys.modules, sep='\\n', file=sys.stderr))\n"
        f"sys.argv = {['kmcodec', *arguments]!r}\n"
        "runpy.run_module('kmcodec', run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert run.returncode == 0, text(run.stderr)
    return set(text(run.stderr).split())


def test_encode_writes_a_file_beside_the_image_and_says_one_line(folder: Path) -> None:
    run = kmcodec_run("encode", "photo.png", "-k", 16, cwd=folder)
    assert run.returncode == 0
    assert run.stderr == b""
    size = (folder / "photo.kmc").stat().st_size
    assert re.fullmatch(
        rf"photo\.kmc: K 16, 153912 -> {size} bytes \(\d+\.\d%\), \d+\.\d{{3}} bits/px, \d+\.\d\d dB, \d+\.\d\d s\n",
        text(run.stdout),
    )


def test_the_figures_are_those_of_the_files(folder: Path) -> None:
    run = kmcodec_run("encode", "photo.png", "-k", 16, "--json", cwd=folder)
    report = json.loads(run.stdout)
    decoded = kmcodec.read(folder / "photo.kmc")
    original = np.asarray(Image.open(folder / "photo.png"))
    mse = np.square(decoded.astype(float) - original).mean()
    assert report["psnr_db"] == pytest.approx(10 * np.log10(255**2 / mse), abs=1e-9)
    assert report["output_bytes"] == (folder / "photo.kmc").stat().st_size
    assert report["input_bytes"] == (folder / "photo.png").stat().st_size
    assert report["bits_per_pixel"] == 8 * report["output_bytes"] / (256 * 256)
    assert (report["colors"], report["width"], report["height"], report["lossless"]) == (16, 256, 256, False)


def test_decode_gives_the_picture_back(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 16, cwd=folder)
    run = kmcodec_run("decode", "photo.kmc", "-o", "again.png", cwd=folder)
    assert run.returncode == 0
    assert text(run.stdout).startswith("again.png: 256 x 256, K 16, ")
    with Image.open(folder / "again.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), kmcodec.read(folder / "photo.kmc"))


@pytest.mark.parametrize("ending", [".png", ".webp", ".tif", ".bmp", ".gif"])
def test_decode_writes_other_formats_without_loss(folder: Path, ending: str) -> None:
    kmcodec_run("encode", "photo.png", "-k", 16, cwd=folder)
    assert kmcodec_run("decode", "photo.kmc", "-o", f"again{ending}", cwd=folder).returncode == 0
    with Image.open(folder / f"again{ending}") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), kmcodec.read(folder / "photo.kmc"))


def test_standard_input_and_output(folder: Path) -> None:
    encoded = kmcodec_run("encode", "-", "-k", 16, stdin=(folder / "photo.png").read_bytes())
    assert encoded.returncode == 0
    assert text(encoded.stderr).startswith("standard output: K 16, ")
    decoded = kmcodec_run("decode", "-", stdin=encoded.stdout)
    assert decoded.stdout.startswith(b"\x89PNG")
    info = kmcodec_run("info", "-", stdin=encoded.stdout)
    assert "colors" in text(info.stdout)


def test_several_files_into_a_folder_that_is_made(folder: Path) -> None:
    (folder / "second one ü.png").write_bytes((folder / "photo.png").read_bytes())
    run = kmcodec_run("encode", "photo.png", "second one ü.png", "-d", "out/small", "-k", 4, cwd=folder)
    assert run.returncode == 0
    assert len(text(run.stdout).splitlines()) == 2
    assert (folder / "out/small/photo.kmc").read_bytes() == (folder / "out/small/second one ü.kmc").read_bytes()


def test_one_bad_file_does_not_stop_the_others(folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"\x89PNG not")
    (folder / "empty.png").write_bytes(b"")
    run = kmcodec_run("encode", "bad.png", "empty.png", "missing.png", "photo.png", "-k", 4, cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).splitlines() == [
        "kmcodec: error: bad.png: not an image that Pillow can read, or damaged",
        "kmcodec: error: empty.png: empty, where an image was expected",
        "kmcodec: error: missing.png: No such file or directory",
    ]
    assert [path.name for path in folder.glob("*.kmc")] == ["photo.kmc"]


def test_a_file_that_exists_stays_unless_told_otherwise(folder: Path) -> None:
    (folder / "photo.kmc").write_bytes(b"old")
    run = kmcodec_run("encode", "photo.png", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: photo.kmc: exists already; --overwrite replaces it\n"
    assert (folder / "photo.kmc").read_bytes() == b"old"
    assert kmcodec_run("encode", "photo.png", "--overwrite", "-k", 2, cwd=folder).returncode == 0
    assert (folder / "photo.kmc").read_bytes().startswith(b"\x89KMC")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["encode"], "Missing argument 'IN...'"),
        (["encode", "a.png", "b.png", "-o", "c.kmc"], "-o takes one input, not 2"),
        (["encode", "a.png", "-o", "c.kmc", "-d", "out"], "give one of them"),
        (["encode", "a.png", "a.jpg"], "a.png and a.jpg would both become a.kmc"),
        (["encode", "x/a.png", "y/a.png", "-d", "out"], "x/a.png and y/a.png would both become out/a.kmc"),
        (["encode", "-", "-d", "out"], "use -o with it"),
        (["encode", "a.png", "-k", "0"], "0 is not in the range 1<=x<=65536"),
        (["encode", "a.png", "-e", "10"], "10 is not in the range 1<=x<=9"),
        (["encode", "a.png", "--nothing"], "No such option"),
        (["recode", "a.png"], "No such command 'recode'"),
    ],
)
def test_wrong_usage_is_explained_and_exits_with_2(arguments: list[str], says: str, tmp_path: Path) -> None:
    run = kmcodec_run(*arguments, cwd=tmp_path)
    assert run.returncode == 2
    assert says in text(run.stderr)
    assert text(run.stderr).startswith("Usage: kmcodec")
    assert run.stdout == b""


def test_a_damaged_file_gives_one_line_and_no_output(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    data = bytearray((folder / "photo.kmc").read_bytes())
    data[-1] ^= 1
    (folder / "photo.kmc").write_bytes(data)
    run = kmcodec_run("decode", "photo.kmc", "-o", "out.png", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: photo.kmc: strip 0: damaged, its CRC-32 does not fit\n"
    assert not (folder / "out.png").exists()


def test_a_folder_or_an_unknown_ending_is_explained(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    (folder / "sub").mkdir()
    assert text(kmcodec_run("encode", "sub", cwd=folder).stderr) == "kmcodec: error: sub: Is a directory\n"
    run = kmcodec_run("decode", "photo.kmc", "-o", "out.xyz", cwd=folder)
    assert "no image format that Pillow writes ends in .xyz" in text(run.stderr)


def test_a_picture_over_the_limit_is_refused(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    encode = kmcodec_run("encode", "photo.png", "--max-pixels", 100, "-o", "x.kmc", cwd=folder)
    decode = kmcodec_run("decode", "photo.kmc", "--max-pixels", 100, "-o", "x.png", cwd=folder)
    for run in (encode, decode):
        assert run.returncode == 1
        assert "over the limit of 100" in text(run.stderr)


def test_only_the_first_frame_of_an_animation_is_kept_and_that_is_said(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), color) for color in ("red", "green", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    run = kmcodec_run("encode", "a.gif", cwd=tmp_path)
    assert run.returncode == 0
    assert text(run.stderr) == "kmcodec: warning: a.gif: only the first of its 3 frames is kept\n"


def test_colour_profile_exif_and_text_survive(folder: Path) -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "nobody")
    with Image.open(folder / "photo.png") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(folder / "rich.png", icc_profile=b"profile" * 9, exif=exif, pnginfo=info)
    kmcodec_run("encode", "rich.png", "-k", 4, cwd=folder)
    assert kmcodec_run("decode", "rich.kmc", "-o", "again.png", cwd=folder).returncode == 0
    with Image.open(folder / "again.png") as image:
        assert image.info["icc_profile"] == b"profile" * 9
        assert image.getexif()[0x0112] == 6
        assert image.text == {"Author": "nobody"}


def test_info_shows_every_field(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 5, cwd=folder)
    fields = json.loads(kmcodec_run("info", "photo.kmc", "--json", cwd=folder).stdout)
    size = (folder / "photo.kmc").stat().st_size
    assert fields["format_version"] == 1
    assert (fields["width"], fields["height"], fields["channels"], fields["colors"]) == (256, 256, 3, 5)
    assert (fields["coding"], fields["flag_streams"]) == ("predicted", 8)
    assert (fields["strips"], fields["strip_height"]) == (1, 256)
    assert fields["file_bytes"] == size == fields["header_bytes"] + sum(fields["strip_bytes"])
    assert fields["metadata"] == []
    shown = text(kmcodec_run("info", "photo.kmc", cwd=folder).stdout)
    for name in fields:
        assert name == "strip_bytes" or name.replace("_", " ") in shown


def test_the_coding_is_predicted_unless_plain_is_asked_for_or_the_effort_is_low(folder: Path) -> None:
    for options in (["--coding", "plain"], ["-e", 2]):
        kmcodec_run("encode", "photo.png", "-k", 16, *options, "--overwrite", cwd=folder)
        fields = json.loads(kmcodec_run("info", "photo.kmc", "--json", cwd=folder).stdout)
        assert (fields["coding"], fields["bits_per_label"]) == ("plain", 4)
    plain = (folder / "photo.kmc").stat().st_size
    kmcodec_run("encode", "photo.png", "-k", 16, "--overwrite", cwd=folder)
    assert (folder / "photo.kmc").stat().st_size < 0.8 * plain


def test_info_of_something_else_is_an_error(folder: Path) -> None:
    run = kmcodec_run("info", "photo.png", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).startswith("kmcodec: error: photo.png: not a .kmc file")


def test_demo_shows_size_against_quality() -> None:
    run = kmcodec_run("demo")
    assert run.returncode == 0
    assert "16 files written, and read back as exactly the pixels encoded." in text(run.stdout)
    assert max(map(len, text(run.stdout).splitlines())) <= 80


def test_version_loads_no_numpy() -> None:
    assert text(kmcodec_run("--version").stdout) == f"kmcodec {kmcodec.__version__}\n"
    assert not {"numpy", "PIL", "rich", "construct"} & modules_loaded_by("--version")


def test_info_and_decode_load_no_quantiser(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 5, cwd=folder)
    info = modules_loaded_by("info", str(folder / "photo.kmc"))
    decode = modules_loaded_by("decode", str(folder / "photo.kmc"), "-o", str(folder / "x.png"))
    assert "kmcodec.format.reader" in info & decode
    assert not any(name.startswith("kmcodec.quantizer") for name in info | decode)
    assert "PIL" not in info


def test_a_closed_pipe_is_no_error_message(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 200, cwd=folder)
    shell = f"{sys.executable} -m kmcodec decode photo.kmc -o - | head -c 5"
    run = subprocess.run(["bash", "-c", shell], cwd=folder, capture_output=True, check=False)
    assert run.stdout == b"\x89PNG\r"
    assert b"Traceback" not in run.stderr
    assert b"Broken" not in run.stderr


def test_an_image_is_not_written_to_a_terminal(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "kmcodec", "decode", "photo.kmc", "-o", "-"]
    run = subprocess.run(command, cwd=folder, stdout=follower, stderr=subprocess.PIPE, check=False)
    os.close(follower)
    os.close(leader)
    assert run.returncode == 1
    assert "standard output is a terminal" in text(run.stderr)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.bmp")
    command = [sys.executable, "-m", "kmcodec", "encode", "noise.bmp", "-k", "4096"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert text(err).strip() == "kmcodec: error: interrupted"
    assert out == b""
    assert [path.name for path in tmp_path.iterdir()] == ["noise.bmp"]
