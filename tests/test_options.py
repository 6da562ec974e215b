"""The options of the quantiser: what they do to the palette, and which go together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmcodec
from kmcodec.quantizer import OKLAB, SRGB, Options, fit_palette, histogram, label_pixels
from kmcodec.quantizer.color import premultiply
from kmcodec.quantizer.options import parse_color

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4])))
spaces = pytest.mark.parametrize("space", ["srgb", "oklab"])

RED, BLUE, PURPLE = (228, 26, 28), (55, 126, 184), (152, 78, 163)


def mse(pixels: np.ndarray, image: kmcodec.IndexedImage) -> float:
    return float(np.square(image.to_pixels().astype(int) - pixels).mean())


def noise(colors: int) -> np.ndarray:
    """A picture of exactly so many colours."""
    values = np.arange(colors, dtype=np.uint32)
    return np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)[None]


def map_with_legend(swatches: tuple[tuple[int, int, int], ...]) -> np.ndarray:
    """Areas, blended where they meet, and noise, as of a photographed or compressed map; and swatches of 30 pixels."""
    rng = np.random.default_rng(1)
    colors = np.array([(242, 239, 233), (173, 209, 158), (170, 211, 223), (252, 214, 164), (60, 60, 60)])
    rows, columns = np.mgrid[0:256, 0:256]
    areas = [np.sin(rows / (9 + 7 * i) + i) + np.cos(columns / (11 + 5 * i) - i) for i in range(len(colors))]
    shares = np.exp(4 * np.stack(areas, axis=2))
    pixels = (shares / shares.sum(axis=2, keepdims=True)) @ colors + rng.normal(0, 2, (256, 256, 1))
    for place, color in enumerate(swatches):
        pixels[245:250, 10 + 12 * place : 16 + 12 * place] = color
    return np.rint(pixels).clip(0, 255).astype(np.uint8)


# lossless


@given(pixels=pictures)
def test_lossless_keeps_every_byte_even_of_transparent_pixels(pixels: np.ndarray) -> None:
    pixels = pixels.copy()
    pixels[: len(pixels) // 2, :, 3:] = 0
    np.testing.assert_array_equal(kmcodec.quantize(pixels, lossless=True).to_pixels(), pixels)


def test_lossless_takes_65536_colours() -> None:
    pixels = noise(65_536)
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(pixels, lossless=True, effort=1)), pixels)


def test_lossless_counts_what_is_too_much() -> None:
    with pytest.raises(ValueError, match="has 65537 colours; lossless needs at most 65536"):
        kmcodec.encode(noise(65_537), lossless=True)


# kept colours


@spaces
@pytest.mark.parametrize("count", [3, 16, 300])
def test_kept_colours_are_in_the_palette_and_count_towards_it(space: Any, count: int, photo: np.ndarray) -> None:
    palette = kmcodec.quantize(photo, count, keep=["#E41A1C", BLUE, (*PURPLE, 255)], space=space).palette.tolist()
    assert len(palette) <= count
    assert all([*color] in palette for color in (RED, BLUE, PURPLE))


def test_a_kept_colour_is_kept_even_if_no_pixel_has_it() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert kmcodec.quantize(black, 2, keep=["#ffffff"]).palette.tolist() == [[0, 0, 0], [255, 255, 255]]


def test_a_picture_of_few_colours_keeps_them_beside_kept_ones(sample: np.ndarray) -> None:
    pixels = sample[:4, :4]
    count = len(histogram(pixels)) + 1
    image = kmcodec.quantize(pixels, count, keep=[(1, 2, 3)])
    np.testing.assert_array_equal(image.to_pixels(), pixels)
    assert [1, 2, 3] in image.palette.tolist()


def test_other_colours_are_fitted_around_kept_ones(photo: np.ndarray) -> None:
    """As fitted to what the kept ones leave: better than a palette fitted without them, one entry replaced each."""
    keep = kmcodec.quantize(photo, 4).palette
    fitted = kmcodec.quantize(photo, 12, keep=keep.tolist())
    appended = np.concatenate([keep, kmcodec.quantize(photo, 8).palette])
    labels = label_pixels(photo, appended)
    assert mse(photo, fitted) < 0.9 * mse(photo, kmcodec.IndexedImage(appended, labels))
    assert mse(photo, fitted) < 1.2 * mse(photo, kmcodec.quantize(photo, 12))


def test_kept_colours_may_fill_the_palette(photo: np.ndarray) -> None:
    palette = kmcodec.quantize(photo, 2, keep=["#000000", "#ffffff"]).palette
    assert palette.tolist() == [[0, 0, 0], [255, 255, 255]]


def test_a_transparent_kept_colour_gives_the_palette_alpha(photo: np.ndarray) -> None:
    image = kmcodec.quantize(photo, 8, keep=["#00000000"])
    assert [0, 0, 0, 0] in image.palette.tolist()
    assert (image.to_pixels()[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("color", "value"),
    [
        ("#Ff8000", (255, 128, 0, 255)),
        ("ff8000", (255, 128, 0, 255)),
        ("#ff800040", (255, 128, 0, 64)),
        ([1, 2, 3], (1, 2, 3, 255)),
        (np.array([1, 2, 3, 4], np.uint8), (1, 2, 3, 4)),
    ],
)
def test_colours_are_written_in_two_ways(color: Any, value: tuple[int, ...]) -> None:
    assert parse_color(color) == value


# rare colours


@pytest.mark.parametrize("swatch", [RED, BLUE, PURPLE])
def test_a_swatch_of_30_pixels_is_lost_without(swatch: tuple[int, int, int]) -> None:
    palette = kmcodec.quantize(map_with_legend((swatch,)), 16).palette.astype(int)
    assert np.square(palette - swatch).sum(axis=1).min() > 40**2


@spaces
@pytest.mark.parametrize("swatch", [RED, BLUE, PURPLE])
def test_a_swatch_of_30_pixels_survives(space: Any, swatch: tuple[int, int, int]) -> None:
    pixels = map_with_legend((swatch,))
    assert [*swatch] in kmcodec.quantize(pixels, 16, rare=0.25, space=space).palette.tolist()


def test_rare_colours_take_no_more_than_their_share() -> None:
    pixels = map_with_legend(((255, 0, 0), (0, 0, 255), (255, 0, 255), (0, 160, 0)))
    swatches = [[255, 0, 0], [0, 0, 255], [255, 0, 255], [0, 160, 0]]
    for share, most in ((0.01, 1), (0.125, 2), (0.25, 4)):
        palette = kmcodec.quantize(pixels, 16, rare=share).palette.tolist()
        assert len(palette) <= 16
        assert 0 < sum(color in palette for color in swatches) <= most


def test_colours_near_to_each_other_need_one_place_only() -> None:
    blues = ((55, 127, 184), (55, 129, 184))  # in two cells of the colour cube
    palette = kmcodec.quantize(map_with_legend((*blues, PURPLE)), 16, rare=0.125).palette
    distances = [np.square(palette.astype(int) - color).sum(axis=1).min() for color in (*blues, PURPLE)]
    assert max(distances) <= 4


def test_where_nothing_is_far_off_rare_changes_nothing() -> None:
    gradient = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 9, 3))
    plain, rare = (kmcodec.quantize(gradient, 16, rare=share) for share in (0, 0.5))
    np.testing.assert_array_equal(plain.palette, rare.palette)


def test_rare_goes_with_kept_colours() -> None:
    palette = kmcodec.quantize(map_with_legend((RED,)), 8, keep=[BLUE], rare=0.25).palette.tolist()
    assert [*RED] in palette
    assert [*BLUE] in palette


# given palettes


def test_a_given_palette_is_stored_as_it_is(photo: np.ndarray) -> None:
    palette = np.array([[9, 9, 9], [255, 255, 255], [9, 9, 9], [0, 200, 0]], np.uint8)
    image = kmcodec.loads(kmcodec.encode(photo, palette=palette))
    np.testing.assert_array_equal(image.palette, palette)
    flat = photo.reshape(-1, 3).astype(int)
    nearest = np.square(flat[:, None] - palette.astype(int)[None]).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(image.labels.reshape(-1), nearest)


def test_labels_of_a_given_palette_are_chosen_in_the_space(photo: np.ndarray) -> None:
    palette = fit_palette(histogram(photo), 30)
    labels = [kmcodec.quantize(photo, palette=palette, space=space).labels for space in ("srgb", "oklab")]
    np.testing.assert_array_equal(labels[1], label_pixels(photo, palette, space=OKLAB))
    assert (labels[0] != labels[1]).any()


def test_a_given_palette_with_alpha_serves_opaque_pictures(photo: np.ndarray) -> None:
    palette = np.array([[0, 0, 0, 0], [80, 80, 80, 255], [200, 200, 200, 255]], np.uint8)
    image = kmcodec.quantize(photo, palette=palette)
    np.testing.assert_array_equal(image.palette, palette)
    assert set(np.unique(image.labels)) == {1, 2}


def test_a_given_palette_without_alpha_makes_pictures_opaque() -> None:
    pixels = np.array([[[200, 0, 0, 255], [200, 0, 0, 0]]], np.uint8)
    image = kmcodec.quantize(pixels, palette=np.array([[0, 0, 0], [255, 0, 0]], np.uint8))
    assert image.to_pixels().tolist() == [[[255, 0, 0], [0, 0, 0]]]


def test_a_given_palette_can_be_dithered_with(photo: np.ndarray) -> None:
    grey = np.arange(0, 256, 51, dtype=np.uint8)[:, None].repeat(3, axis=1)
    image = kmcodec.quantize(photo[..., 1], palette=grey, dither="floyd-steinberg")
    assert image.to_pixels().mean() == pytest.approx(photo[..., 1].mean(), abs=0.5)


# spaces


@given(pixels=pictures, count=st.integers(1, 300))
def test_in_oklab_too_every_pixel_has_its_nearest_palette_colour(pixels: np.ndarray, count: int) -> None:
    image = kmcodec.quantize(pixels, count, space="oklab")
    points = OKLAB.coordinates(pixels.reshape(-1, pixels.shape[2])).astype(int)
    entries = OKLAB.coordinates(image.palette).astype(int)
    distances = np.square(points[:, :, None] - entries[:, None]).sum(axis=0)
    chosen = distances[np.arange(points.shape[1]), image.labels.reshape(-1)]
    np.testing.assert_array_equal(chosen, distances.min(axis=1))


@spaces
@given(pixels=pictures, count=st.integers(1, 60))
def test_every_palette_colour_is_there_once_and_used(space: Any, pixels: np.ndarray, count: int) -> None:
    image = kmcodec.quantize(pixels, count, space=space)
    assert len(np.unique(image.labels)) == len(image.palette) <= count
    assert len(np.unique(image.palette, axis=0)) == len(image.palette)


def test_transparency_is_seen_the_same_in_both_spaces() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64, 4), np.uint8)
    errors = [
        np.square(
            premultiply(kmcodec.quantize(pixels, 256, space=space).to_pixels().reshape(-1, 4)).astype(int)
            - premultiply(pixels.reshape(-1, 4))
        ).mean(axis=0)
        for space in ("srgb", "oklab")
    ]
    assert (errors[1] < 3 * errors[0]).all()


# what goes together


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"colors": 0}, ValueError, "colors must be from 1 to 65536, not 0"),
        ({"colors": "8"}, TypeError, "colors must be an integer, not str"),
        ({"rare": -0.1}, ValueError, "rare must be from 0 to 1, not -0.1"),
        ({"rare": float("nan")}, ValueError, "rare must be from 0 to 1, not nan"),
        ({"dither": "ordered", "dither_strength": 1.1}, ValueError, "dither_strength must be from 0 to 1, not 1.1"),
        ({"dither": "bayer"}, ValueError, "dither must be 'none', 'floyd-steinberg' or 'ordered', not 'bayer'"),
        ({"space": "lab"}, ValueError, "space must be 'srgb' or 'oklab', not 'lab'"),
        ({"keep": ["red"]}, ValueError, "a colour is #RRGGBB or #RRGGBBAA, not 'red'"),
        ({"keep": [(1, 2)]}, ValueError, "three or four integers from 0 to 255, not \\(1, 2\\)"),
        ({"keep": [(1, 2, 256)]}, ValueError, "not \\(1, 2, 256\\)"),
        (
            {"keep": [(1, 2, 2.5)]},
            TypeError,
            r"a colour must be a string, or three or four integers, not \(1, 2, 2.5\)",
        ),
        ({"keep": [5]}, TypeError, "a colour must be a string, or three or four integers, not 5"),
        ({"keep": 5}, TypeError, "keep must be a sequence of colours, not int"),
        ({"rare": "a"}, TypeError, "rare must be a number, not str"),
        ({"rare": True}, TypeError, "rare must be a number, not bool"),
        ({"dither": "ordered", "dither_strength": "a"}, TypeError, "dither_strength must be a number, not str"),
        ({"keep": "#000000"}, TypeError, "keep must be a sequence of colours, not a string"),
        (
            {"colors": 1, "keep": ["#000000", "#ffffff"]},
            ValueError,
            "keep has 2 colours, more than the palette may have",
        ),
        ({"palette": [[0, 0, 0]]}, TypeError, "palette must be a uint8 array, not list"),
        ({"palette": np.zeros((0, 3), np.uint8)}, ValueError, "palette must have shape"),
        ({"lossless": True, "colors": 256}, ValueError, "lossless and colors exclude each other: it keeps all colours"),
        ({"lossless": True, "dither": "ordered"}, ValueError, "lossless and dither exclude each other"),
        ({"lossless": True, "keep": ["#000000"]}, ValueError, "lossless and keep exclude each other"),
        ({"lossless": True, "rare": 0.1}, ValueError, "lossless and rare exclude each other"),
        ({"lossless": True, "space": "oklab"}, ValueError, "lossless and space exclude each other"),
        ({"lossless": True, "palette": np.zeros((1, 3), np.uint8)}, ValueError, "lossless and palette exclude"),
        ({"palette": np.zeros((1, 3), np.uint8), "colors": 2}, ValueError, "a given palette is used as it is"),
        ({"palette": np.zeros((1, 3), np.uint8), "keep": [(0, 0, 0)]}, ValueError, "palette and keep exclude"),
        ({"palette": np.zeros((1, 3), np.uint8), "rare": 0.5}, ValueError, "palette and rare exclude each other"),
        ({"dither_strength": 0.5}, ValueError, "dither strength needs a dither"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        kmcodec.quantize(np.zeros((2, 2, 3), np.uint8), **options)


def test_options_at_their_defaults_go_with_everything() -> None:
    Options(lossless=True, keep=[], rare=0, space="srgb", dither="none", dither_strength=1.0)


def test_encode_and_write_take_the_same_options(photo: np.ndarray, tmp_path: Any) -> None:
    options: dict[str, Any] = {
        "keep": [RED],
        "rare": 0.2,
        "space": "oklab",
        "dither": "floyd-steinberg",
        "dither_strength": 0.7,
    }
    indexed = kmcodec.quantize(photo, 9, **options)
    kmcodec.write(tmp_path / "x.kmc", photo, 9, **options)
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(photo, 9, **options)), indexed.to_pixels())
    np.testing.assert_array_equal(kmcodec.read(tmp_path / "x.kmc"), indexed.to_pixels())


def test_the_default_is_256_colours_in_srgb_without_dithering(photo: np.ndarray) -> None:
    palette = fit_palette(histogram(photo), 256, space=SRGB)
    image = kmcodec.quantize(photo)
    np.testing.assert_array_equal(image.palette, palette)
    np.testing.assert_array_equal(image.labels, label_pixels(photo, palette))
