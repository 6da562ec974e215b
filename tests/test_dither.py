"""Dithering: what is mixed, and what is left alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmcodec
from kmcodec import blocks
from kmcodec.quantizer import OKLAB, SRGB, Space, dither, fit_palette, histogram, label_pixels
from kmcodec.quantizer.blue_noise import SIDE, blue_noise
from kmcodec.quantizer.dither import dither_floyd_steinberg, dither_ordered
from tests.conftest import sample_pixels

Dither = Callable[..., np.ndarray]

dithers = pytest.mark.parametrize("method", [dither_floyd_steinberg, dither_ordered])
spaces = pytest.mark.parametrize("space", [SRGB, OKLAB])
pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([3, 4])))

BLACK_AND_WHITE = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)


def grey(value: int, size: int = 64) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


def smoothed(pixels: np.ndarray, side: int = 8) -> np.ndarray:
    """Means over squares."""
    height, width = (length // side * side for length in pixels.shape[:2])
    squares = pixels[:height, :width].astype(float).reshape(height // side, side, width // side, side, -1)
    return squares.mean(axis=(1, 3))


@dithers
@pytest.mark.parametrize("value", [32, 64, 128, 200])
def test_black_and_white_mix_to_grey(method: Dither, value: int) -> None:
    labels = method(grey(value), BLACK_AND_WHITE, histogram(grey(value)))
    assert 255 * labels[8:].mean() == pytest.approx(value, abs=9)


@dithers
@spaces
@pytest.mark.parametrize("colors", [16, 64, 256])
def test_a_dithered_photo_is_nearer_to_the_original_from_afar(method: Dither, space: Space, colors: int) -> None:
    photo = sample_pixels("caps.png")
    found = histogram(photo)
    palette = fit_palette(found, colors, space=space)

    def seen_from_afar(pixels: np.ndarray) -> np.ndarray:
        return smoothed(space.coordinates(pixels.reshape(-1, 3)).T.reshape(pixels.shape))

    def error(labels: np.ndarray) -> float:
        return float(np.square(seen_from_afar(palette[labels]) - seen_from_afar(photo)).mean())

    plain = label_pixels(photo, palette, found, space=space)
    assert error(method(photo, palette, found, space=space)) < 0.9 * error(plain)


@dithers
@given(pixels=pictures)
def test_a_picture_whose_colours_are_in_the_palette_is_unchanged(method: Dither, pixels: np.ndarray) -> None:
    found = histogram(pixels)
    np.testing.assert_array_equal(found.colors[method(pixels, found.colors, found)], pixels)


@dithers
def test_no_strength_is_no_dithering(method: Dither, photo: np.ndarray) -> None:
    found = histogram(photo)
    palette = fit_palette(found, 9)
    np.testing.assert_array_equal(method(photo, palette, found, strength=0), label_pixels(photo, palette, found))


@dithers
def test_less_strength_leaves_less_error(method: Dither, photo: np.ndarray) -> None:
    found = histogram(photo)
    palette = fit_palette(found, 16)
    errors = [
        np.square(palette[method(photo, palette, found, strength=strength)].astype(int) - photo).mean()
        for strength in (0, 85, 170, 256)
    ]
    assert errors == sorted(errors)
    assert len(set(errors)) == 4


@dithers
def test_a_flat_area_that_is_in_the_palette_stays_flat(method: Dither) -> None:
    pixels = np.concatenate([grey(255), grey(100)])
    labels = method(pixels, BLACK_AND_WHITE, histogram(pixels))
    assert (labels[:64] == 1).all()


@dithers
def test_error_that_no_mix_makes_up_for_does_not_smear(method: Dither) -> None:
    """The palette has no red: its lack must not make the grey on the right other than it is without red beside it."""
    red = np.broadcast_to(np.array([255, 0, 0], np.uint8), (64, 64, 3))
    palette = np.array([[60, 60, 60], [90, 90, 90], [120, 120, 120]], np.uint8)
    pixels = np.concatenate([red, grey(90)], axis=1)
    labels = method(pixels, palette, histogram(pixels))
    assert (labels[:, 66:] == 1).mean() > 0.97


def with_alpha(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture and a palette, both with transparent, translucent and opaque colours."""
    rng = np.random.default_rng(seed)
    pixels, palette = rng.integers(0, 256, (12, 12, 4), np.uint8), rng.integers(0, 256, (8, 4), np.uint8)
    pixels[..., 3] = rng.choice([0, 100, 200, 255], (12, 12))
    palette[:, 3] = [0, 0, 120, 180, 255, 255, 255, 255]
    return pixels, palette


