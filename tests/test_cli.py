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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

import kmcodec
from kmcodec.cli.jobs import read_bytes
from kmcodec.errors import LimitError
from tests.command import BinaryRun as Run
from tests.command import binary_kmcodec_here as kmcodec_run
from tests.command import heed_interrupts, kmcodec_here, terminal_output_of
from tests.icc import cmyk_profile

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def shell_run(script: str, cwd: Path) -> Run:
    command = f'kmcodec() {{ {sys.executable} -m kmcodec "$@"; }}; {script}'
    return subprocess.run(["bash", "-c", command], cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False)


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
        (["encode", "a.png", "./a.png"], "./a.png is given twice"),
        (["encode", "-", "-"], "standard input is given twice"),
        (["encode", "-", "-d", "out"], "use -o with it"),
        (["encode", "a.png", "-k", "0"], "0 is not in the range 1<=x<=65536"),
        (["encode", "a.png", "-e", "10"], "10 is not in the range 1<=x<=9"),
        (["encode", "a.png", "-o", ""], "-o needs a name"),
        (["encode", "a.png", "-d", ""], "-d needs a name"),
        (["encode", "a.png", "-o", "sub/"], "-o names a file, and sub/ is the name of a folder: use -d"),
        (["decode", "a.kmc", "-o", "sub/."], "-o names a file, and sub/. is the name of a folder: use -d"),
        (["encode", "a.png", "--nothing"], "No such option"),
        (["encode", "a.png", "-q", "0"], "error: quality must be from 1 to 100, not 0.0"),
        (["encode", "a.png", "--psnr", "30", "--max-bytes", "9"], "error: psnr and max-bytes exclude each other"),
        (["encode", "a.png", "--quality", "30", "-k", "9"], "error: quality and colors exclude each other"),
        (["encode", "a.png", "--rdo", "30", "--dither", "ordered"], "error: rdo and dither exclude each other"),
        (["encode", "a.png", "--lossless", "-k", "256"], "error: lossless and colors exclude each other"),
        (["encode", "a.png", "--lossless", "--dither", "ordered"], "error: lossless and dither exclude each other"),
        (["encode", "a.png", "--palette", "p.gpl", "-k", "4"], "error: palette and colors exclude each other"),
        (["encode", "a.png", "--palette", "p.gpl", "--keep", "00ff00"], "error: palette and keep exclude each other"),
        (["encode", "a.png", "--keep", "green"], "error: a colour is #RRGGBB or #RRGGBBAA, not 'green'"),
        (
            ["encode", "a.png", "--keep", "00ff00", "--keep", "ff0000", "-k", "1"],
            "error: keep has 2 colours, more than",
        ),
        (["encode", "a.png", "--rare", "1.5"], "error: rare must be from 0 to 1, not 1.5"),
        (["encode", "a.png", "--dither-strength", "0.5"], "error: dither strength needs a dither"),
        (["encode", "a.png", "--dither", "ordered", "--dither-strength", "nan"], "must be from 0 to 1, not nan"),
        (["encode", "a.png", "--dither", "bayer"], "'bayer' is not one of"),
        (["encode", "-", "--palette", "-"], "standard input can be a picture or the palette, not both"),
        (["info", "a.kmc", "--palette-out", "p.gpl", "--json"], "--palette-out shows nothing: leave out --json"),
        (["info", "a.kmc", "--palette-out", ""], "--palette-out needs a name"),
        (["mime", "--install", "--uninstall"], "--install, --uninstall and --magic exclude each other"),
        (["mime", "--magic", "--uninstall"], "--install, --uninstall and --magic exclude each other"),
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
    run = kmcodec_run("encode", "sub", cwd=folder)
    assert run.returncode == 1
    assert "kmcodec: error: sub: a folder without images (--recursive looks into" in text(run.stderr)
    run = kmcodec_run("decode", "photo.kmc", "-o", "out.xyz", cwd=folder)
    assert "no image format that Pillow writes ends in .xyz" in text(run.stderr)


