"""Spaces: what is near, in exact coordinates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from kmcodec.quantizer import OKLAB, SRGB, Space, fit_palette, histogram, label_pixels
from kmcodec.quantizer.color import premultiply
from kmcodec.quantizer.oklab import oklab_of_srgb, srgb_of_oklab

colors = hnp.arrays(np.uint8, st.tuples(st.integers(1, 50), st.sampled_from([3, 4])))
spaces = pytest.mark.parametrize("space", [SRGB, OKLAB])

GRID = np.stack(np.meshgrid(*[np.arange(0, 256, 15)] * 3), axis=-1).reshape(-1, 3).astype(np.uint8)


def linear(byte: int) -> float:
    value = byte / 255
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def oklab_by_the_book(red: int, green: int, blue: int) -> tuple[float, float, float]:
    """Ottosson's reference code."""
    r, g, b = linear(red), linear(green), linear(blue)
    l_ = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    m = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    s = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * l_ + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l_ - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l_ + 0.7827717662 * m - 0.8086757660 * s,
    )


def test_oklab_is_that_of_the_reference() -> None:
    expected = np.array([oklab_by_the_book(*color) for color in GRID.tolist()])
    np.testing.assert_allclose(oklab_of_srgb(GRID).T, expected, atol=1e-8)


def test_every_colour_comes_back_from_oklab() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (50_000, 3), np.uint8)
    rgb = np.concatenate([rgb, GRID])
    np.testing.assert_array_equal(srgb_of_oklab(oklab_of_srgb(rgb)), rgb)


def test_what_is_out_of_gamut_is_clipped() -> None:
    assert srgb_of_oklab(np.array([[2.0, -1.0], [0.0, 0.0], [0.0, 0.0]])).tolist() == [[255, 255, 255], [0, 0, 0]]


@spaces
@given(colors=colors)
def test_coordinates_are_integers_whose_squared_distances_are_exact(space: Space, colors: np.ndarray) -> None:
    points = space.coordinates(colors)
    assert points.shape == colors.shape[::-1]
    assert points.dtype == np.float32
    assert (points == np.rint(points)).all()
    assert np.abs(points).max() <= 1024


@spaces
def test_the_corners_of_the_gamut_are_within_range(space: Space) -> None:
    corners = np.stack(np.meshgrid(*[[0, 255]] * 4), axis=-1).reshape(-1, 4).astype(np.uint8)
    for colors in (GRID, corners, corners[:, :3]):
        assert np.abs(space.coordinates(colors)).max() <= 1024


@spaces
@given(colors=colors)
def test_colours_come_back_from_their_coordinates_nearly(space: Space, colors: np.ndarray) -> None:
    again = space.colors(space.coordinates(colors))
    tolerance = 0 if space is SRGB else 4  # Oklab is coarse in near black
    assert np.abs(premultiply(again).astype(int) - premultiply(colors)).max() <= tolerance


def test_a_point_becomes_the_nearest_colour_around() -> None:
    rng = np.random.default_rng(0)
    points = np.rint(OKLAB.coordinates(rng.integers(0, 256, (200, 3), np.uint8)) * 0.9).astype(np.float32)
    colors = OKLAB.colors(points).astype(int)
    distances = np.square(OKLAB.coordinates(colors.astype(np.uint8)) - points).sum(axis=0)
    for channel in range(3):
        for step in (-1, 1):
            moved = colors.copy()
            moved[:, channel] += step
            moved = moved.clip(0, 255).astype(np.uint8)
            assert (np.square(OKLAB.coordinates(moved) - points).sum(axis=0) >= distances).all()


@spaces
@given(rgb=hnp.arrays(np.uint8, (2, 3)))
def test_fully_transparent_colours_are_one_point(space: Space, rgb: np.ndarray) -> None:
    points = space.coordinates(np.concatenate([rgb, np.zeros((2, 1), np.uint8)], axis=1))
    np.testing.assert_array_equal(points[:, 0], points[:, 1])


@spaces
def test_opaque_colours_have_the_coordinates_of_those_without_alpha(space: Space) -> None:
    opaque = np.concatenate([GRID, np.full((len(GRID), 1), 255, np.uint8)], axis=1)
    np.testing.assert_allclose(space.coordinates(opaque)[:3], space.coordinates(GRID), atol=1)


@spaces
def test_the_factor_to_squared_error_is_right_on_average(space: Space, photo: np.ndarray) -> None:
    found = histogram(photo)
    palette = fit_palette(found, 64, space=space)
    decoded = palette[label_pixels(photo, palette, found, space=space)].reshape(-1, 3)
    original = photo.reshape(-1, 3)
    error = np.square(decoded.astype(float) - original).sum()
    distance = np.square(space.coordinates(decoded) - space.coordinates(original)).sum(dtype=float)
    assert distance * space.squared_error == pytest.approx(error, rel=1e-6 if space is SRGB else 0.2)


def test_oklab_is_better_for_the_eye_and_srgb_for_the_squared_error(sample: np.ndarray) -> None:
    found = histogram(sample)
    errors = {}
    for space in (SRGB, OKLAB):
        palette = fit_palette(found, 24, space=space)
        decoded = palette[label_pixels(sample, palette, found, space=space)].reshape(-1, 3)
        original = sample.reshape(-1, 3)
        difference = oklab_of_srgb(decoded) - oklab_of_srgb(original)
        seen = np.square(difference * [[1], [2], [2]]).sum()
        errors[space] = (seen, np.square(decoded.astype(float) - original).sum())
    assert errors[OKLAB][0] < errors[SRGB][0]
    assert errors[SRGB][1] < errors[OKLAB][1]
