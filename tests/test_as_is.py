"""Pictures of a palette, whose numbers mean something: label masks and sprites keep them."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kmcodec
from kmcodec.batch import EncodeSettings, Job, encode_many, shared_palette
from tests.command import Run, kmcodec_here

LABELS = np.array([[0, 3, 3, 7], [7, 7, 1, 0]], np.uint8)


def mask(colors: list[int]) -> Image.Image:
    image = Image.fromarray(LABELS, "P")
    image.putpalette(colors)
    return image


RAMP = mask([value for label in range(10) for value in (label * 20, 255 - label, 9)])
SAME = mask([5, 5, 5] * 8)
GREY = Image.fromarray(LABELS * 30)


def encode(image: Image.Image, folder: Path, *arguments: object, name: str = "m.png", **options: Any) -> Run:
    image.save(folder / name, **options)
    return kmcodec_here("encode", name, "-o", "m.kmc", "--as-is", *arguments, cwd=folder)


@pytest.mark.parametrize(("image", "name"), [(RAMP, "m.png"), (SAME, "m.png"), (RAMP, "m.bmp"), (RAMP, "m.tif")])
def test_labels_and_palette_come_back(image: Image.Image, name: str, tmp_path: Path) -> None:
    run = encode(image, tmp_path, name=name)
    assert (run.returncode, run.stderr) == (0, "")
    assert ", lossless, " in run.stdout
    file = kmcodec.loads((tmp_path / "m.kmc").read_bytes())
    np.testing.assert_array_equal(file.labels, LABELS)
    kept = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(file.palette[: len(kept)], kept)
    kmcodec_here("decode", "m.kmc", "-o", "again.png", cwd=tmp_path)
    with Image.open(tmp_path / "again.png") as again:
        assert again.mode == "P"
        np.testing.assert_array_equal(np.asarray(again), LABELS)


def test_a_value_of_grey_is_a_label(tmp_path: Path) -> None:
    encode(GREY, tmp_path)
    file = kmcodec.loads((tmp_path / "m.kmc").read_bytes())
    np.testing.assert_array_equal(file.labels, LABELS * 30)
    np.testing.assert_array_equal(file.palette, np.arange(211, dtype=np.uint8)[:, None].repeat(3, axis=1))


def test_black_and_white_are_0_and_1(tmp_path: Path) -> None:
    encode(GREY.point(lambda value: 255 * (value > 80)).convert("1"), tmp_path)
    file = kmcodec.loads((tmp_path / "m.kmc").read_bytes())
    np.testing.assert_array_equal(file.labels, LABELS > 2)
    np.testing.assert_array_equal(file.palette, [[0, 0, 0], [255, 255, 255]])


def test_black_that_is_transparent_stays_so(tmp_path: Path) -> None:
    encode(Image.new("1", (3, 2)), tmp_path, transparency=0)
    assert kmcodec.loads((tmp_path / "m.kmc").read_bytes()).palette[:, 3].tolist() == [0, 255]


def test_transparency_and_metadata_are_kept(tmp_path: Path) -> None:
    encode(RAMP, tmp_path, transparency=3, dpi=(100, 100))
    file = kmcodec.loads((tmp_path / "m.kmc").read_bytes())
    assert file.palette[:, 3].tolist() == [255] * 3 + [0] + [255] * 6
    assert file.metadata.dpi is not None
    encode(RAMP, tmp_path, "--strip", "--overwrite", dpi=(100, 100))
    assert kmcodec.loads((tmp_path / "m.kmc").read_bytes()).metadata.dpi is None


def test_the_coding_can_be_chosen(tmp_path: Path) -> None:
    encode(RAMP, tmp_path, "--coding", "plain")
    with kmcodec.open(tmp_path / "m.kmc") as file:
        assert file.header.coding is kmcodec.Coding.PLAIN


def test_a_picture_without_labels_is_an_error(tmp_path: Path) -> None:
    run = encode(Image.new("RGB", (3, 2)), tmp_path)
    assert run.returncode == 1
    assert run.stderr == (
        "kmcodec: error: m.png: no palette to keep as it is: its pixels are RGB, not labels of colours\n"
    )
    assert not (tmp_path / "m.kmc").exists()


def test_a_damaged_picture_is_an_error(tmp_path: Path) -> None:
    buffer = BytesIO()
    RAMP.save(buffer, "PNG")
    (tmp_path / "m.png").write_bytes(buffer.getvalue()[:-30])
    run = kmcodec_here("encode", "m.png", "--as-is", cwd=tmp_path)
    assert run.returncode == 1
    assert "m.png: damaged image" in run.stderr


@pytest.mark.parametrize(
    "other",
    [
        {"colors": 4},
        {"lossless": True},
        {"palette": np.zeros((2, 3), np.uint8)},
        {"keep": ["#123456"]},
        {"dither": "ordered"},
        {"quality": 50},
        {"rdo": 20.0},
    ],
    ids=lambda other: next(iter(other)),
)
def test_nothing_else_can_choose_colours_or_labels(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"as_is and {next(iter(other))} exclude each other"):
        EncodeSettings(as_is=True, **other)


def test_what_is_at_its_default_is_not_given() -> None:
    EncodeSettings(as_is=True, rdo=np.float64(0), rare=np.float32(0), keep=np.zeros((0, 3), np.uint8))


def test_pictures_keep_their_own_palette_or_share_one() -> None:
    with pytest.raises(ValueError, match="a shared palette and as_is exclude each other"):
        shared_palette([], EncodeSettings(as_is=True))


def test_the_command_names_its_option(tmp_path: Path) -> None:
    run = encode(RAMP, tmp_path, "--quality", 50)
    assert run.returncode == 2
    assert "as-is and quality exclude each other" in run.stderr


def test_many_pictures_are_encoded_as_they_are(tmp_path: Path) -> None:
    RAMP.save(tmp_path / "a.png")
    SAME.save(tmp_path / "b.png")
    jobs = [
        Job(str(tmp_path / f"{name}.png"), str(tmp_path / f"{name}.kmc"), EncodeSettings(as_is=True)) for name in "ab"
    ]
    assert [outcome.colors for outcome in encode_many(jobs)] == [10, 8]
