"""Figures of quality and size."""

from __future__ import annotations

import math

import numpy as np
import pytest

import kmcodec
from kmcodec.metrics import bits_per_pixel, indexed_psnr_db, psnr_db


def test_psnr_of_a_known_error() -> None:
    black = np.zeros((4, 4, 3), np.uint8)
    assert psnr_db(black, black + np.uint8(255)) == 0
    assert psnr_db(black, black + np.uint8(1)) == pytest.approx(20 * math.log10(255))
    one = black.copy()
    one[0, 0, 0] = 48
    assert psnr_db(black, one) == pytest.approx(10 * math.log10(255**2 / 48))


def test_psnr_of_equal_pictures_is_infinite(photo: np.ndarray) -> None:
    assert psnr_db(photo, photo) == math.inf


def test_psnr_of_a_large_picture_is_taken_in_blocks() -> None:
    a = np.zeros((1100, 1100, 3), np.uint8)
    b = a.copy()
    b[1050:] = 10
    assert psnr_db(a, b) == pytest.approx(10 * math.log10(255**2 / (100 * 50 / 1100)))


def test_alpha_is_seen_on_black_and_on_white() -> None:
    clear = np.zeros((1, 1, 4), np.uint8)
    white_clear = np.array([[[255, 255, 255, 0]]], np.uint8)
    opaque_black = np.array([[[0, 0, 0, 255]]], np.uint8)
    assert psnr_db(clear, white_clear) == math.inf
    assert psnr_db(clear, opaque_black) == pytest.approx(10 * math.log10(2))
    assert psnr_db(opaque_black, opaque_black[..., :3]) == math.inf


def test_psnr_of_an_indexed_picture_is_that_of_its_pixels(photo: np.ndarray) -> None:
    image = kmcodec.quantize(photo, 9)
    assert indexed_psnr_db(photo, image) == psnr_db(photo, image.to_pixels())


def test_psnr_needs_pictures_of_one_size(photo: np.ndarray) -> None:
    with pytest.raises(ValueError, match="of one size"):
        psnr_db(photo, photo[1:])


def test_bits_per_pixel() -> None:
    assert bits_per_pixel(300, 100) == 24