def test_a_picture_over_the_limit_is_refused(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    encode = kmcodec_run("encode", "photo.png", "--max-pixels", 100, "-o", "x.kmc", cwd=folder)
    decode = kmcodec_run("decode", "photo.kmc", "--max-pixels", 100, "-o", "x.png", cwd=folder)
    info = kmcodec_run("info", "photo.kmc", "--max-pixels", 100, cwd=folder)
    measure = kmcodec_run("measure", "photo.png", "--max-pixels", 100, "-k", 4, "--peers", "none", cwd=folder)
    for run in (encode, decode, info, measure):
        assert run.returncode == 1
        assert "over the limit of 100; --max-pixels raises it" in text(run.stderr)


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
        image.save(folder / "rich.png", icc_profile=SRGB_PROFILE, exif=exif, pnginfo=info)
    kmcodec_run("encode", "rich.png", "-k", 4, cwd=folder)
    assert kmcodec_run("decode", "rich.kmc", "-o", "again.png", cwd=folder).returncode == 0
    with Image.open(folder / "again.png") as image:
        assert image.info["icc_profile"] == SRGB_PROFILE
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


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        (["--quality", "30"], lambda report: report["output_bytes"] < 15_000),
        (["-q", "70"], lambda report: report["psnr_db"] > 32),
        (["--psnr", "30"], lambda report: 30 <= report["psnr_db"] <= 30.1),
        (["--max-bytes", "20000"], lambda report: 19_600 <= report["output_bytes"] <= 20_000),
        (["--rdo", "80", "-k", "64"], lambda report: report["colors"] <= 64),
    ],
)
def test_a_file_can_be_asked_to_be_good_or_small(
    options: list[str], fits: Callable[[dict[str, Any]], bool], folder: Path
) -> None:
    run = kmcodec_run("encode", "photo.png", "--json", *options, cwd=folder)
    report = json.loads(run.stdout)
    assert fits(report)
    assert report["output_bytes"] == (folder / "photo.kmc").stat().st_size


def test_what_cannot_be_reached_is_said_and_nothing_is_written(folder: Path) -> None:
    run = kmcodec_run("encode", "photo.png", "--max-bytes", "5", cwd=folder)
    assert (run.returncode, run.stdout) == (1, b"")
    error = r"kmcodec: error: photo\.png: 5 bytes cannot be reached: \d+ are the least, .*\n"
    assert re.fullmatch(error, text(run.stderr))
    assert not (folder / "photo.kmc").exists()


def test_lossless_keeps_all_colours(folder: Path) -> None:
    run = kmcodec_run("encode", "photo.png", "--lossless", cwd=folder)
    assert ", lossless, " in text(run.stdout)
    np.testing.assert_array_equal(kmcodec.read(folder / "photo.kmc"), np.asarray(Image.open(folder / "photo.png")))