@dithers
@spaces
@given(seed=st.integers(0, 100))
def test_transparent_pixels_are_left_alone(method: Dither, space: Space, seed: int) -> None:
    pixels, palette = with_alpha(seed)
    found = histogram(pixels)
    plain, labels = (
        label_pixels(pixels, palette, found, space=space),
        method(pixels, palette, found, space=space),
    )
    transparent = pixels[..., 3] == 0
    np.testing.assert_array_equal(labels[transparent], plain[transparent])


def test_opaque_pixels_beside_translucent_ones_stay_opaque() -> None:
    pixels = np.full((32, 32, 4), (181, 181, 181, 255), np.uint8)
    pixels[:, :16, 3] = 245
    palette = np.array([[181, 181, 181, 243], [174, 174, 174, 255], [202, 202, 202, 255]], np.uint8)
    decoded = palette[dither_floyd_steinberg(pixels, palette, histogram(pixels))]
    assert (decoded[:, 16:, 3] == 255).all()
    assert 243 < decoded[:, :16, 3].mean() < 255


@spaces
@given(
    pixels=pictures,
    count=st.integers(1, 40),
    seed=st.integers(0, 9),
    strength=st.sampled_from([1, 100, 256]),
)
def test_compiled_error_diffusion_equals_that_of_python(
    space: Space, pixels: np.ndarray, count: int, seed: int, strength: int
) -> None:
    palette = np.random.default_rng(seed).integers(0, 256, (count, pixels.shape[2]), np.uint8)
    found = histogram(pixels)
    with pytest.MonkeyPatch.context() as patch:
        fast = dither_floyd_steinberg(pixels, palette, found, strength=strength, space=space)
        patch.setattr(dither, "_compiled", None)
        slow = dither_floyd_steinberg(pixels, palette, found, strength=strength, space=space)
    np.testing.assert_array_equal(fast, slow)


def test_in_ordered_dithering_what_is_brighter_is_nowhere_darker() -> None:
    labels = [dither_ordered(grey(value), BLACK_AND_WHITE, histogram(grey(value))) for value in range(0, 256, 15)]
    for darker, brighter in itertools.pairwise(labels):
        assert (darker <= brighter).all()


@pytest.mark.parametrize("colors", [2, 300, 5000])
def test_compiled_error_diffusion_equals_that_of_python_on_a_photo(colors: int, photo: np.ndarray) -> None:
    part = photo[:60, :90]
    found = histogram(photo)
    palette = fit_palette(found, colors)
    with pytest.MonkeyPatch.context() as patch:
        fast = dither_floyd_steinberg(part, palette, found)
        patch.setattr(dither, "_compiled", None)
        slow = dither_floyd_steinberg(part, palette, found)
    np.testing.assert_array_equal(fast, slow)


@dithers
def test_a_large_picture_is_dithered_piece_by_piece_like_a_small_one(
    method: Dither, photo: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = histogram(photo)
    palette = fit_palette(found, 16)
    whole = method(photo, palette, found)
    monkeypatch.setattr(dither, "BLOCK_PIXELS", 7 * 256)
    monkeypatch.setattr(dither, "blocks", lambda height, width: blocks.blocks(height, width, 7 * 256))
    np.testing.assert_array_equal(method(photo, palette, found), whole)


def test_ordered_dithering_of_a_pixel_depends_on_its_colour_and_place_alone(photo: np.ndarray) -> None:
    palette = fit_palette(histogram(photo), 16)
    changed = photo.copy()
    changed[:64] = 0
    labels, after = (dither_ordered(pixels, palette, histogram(pixels)) for pixels in (photo, changed))
    np.testing.assert_array_equal(labels[64:], after[64:])


def test_the_mask_has_every_threshold_once() -> None:
    assert sorted(blue_noise().reshape(-1).tolist()) == list(range(SIDE * SIDE))


@pytest.mark.parametrize("share", [8, 4, 2])
def test_the_mask_is_blue_noise(share: int) -> None:
    """Dots of every threshold have little of the low frequencies that the eye sees, in comparison to white noise."""
    dots = (blue_noise() < SIDE * SIDE // share).astype(float)
    power = np.abs(np.fft.fft2(dots - dots.mean())) ** 2 / (dots.var() * dots.size)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE))
    assert power[(frequency > 0) & (frequency < 0.1)].mean() < 0.1


def test_dithers_by_name(photo: np.ndarray) -> None:
    found = histogram(photo)
    palette = fit_palette(found, 16)
    for name, method in (("floyd-steinberg", dither_floyd_steinberg), ("ordered", dither_ordered)):
        image = kmcodec.quantize(photo, 16, dither=name, dither_strength=0.5)
        np.testing.assert_array_equal(image.labels, method(photo, palette, found, strength=128))
