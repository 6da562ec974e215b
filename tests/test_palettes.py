"""Palettes from files, and as GIMP palettes."""

from __future__ import annotations

import contextlib
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import kmcodec
from kmcodec import Limits
from kmcodec.errors import DecodeError, ImageError
from kmcodec.gpl import format_gpl, parse_gpl
from kmcodec.palettes import read_palette

GIMP = b"""GIMP Palette
Name: Three colours
Columns: 4
# made by hand
255   0   0\tred
  0 128   0  green, half
\t1\t2\t3
"""
COLORS = [[255, 0, 0], [0, 128, 0], [1, 2, 3]]


def image_bytes(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def palette_image(**options: Any) -> bytes:
    image = Image.fromarray(np.array([[1, 1]], np.uint8), "P")
    image.putpalette(bytes(np.array(COLORS, np.uint8)))
    return image_bytes(image, **options)


@pytest.mark.parametrize(
    "data",
    [
        GIMP,
        GIMP.replace(b"\n", b"\r\n"),
        GIMP.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + GIMP,
        GIMP.replace(b"Name: Three colours\nColumns: 4\n", b""),
        GIMP.replace(b"#", b"\n   \n  #"),
        GIMP.rstrip(b"\n"),
        GIMP.replace(b"red", "röt".encode("latin-1")),
        GIMP.replace(b"red", b"1 2 3"),
    ],
)
def test_gimp_palettes_as_programs_write_them(data: bytes) -> None:
    assert read_palette(data).tolist() == COLORS


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GIMP Palette\n", "a palette without colours"),
        (b"GIMP Palette\n#\n1 2\n", "line 3: three numbers and a name were expected, not '1 2'"),
        (b"GIMP Palette\n1 2 3\nred\n", "line 3: three numbers and a name were expected, not 'red'"),
        (b"GIMP Palette\n1 2 3x\n", "line 2: three numbers"),
        (
            b"GIMP Palette\nName: x\n0 0 256 too much\n",
            "line 3: a colour is three numbers from 0 to 255, not (0, 0, 256)",
        ),
        (b"GIMP Palette\n-1 0 0\n", "line 2: a colour is three numbers from 0 to 255, not (-1, 0, 0)"),
        (b"GIMP Palette\n1 2 3\nName: late\n", "line 3: three numbers and a name were expected"),
        (b"GIMP Palette\n1 2 " + 5000 * b"3", "line 2: three numbers and a name were expected"),
        (
            b"GIMP Palette\nChannels: RGBA\n1 2 3 red\n",
            "line 3: four numbers and a name were expected, not '1 2 3 red'",
        ),
        (b"GIMP Palettes\n1 2 3\n", "line 1: 'GIMP Palette' was expected"),
        (b"GIMP Palette\n" + 65_537 * b"1 2 3\n", "line 65538: more than 65536 colours"),
    ],
)
def test_what_is_wrong_with_a_gimp_palette_is_said_with_its_line(data: bytes, says: str) -> None:
    with pytest.raises(ImageError) as error:
        read_palette(data)
    assert str(error.value).startswith(says)


def test_aseprites_palettes_have_alpha() -> None:
    palette = parse_gpl(b"GIMP Palette\nChannels: RGBA\n#\n1 2 3 4\tfaint\n5 6 7 255\n")
    assert palette.tolist() == [[1, 2, 3, 4], [5, 6, 7, 255]]


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_gimp_palette_or_an_error(data: bytes) -> None:
    with contextlib.suppress(ImageError):
        assert parse_gpl(b"GIMP Palette\n" + data).shape[1] == 3


@given(palette=hnp.arrays(np.uint8, st.tuples(st.integers(1, 40), st.just(3))), name=st.text())
def test_parsing_inverts_formatting(palette: np.ndarray, name: str) -> None:
    np.testing.assert_array_equal(parse_gpl(format_gpl(palette, name)), palette)


def test_a_gimp_palette_names_colours_by_all_they_are() -> None:
    text = format_gpl(np.array([[1, 2, 255, 128]], np.uint8), "two\nlines").decode()
    assert text == "GIMP Palette\nName: two lines\nColumns: 16\n#\n  1   2 255\t#0102ff80\n"


@pytest.mark.parametrize("channels", [3, 4])
def test_the_palette_of_a_kmc_file(channels: int) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (7, channels), np.uint8)
    data = kmcodec.dumps(kmcodec.IndexedImage(palette, np.zeros((2, 2), np.uint8)))
    np.testing.assert_array_equal(read_palette(data), palette)
    with pytest.raises(DecodeError):
        read_palette(data[:-1])


def test_an_image_with_a_palette_gives_it_whole_and_in_order() -> None:
    assert read_palette(palette_image()).tolist() == COLORS


@pytest.mark.parametrize(
    ("transparency", "alpha"), [(1, [255, 0, 255]), (b"\x00\x80", [0, 128, 255]), (b"\xff\xff", None)]
)
def test_transparent_entries_of_a_palette_stay_so(transparency: int | bytes, alpha: list[int] | None) -> None:
    palette = read_palette(palette_image(transparency=transparency))
    assert palette[:, :3].tolist() == COLORS
    assert (palette[:, 3].tolist() if palette.shape[1] == 4 else None) == alpha


def test_an_image_without_a_palette_gives_its_colours_by_value() -> None:
    pixels = np.array([[[9, 0, 0], [0, 5, 1], [9, 0, 0], [0, 4, 255]]], np.uint8)
    assert read_palette(image_bytes(Image.fromarray(pixels))).tolist() == [[0, 4, 255], [0, 5, 1], [9, 0, 0]]


def test_an_image_of_too_many_colours_is_no_palette() -> None:
    values = np.arange(65_537)
    pixels = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)[None]
    with pytest.raises(ImageError, match="has 65537 colours; a palette has at most 65536"):
        read_palette(image_bytes(Image.fromarray(pixels), "BMP"))


def test_limits_hold_for_images_too() -> None:
    with pytest.raises(ImageError, match="over the limit of 1"):
        read_palette(palette_image(), limits=Limits(pixels=1))


@pytest.mark.parametrize("data", [b"", b"nonsense"])
def test_anything_else_is_no_palette(data: bytes) -> None:
    with pytest.raises(ImageError):
        read_palette(data)