def test_too_many_colours_for_lossless_are_counted_and_nothing_is_written(folder: Path) -> None:
    values = np.arange(70_000)
    pixels = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)[None]
    Image.fromarray(pixels).save(folder / "many.bmp")
    run = kmcodec_run("encode", "many.bmp", "photo.png", "--lossless", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: many.bmp: has 70000 colours; lossless needs at most 65536\n"
    assert [path.name for path in folder.glob("*.kmc")] == ["photo.kmc"]


def test_the_options_of_colours_are_those_of_python(folder: Path) -> None:
    arguments = ["-k", 9, "--keep", "#e41a1c", "--keep", "00ff0080", "--rare", 0.2, "--space", "oklab"]
    run = kmcodec_run("encode", "photo.png", *arguments, "--dither", "ordered", "--dither-strength", 0.5, cwd=folder)
    assert run.returncode == 0
    with Image.open(folder / "photo.png") as image:
        expected = kmcodec.quantize(
            image,
            9,
            keep=["#e41a1c", "#00ff0080"],
            rare=0.2,
            space="oklab",
            dither="ordered",
            dither_strength=0.5,
        )
    with kmcodec.open(folder / "photo.kmc") as file:
        np.testing.assert_array_equal(file.palette, expected.palette)
        np.testing.assert_array_equal(file.labels(), expected.labels)


def test_a_palette_goes_from_file_to_file(folder: Path) -> None:
    """Out of a .kmc file, through a GIMP palette, into another .kmc file: the same colours, labels and bytes."""
    kmcodec_run("encode", "photo.png", "-k", 16, cwd=folder)
    run = kmcodec_run("info", "photo.kmc", "--palette-out", "new/photo.gpl", cwd=folder)
    assert (run.returncode, text(run.stdout)) == (0, "new/photo.gpl: 16 colours\n")
    for palette in ("new/photo.gpl", "photo.kmc"):
        kmcodec_run("encode", "photo.png", "--palette", palette, "-o", "again.kmc", "--overwrite", cwd=folder)
        assert (folder / "again.kmc").read_bytes() == (folder / "photo.kmc").read_bytes()
    piped = kmcodec_run("info", "photo.kmc", "--palette-out", "-", cwd=folder)
    assert piped.stdout == (folder / "new/photo.gpl").read_bytes()
    run = kmcodec_run("encode", "photo.png", "--palette", "-", "-o", "-", cwd=folder, stdin=piped.stdout)
    assert run.stdout == (folder / "photo.kmc").read_bytes()


def test_an_exported_palette_replaces_no_file_unless_told_to(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    (folder / "p.gpl").write_bytes(b"old")
    run = kmcodec_run("info", "photo.kmc", "--palette-out", "p.gpl", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: p.gpl: exists already; --overwrite replaces it\n"
    assert kmcodec_run("info", "photo.kmc", "--palette-out", "p.gpl", "--overwrite", cwd=folder).returncode == 0
    assert (folder / "p.gpl").read_bytes().startswith(b"GIMP Palette\nName: photo\n")


def test_transparency_that_a_palette_loses_is_said(folder: Path) -> None:
    Image.new("RGBA", (2, 2), (255, 0, 0, 80)).save(folder / "faint.png")
    kmcodec_run("encode", "faint.png", cwd=folder)
    run = kmcodec_run("info", "faint.kmc", "--palette-out", "p.gpl", cwd=folder)
    assert run.returncode == 0
    assert text(run.stderr) == "kmcodec: warning: p.gpl: a .gpl file cannot hold transparency, left out\n"
    run = kmcodec_run("encode", "faint.png", "--palette", "p.gpl", "--overwrite", cwd=folder)
    assert run.returncode == 0
    assert text(run.stderr) == "kmcodec: warning: faint.png: its transparency is not kept: the palette has none\n"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (None, "p.gpl: No such file or directory"),
        (b"GIMP Palette\n300 0 0\n", "p.gpl: line 2: a colour is three numbers from 0 to 255, not (300, 0, 0)"),
        (b"", "p.gpl: empty, where an image was expected"),
        (b"\x89KMC", "p.gpl: "),
    ],
)
def test_a_palette_that_cannot_be_read_is_said_once(folder: Path, data: bytes | None, says: str) -> None:
    if data is not None:
        (folder / "p.gpl").write_bytes(data)
    run = kmcodec_run("encode", "photo.png", "other.png", "--palette", "p.gpl", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).startswith(f"kmcodec: error: {says}")
    assert text(run.stderr).count("\n") == 1
    assert not list(folder.glob("*.kmc"))


def test_info_shows_the_palette(folder: Path) -> None:
    palette = np.array([[0, 128, 255, 255], [1, 2, 3, 4]], np.uint8)
    kmcodec.write(folder / "p.kmc", kmcodec.IndexedImage(palette, np.zeros((1, 1), np.uint8)))
    run = kmcodec_run("info", "p.kmc", "--palette", cwd=folder)
    assert text(run.stdout) == "0  #0080ffff\n1  #01020304\n"
    fields = json.loads(kmcodec_run("info", "p.kmc", "--palette", "--json", cwd=folder).stdout)
    assert fields["palette"] == ["#0080ffff", "#01020304"]
    assert fields["colors"] == 2


def test_on_a_terminal_the_palette_has_its_colours(folder: Path) -> None:
    palette = np.array([[0, 128, 255], [255, 255, 0]], np.uint8)
    kmcodec.write(folder / "p.kmc", kmcodec.IndexedImage(palette, np.zeros((1, 1), np.uint8)))
    output = terminal_output_of(["info", "p.kmc", "--palette"], folder, {"COLORTERM": "truecolor"}, columns=100)
    assert "\x1b[48;2;0;128;255m" in output
    assert screen_of(re.sub(r"\x1b\[[\d;]*m", "", output)) == ["0  #0080ff", "1  #ffff00"]


def test_version_loads_no_numpy() -> None:
    assert text(kmcodec_run("--version").stdout) == f"kmcodec {kmcodec.__version__}\n"
    assert not {"numpy", "PIL", "rich", "construct"} & modules_loaded_by("--version")


def test_info_and_decode_load_no_quantiser(folder: Path) -> None:
    kmcodec_run("encode", "photo.png", "-k", 5, cwd=folder)
    info = modules_loaded_by("info", str(folder / "photo.kmc"))
    decode = modules_loaded_by("decode", str(folder / "photo.kmc"), "-o", str(folder / "x.png"))
    palette = modules_loaded_by("info", str(folder / "photo.kmc"), "--palette-out", str(folder / "x.gpl"))
    assert not any(name.startswith("kmcodec.quantizer") or name in ("PIL", "rich") for name in palette)
    assert "kmcodec.format.reader" in info & decode
    assert not any(name.startswith("kmcodec.quantizer") for name in info | decode)
    assert "PIL" not in info


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_no_error_message(tmp_path: Path, unbuffered: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1000), np.uint8)
    grey = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)
    (tmp_path / "noise.kmc").write_bytes(kmcodec.dumps(kmcodec.IndexedImage(grey, noise), coding="plain"))
    shell = "kmcodec decode noise.kmc -o - | head -c 5; exit ${PIPESTATUS[0]}"
    run = shell_run(f"export PYTHONUNBUFFERED={unbuffered}; {shell}", tmp_path)
    assert run.stdout == b"\x89PNG\r"
    assert run.stderr == b""
    assert run.returncode == 1


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
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
    )
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert text(err).strip() == "kmcodec: error: interrupted"
    assert out == b""
    assert [path.name for path in tmp_path.iterdir()] == ["noise.bmp"]


