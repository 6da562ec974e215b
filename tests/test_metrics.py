"""Figures of quality and size."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmcodec
from kmcodec.metrics import (
    bits_per_pixel,
    ciede2000,
    compression_ratio,
    indexed_psnr_db,
    lab_differences,
    psnr_db,
    ssim,
    ssimulacra2,
)

SAMPLES = Path(kmcodec.__file__).parent / "samples"


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


def test_compression_ratio_counts_the_samples() -> None:
    assert compression_ratio(300, 100, 3) == 1
    assert compression_ratio(100, 100, 4) == 4


def flat(value: int, side: int = 16) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_ssim_of_flat_pictures_is_that_of_its_paper() -> None:
    """Without variance only the luminance term is left: (2ab + C1) / (a² + b² + C1), C1 = (0.01 · 255)²."""
    c1 = (0.01 * 255) ** 2
    assert ssim(flat(100), flat(150)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-12)


def test_ssim_is_that_of_scikit_image_to_the_last_digit(photo: np.ndarray) -> None:
    from skimage.metrics import structural_similarity

    decoded = kmcodec.quantize(photo, 8).to_pixels()
    expected = structural_similarity(
        photo, decoded, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert ssim(photo, decoded) == expected
    assert ssim(photo, photo) == 1


SHARMA = """
50.0000 2.6772 -79.7751 50.0000 0.0000 -82.7485 2.0425
50.0000 3.1571 -77.2803 50.0000 0.0000 -82.7485 2.8615
50.0000 2.8361 -74.0200 50.0000 0.0000 -82.7485 3.4412
50.0000 -1.3802 -84.2814 50.0000 0.0000 -82.7485 1.0000
50.0000 0.0000 0.0000 50.0000 -1.0000 2.0000 2.3669
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0009 7.1792
50.0000 2.4900 -0.0010 50.0000 -2.4900 0.0011 7.2195
"""


@pytest.mark.parametrize("pair", SHARMA.split("\n")[1:-1])
def test_ciede2000_is_that_of_the_published_test_data(pair: str) -> None:
    """Sharma, Wu, Dalal, 2005, table 1, four decimals."""
    numbers = [float(number) for number in pair.split()]
    found = lab_differences(np.array(numbers[:3]), np.array(numbers[3:6]))
    assert float(found) == pytest.approx(numbers[6], abs=5e-5)


def test_ciede2000_of_black_and_white_is_100() -> None:
    difference = ciede2000(flat(0), flat(255))
    assert (difference.mean, difference.p95) == (pytest.approx(100, abs=1e-3), pytest.approx(100, abs=1e-3))


def test_ciede2000_mean_and_percentile_are_over_pixels() -> None:
    half = flat(0, 10)
    half[:, :1] = 255  # a tenth of the pixels
    difference = ciede2000(flat(0, 10), half)
    assert difference.mean == pytest.approx(10, abs=1e-3)
    assert difference.p95 == pytest.approx(100, abs=1e-3)
    half[:, :1] = 0
    half[:4, :1] = 255  # 4 %
    assert ciede2000(flat(0, 10), half).p95 == 0


def test_ssimulacra2_of_equal_pictures_is_100_and_falls_with_quality(photo: np.ndarray) -> None:
    assert ssimulacra2(photo, photo) == 100
    scores = []
    for quality in (95, 70, 30):
        buffer = BytesIO()
        Image.fromarray(photo).save(buffer, "JPEG", quality=quality, subsampling=0)
        scores.append(ssimulacra2(photo, np.asarray(Image.open(buffer))))
    assert 100 > scores[0] > 85 > scores[1] > 70 > scores[2] > 50


def in_steps(pixels: np.ndarray) -> np.ndarray:
    return pixels // 32 * 32 + 16


def in_blocks(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[::2, ::2].repeat(2, 0).repeat(2, 1)[:height, :width]


@pytest.mark.parametrize(
    ("name", "change", "score"),
    [
        ("caps", in_steps, 2.726),
        ("caps", in_blocks, 44.042),
        ("flowers", in_steps, 68.945),  # 203 x 256: odd numbers
        ("flowers", in_blocks, 16.143),
        ("graph", in_steps, 69.818),
        ("graph", in_blocks, -36.213),
        ("window", in_steps, 11.309),
        ("window", in_blocks, 50.000),
    ],
)
def test_ssimulacra2_is_that_of_its_reference(
    name: str, change: Callable[[np.ndarray], np.ndarray], score: float
) -> None:
    """Scores of the tool `ssimulacra2` of libjxl 0.11.2, as Debian 13 has it in libjxl-devtools."""
    with Image.open(SAMPLES / f"{name}.png") as image:
        pixels = np.asarray(image.convert("RGB"))[:, : 203 if name == "flowers" else None]
    assert ssimulacra2(pixels, change(pixels)) == pytest.approx(score, abs=0.06)


def test_ssimulacra2_of_small_pictures_is_that_of_its_reference() -> None:
    """Scores published for libjxl's tool: https://github.com/imazen/ssimulacra2, reference_data.rs."""
    ramp = np.repeat((np.arange(64) * 255 // 63).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    assert ssimulacra2(ramp, flat(128, 64)) == pytest.approx(-64.569, abs=0.1)
    state, noise = 42, []
    for _ in range(64 * 64 * 3):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        noise.append(state >> 33 & 255)
    assert ssimulacra2(np.array(noise, np.uint8).reshape(64, 64, 3), flat(128, 64)) == pytest.approx(-47.336, abs=0.1)


def test_all_metrics_see_alpha_on_black_and_on_white() -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    black, white = np.dstack([flat(0), flat(255)[..., 0]]), np.dstack([flat(255), flat(255)[..., 0]])
    clear_white = clear.copy()
    clear_white[..., :3] = 255
    assert ssim(clear, clear_white) == 1
    assert ciede2000(clear, clear_white).mean == 0
    assert ssimulacra2(clear, clear_white) == 100
    # as black it is right on black and wrong on white: the mean of both
    assert ciede2000(clear, black).mean == pytest.approx(50, abs=1e-3)
    assert ssim(clear, black) == pytest.approx((1 + ssim(flat(255), flat(0))) / 2)
    assert ssimulacra2(clear, black) == min(100, ssimulacra2(flat(255), flat(0)))
    assert ssimulacra2(clear, white) == min(100, ssimulacra2(flat(0), flat(255)))
    assert ciede2000(black, flat(0)).mean == 0


@pytest.mark.parametrize(("metric", "side"), [(ssim, 10), (ssimulacra2, 7)])
def test_metrics_of_windows_need_room_for_them(metric: object, side: int) -> None:
    with pytest.raises(ValueError, match=rf"needs at least {side + 1} x {side + 1} pixels, not {side} x {side}"):
        metric(flat(0, side), flat(0, side))  # type: ignore[operator]
    metric(flat(0, side + 1), flat(0, side + 1))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("metric", "package", "module"),
    [
        (ssim, "scikit-image", "skimage.metrics"),
        (ciede2000, "scikit-image", "skimage.color"),
        (ssimulacra2, "SciPy", "scipy.ndimage"),
    ],
)
def test_a_missing_library_is_named_with_the_remedy(
    metric: object, package: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "kmcodec.ssimulacra2", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {package}; install it with: pip install 'kmcodec\[measure\]'$"):
        metric(flat(0), flat(0))  # type: ignore[operator]