def test_without_arguments_help_is_shown_once() -> None:
    run = kmcodec_run()
    assert (run.returncode, run.stdout) == (2, b"")
    assert text(run.stderr).count("Usage: kmcodec") == 1
    assert "error" not in text(run.stderr)
    assert re.search(r"decode +Decode \.kmc files to images\.", text(run.stderr))


def test_input_that_never_ends_is_given_up() -> None:
    with pytest.raises(LimitError, match="more than 3000000 bytes"):
        read_bytes("/dev/zero", limit=3_000_000)
    assert kmcodec_run("decode", "/dev/zero", "-o", "x.png").returncode == 1


def test_decoding_does_not_read_a_file_before_its_header(tmp_path: Path) -> None:
    with (tmp_path / "huge.kmc").open("wb") as file:
        file.truncate(1 << 40)  # it has no blocks on disk
    for command in ("decode", "info"):
        run = kmcodec_run(command, "huge.kmc", cwd=tmp_path)
        assert run.returncode == 1
        assert "over the limit of" in text(run.stderr)


def test_names_that_are_no_files_do_not_stop_the_others(folder: Path) -> None:
    run = kmcodec_run("encode", "", "photo.png", "-k", 4, cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: '': not the name of a file\n"
    assert (folder / "photo.kmc").exists()


def test_urls_that_cannot_be_read_do_not_stop_the_others(folder: Path) -> None:
    run = kmcodec_run("encode", "foo://host/a.png", "memory://b.png", "photo.png", "-k", 4, cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr).splitlines() == [
        "kmcodec: error: foo://host/a.png: Protocol not known: foo",
        "kmcodec: error: memory://b.png: No such file or directory",
    ]
    assert (folder / "photo.kmc").exists()


@pytest.mark.parametrize("option", [["-o", "memory://a/photo.kmc"], ["-d", "memory://b"], ["-d", "memory://c/"]])
def test_a_url_as_output_makes_no_local_file(folder: Path, option: list[str]) -> None:
    run = kmcodec_run("encode", "photo.png", "-k", 4, *option, cwd=folder)
    assert run.returncode == 0
    assert re.match(r"memory://[abc]/photo\.kmc: K 4", text(run.stdout))
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


def test_a_url_that_exists_stays_unless_told_otherwise(folder: Path) -> None:
    url = (folder / "photo.kmc").as_uri()
    assert kmcodec_run("encode", "photo.png", "-k", 4, "-o", url, cwd=folder).returncode == 0
    run = kmcodec_run("encode", "photo.png", "-k", 4, "-o", url, cwd=folder)
    assert text(run.stderr) == f"kmcodec: error: {url}: exists already; --overwrite replaces it\n"
    assert kmcodec_run("encode", "photo.png", "-k", 4, "-o", url, "--overwrite", cwd=folder).returncode == 0


@pytest.mark.parametrize("cut", [60, 200, 900, -1])
@pytest.mark.parametrize("ending", [".gif", ".tif", ".webp"])
def test_a_truncated_animation_gives_at_most_one_error_line(tmp_path: Path, ending: str, cut: int) -> None:
    rng = np.random.default_rng(1)
    frames = [Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)) for _ in range(3)]
    path = tmp_path / f"a{ending}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    path.write_bytes(path.read_bytes()[:cut])
    run = kmcodec_run("encode", path.name, cwd=tmp_path)
    assert "Traceback" not in text(run.stderr)
    assert text(run.stderr).count("kmcodec: error: ") == run.returncode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("arguments", ["info photo.kmc", "decode photo.kmc -o -", "--help", "--version"])
def test_a_full_output_is_one_line_and_exit_code_1(folder: Path, arguments: str) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    run = shell_run(f"kmcodec {arguments} >/dev/full", folder)
    assert run.returncode == 1
    assert text(run.stderr) == "kmcodec: error: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ("kmcodec encode - <&-", 1, "kmcodec: error: standard input is closed\n"),
        ("kmcodec info - <&-", 1, "kmcodec: error: standard input is closed\n"),
        ("kmcodec decode photo.kmc -o - >&-", 1, "kmcodec: error: standard output is closed\n"),
        ("kmcodec decode photo.kmc >&-", 0, ""),
        ("kmcodec decode photo.kmc 2>&-", 0, ""),
        ("kmcodec decode missing.kmc 2>&-", 1, ""),
        ("kmcodec decode missing.kmc 2>/dev/full", 1, ""),
        ("kmcodec decode 2>/dev/full", 2, ""),
    ],
)
def test_streams_that_are_closed_are_no_surprise(folder: Path, script: str, code: int, says: str) -> None:
    (folder / "photo.kmc").write_bytes(kmcodec.encode(np.zeros((2, 2, 3), np.uint8)))
    (folder / "photo.png").unlink()
    run = shell_run(script, folder)
    assert (run.returncode, text(run.stderr)) == (code, says)


def test_dev_stdout_is_standard_output(folder: Path) -> None:
    run = shell_run("kmcodec encode -k 4 photo.png -o /dev/stdout | head -c 4", folder)
    assert run.stdout == b"\x89KMC"
    assert text(run.stderr).startswith("standard output: K 4")


def test_a_process_substitution_can_be_written_to(folder: Path) -> None:
    run = shell_run("kmcodec encode -k 4 photo.png -o >(head -c 4 >head); wait $!", folder)
    assert (run.returncode, run.stderr) == (0, b"")
    assert (folder / "head").read_bytes() == b"\x89KMC"


def test_bytes_that_come_through_a_pipe_are_counted(folder: Path) -> None:
    kmcodec_here("encode", "photo.png", "-k", 4, cwd=folder)
    size = (folder / "photo.kmc").stat().st_size
    run = shell_run("kmcodec encode -k 4 <(cat photo.png) -o a.kmc; kmcodec decode <(cat photo.kmc) -o a.png", folder)
    encoded, decoded = text(run.stdout).splitlines()
    assert f" 153912 -> {size} bytes ({size / 153912:.1%})" in encoded
    assert f" {size} -> " in decoded


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_of_a_device_that_is_full_the_output_is_named(folder: Path) -> None:
    run = kmcodec_here("encode", "photo.png", "-k", 4, "-o", "/dev/full", cwd=folder)
    assert (run.returncode, run.stderr) == (1, "kmcodec: error: /dev/full: No space left on device\n")


def test_a_file_that_would_be_larger_is_not_written_to_standard_output(folder: Path) -> None:
    Image.open(folder / "photo.png").save(folder / "small.jpg", quality=1)
    run = kmcodec_here("encode", "small.jpg", "-e", 1, "-o", "-", "--skip-larger", cwd=folder)
    assert (run.returncode, run.stdout) == (0, "")
    assert run.stderr == "standard output: not written, it would not be smaller\n"


def test_of_one_byte_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "short.kmc").write_bytes(b"\x89")
    (tmp_path / "a.kmc").write_bytes(kmcodec.encode(np.zeros((2, 2, 3), np.uint8), metadata=kmcodec.Metadata(icc=b"p")))
    short = kmcodec_here("info", "short.kmc", cwd=tmp_path)
    assert short.stderr == "kmcodec: error: short.kmc: the file ends within its header, after 1 byte\n"
    assert re.search(
        r"^metadata +icc \(1 byte, stored in \d+\)$", kmcodec_here("info", "a.kmc", cwd=tmp_path).stdout, re.M
    )


def test_a_file_named_like_standard_output_is_not_in_the_way(folder: Path) -> None:
    (folder / "-").write_bytes(b"")
    run = kmcodec_run("encode", "-", "-k", 4, cwd=folder, stdin=(folder / "photo.png").read_bytes())
    assert run.stdout.startswith(b"\x89KMC")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["encode", "photo.kmc"], "photo.kmc: a .kmc file already"),
        (["encode", "photo.kmc", "-o", "x.kmc"], "photo.kmc: a .kmc file already"),
        (["encode", "photo.png", "-o", "photo.png"], "photo.png: is an input, and not overwritten"),
        (["encode", "photo.png", "-o", "link"], "link: is an input, and not overwritten"),
        (["encode", "photo.png", "link.png", "-d", "out"], "out/photo.kmc: is an input, and not overwritten"),
        (["encode", "photo.png", "-o", "photo.png/x.kmc"], "photo.png: is a file, not a folder"),
        (["encode", "photo.png", "-o", "out"], "out: Is a directory"),
    ],
)
def test_what_stands_in_the_way_is_left_alone_and_named(folder: Path, arguments: list[str], says: str) -> None:
    original = (folder / "photo.png").read_bytes()
    (folder / "photo.kmc").write_bytes(kmcodec.encode(np.zeros((2, 2, 3), np.uint8)))
    (folder / "link").symlink_to("photo.png")
    (folder / "out").mkdir()
    (folder / "out/photo.kmc").write_bytes(original)
    (folder / "link.png").symlink_to("out/photo.kmc")
    run = kmcodec_run(*arguments, "--overwrite", cwd=folder)
    assert run.returncode == 1
    assert text(run.stderr) == f"kmcodec: error: {says}\n"
    assert (folder / "photo.png").read_bytes() == (folder / "out/photo.kmc").read_bytes() == original


@pytest.mark.parametrize("name", ["e.kmc", "./e.kmc", "symbolic.gpl", "hard.gpl"])
def test_a_palette_does_not_replace_the_file_it_is_shown_of(tmp_path: Path, name: str) -> None:
    data = kmcodec.encode(np.zeros((2, 2, 3), np.uint8))
    (tmp_path / "e.kmc").write_bytes(data)
    (tmp_path / "symbolic.gpl").symlink_to("e.kmc")
    (tmp_path / "hard.gpl").hardlink_to(tmp_path / "e.kmc")
    run = kmcodec_here("info", "e.kmc", "--palette-out", name, "--overwrite", cwd=tmp_path)
    assert (run.returncode, run.stderr) == (1, f"kmcodec: error: {name}: is an input, and not overwritten\n")
    assert (tmp_path / "e.kmc").read_bytes() == (tmp_path / name).read_bytes() == data


@pytest.mark.parametrize("arguments", [("-o", "p.kmc"), ("-o", "symbolic.kmc"), ("-o", "hard.kmc"), ("-d", "out")])
def test_a_picture_does_not_replace_the_file_its_palette_is_of(folder: Path, arguments: tuple[str, str]) -> None:
    data = kmcodec.encode(np.zeros((2, 2, 3), np.uint8))
    (folder / "p.kmc").write_bytes(data)
    (folder / "symbolic.kmc").symlink_to("p.kmc")
    (folder / "hard.kmc").hardlink_to(folder / "p.kmc")
    (folder / "out").mkdir()
    (folder / "out/photo.kmc").symlink_to("../p.kmc")
    source = "photo.png" if arguments[0] == "-o" else "."
    run = kmcodec_here("encode", source, "--palette", "p.kmc", *arguments, "--overwrite", cwd=folder)
    assert run.returncode == 1
    assert ": is an input, and not overwritten\n" in run.stderr
    assert (folder / "p.kmc").read_bytes() == (folder / "hard.kmc").read_bytes() == data


def test_standard_input_is_not_overwritten(folder: Path) -> None:
    before = (folder / "photo.png").read_bytes()
    run = shell_run("kmcodec encode - -k 4 -o photo.png --overwrite <photo.png", folder)
    assert (run.returncode, text(run.stderr)) == (1, "kmcodec: error: photo.png: is an input, and not overwritten\n")
    assert (folder / "photo.png").read_bytes() == before


@pytest.mark.parametrize("source", ["photo.png", "file://{folder}/photo.png", "local://{folder}/photo.png"])
@pytest.mark.parametrize("target", ["photo.png", "file://{folder}/photo.png"])
def test_a_path_and_a_url_can_name_the_same_input(folder: Path, source: str, target: str) -> None:
    before = (folder / "photo.png").read_bytes()
    source, target = source.format(folder=folder), target.format(folder=folder)
    run = kmcodec_here("encode", source, "-o", target, "--overwrite", cwd=folder)
    assert (run.returncode, run.stderr) == (1, f"kmcodec: error: {target}: is an input, and not overwritten\n")
    assert (folder / "photo.png").read_bytes() == before


def test_folders_that_are_one_make_names_collide(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "b").symlink_to("a")
    for name in ("a/x.png", "a/x.bmp"):
        Image.new("RGB", (2, 2)).save(folder / name)
    run = kmcodec_here("encode", "a/x.png", "b/x.bmp", "--overwrite", cwd=folder)
    assert run.returncode == 2
    assert "a/x.png and b/x.bmp would both become b/x.kmc" in run.stderr


@pytest.mark.parametrize(
    ("name", "warning"),
    [
        ("x.png", "kmcodec: warning: x.png: a .kmc file, whatever its ending says\n"),
        ("x.JPG", "kmcodec: warning: x.JPG: a .kmc file, whatever its ending says\n"),
        ("x", ""),
        ("x.KMC", ""),
        ("x.kmc.part", ""),
    ],
)
def test_a_name_of_another_image_format_is_warned_of(folder: Path, name: str, warning: str) -> None:
    run = kmcodec_here("encode", "photo.png", "-k", 4, "-e", 1, "-o", name, cwd=folder)
    assert (run.returncode, run.stderr) == (0, warning)
    assert (folder / name).read_bytes().startswith(b"\x89KMC")


@pytest.mark.parametrize(("ending", "lossy"), [(".jpg", True), (".webp", False), (".png", False)])
def test_a_lossy_format_is_warned_of(folder: Path, ending: str, lossy: bool) -> None:
    kmcodec_run("encode", "photo.png", "-k", 4, cwd=folder)
    run = kmcodec_run("decode", "photo.kmc", "-o", f"x{ending}", cwd=folder)
    assert run.returncode == 0
    assert (f"kmcodec: warning: x{ending}: {ending} is lossy" in text(run.stderr)) == lossy


def test_a_colour_profile_of_other_colours_is_dropped_and_that_is_said(tmp_path: Path) -> None:
    Image.new("RGB", (3, 3)).save(tmp_path / "a.png", icc_profile=cmyk_profile())
    run = kmcodec_run("encode", "a.png", cwd=tmp_path)
    assert text(run.stderr) == (
        "kmcodec: warning: a.png: its colour profile is not kept: it is one of CMYK, and the picture is not\n"
    )


def test_a_keyword_that_png_cannot_hold_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    metadata = kmcodec.Metadata(text=(("漢", "a"), ("Author", "b")))
    (tmp_path / "a.kmc").write_bytes(kmcodec.encode(np.zeros((2, 2, 3), np.uint8), metadata=metadata))
    run = kmcodec_run("decode", "a.kmc", cwd=tmp_path)
    assert run.returncode == 0
    assert text(run.stderr) == "kmcodec: warning: a.png: .png cannot hold text of the keyword '漢'; left out\n"
    with Image.open(tmp_path / "a.png") as image:
        assert image.text == {"Author": "b"}


def test_a_python_warning_is_one_line() -> None:
    script = (
        "import warnings, kmcodec.cli.command\n"
        "kmcodec.cli.command.cli.command('warn')(lambda: warnings.warn('it is\\nslow', RuntimeWarning))\n"
        "kmcodec.cli.main(['warn'])\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert text(run.stderr) == "kmcodec: warning: it is slow\n"


@pytest.mark.parametrize("module", ["click", "kmcodec.cli.encode"])
def test_ctrl_c_while_the_command_loads_ends_it_quietly(module: str) -> None:
    script = (
        "import runpy, sys\n"
        "class Interrupting:\n"
        "    def find_spec(name, path, target=None):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting)\n"
        "sys.argv = ['kmcodec', '--version']\n"
        "runpy.run_module('kmcodec', run_name='__main__')\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"")


def test_on_a_terminal_the_progress_bar_tears_no_line(folder: Path) -> None:
    (folder / "b.png").write_bytes((folder / "photo.png").read_bytes())
    Image.new("RGB", (4, 4)).save(folder / "anim.gif", save_all=True, append_images=[Image.new("RGB", (4, 4), "red")])
    arguments = ["encode", "photo.png", "missing.png", "anim.gif", "b.png", "-k", "16"]
    lines = screen_of(terminal_output_of(arguments, folder, columns=100))
    assert [line.partition(" K ")[0] for line in lines] == [
        "photo.kmc:",
        "kmcodec: error: missing.png: No such file or directory",
        "kmcodec: warning: anim.gif: only the first of its 2 frames is kept",
        "anim.kmc:",
        "b.kmc:",
    ]
    assert all(re.search(r"\d s$", lines[row]) for row in (0, 3, 4))


def test_no_color_is_respected(folder: Path) -> None:
    for environment, colored in (({}, True), ({"NO_COLOR": "1"}, False)):
        output = terminal_output_of(["encode", "photo.png", "-k", "16", "--overwrite"], folder, environment)
        assert bool(re.search(r"\x1b\[[\d;]*3\d", output)) == colored


def screen_of(output: str) -> list[str]:
    """The lines a terminal shows after this output; of its control sequences, those that rich uses."""
    screen, row, column = [""], 0, 0
    for control, argument, kind, character in re.findall(r"(\x1b\[\??([\d;]*)([A-Za-z]))|([\s\S])", output):
        if control:
            if kind == "A":
                row = max(0, row - int(argument or 1))
            elif kind == "K":
                screen[row] = "" if argument == "2" else screen[row][:column]
        elif character == "\r":
            column = 0
        elif character == "\n":
            row += 1
            screen += [""] * (row + 1 - len(screen))
        else:
            screen[row] = screen[row][:column].ljust(column) + character + screen[row][column + 1 :]
            column += 1
    return [line.rstrip() for line in screen if line.strip()]
