"""
How good a picture is and how much it takes.

    psnr_db             0 to infinity, higher is better     squared error
    ssim                −1 to 1, higher is better           structure, in windows
    ciede2000           0 to about 100, lower is better     colour difference that is seen
    ssimulacra2         below 0 to 100, higher is better    how people judged compressed pictures
    bits_per_pixel      size
    compression_ratio   size before, for each byte after

Pictures with alpha are measured as they look on black and as they look on white; one without counts as opaque. PSNR and
sizes are of this module, SSIMULACRA2 of its own; the rest comes from scikit-image. What is more than NumPy is imported
when it is first needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kmcodec.blocks import blocks
from kmcodec.expand import expand_labels
from kmcodec.indexed import IndexedImage, Pixels

SSIM_SMALLEST_SIDE = 11
"""Pixels; the window of `ssim` must fit in."""

SSIMULACRA2_SMALLEST_SIDE = 8
"""Pixels; smaller pictures have no score."""

_PEAK = 255
_BLACK, _WHITE = 0.0, 255.0
_SSIM_SIGMA = 1.5
_HIGH_PERCENTILE = 95

Colors = npt.NDArray[np.float64]
"""Red, green and blue from 0 to 255, shape (height, width, 3)."""


@dataclass(frozen=True)
class ColorDifference:
    """
    CIEDE2000 over the pixels of a picture; 0 is none, about 1 is just seen, 100 is black against white.

    Attributes:
        mean: The arithmetic mean.
        p95: What 95 % of the pixels do not exceed, interpolated linearly.
    """

    mean: float
    p95: float


def psnr_db(original: Pixels, decoded: Pixels) -> float:
    """
    Peak signal-to-noise ratio, over all pixels and red, green and blue together.

    Pictures with alpha are compared as they look on black and on white, and the squared errors averaged; one without
    counts as opaque.

    Args:
        original: uint8, shape (height, width, 3 or 4).
        decoded: uint8, the same height and width.

    Returns:
        Decibels, higher is better; infinity where nothing differs.

    Raises:
        ValueError: Heights or widths differ.
    """
    _check_sides(original, decoded, 1, "PSNR")
    return _psnr_db(original, lambda place: decoded[place])


def indexed_psnr_db(original: Pixels, indexed: IndexedImage) -> float:
    """As `psnr_db` of its pixels, which are never there all at once."""
    return _psnr_db(original, lambda place: expand_labels(indexed.palette, indexed.labels[place]))


def ssim(original: Pixels, decoded: Pixels) -> float:
    """
    Structural similarity, the mean over all windows and over red, green and blue.

    With the parameters of its paper: Gaussian windows of σ = 1.5 and 11 × 11 pixels, K1 = 0.01, K2 = 0.03, covariances
    of the population; as scikit-image computes it. With alpha, the mean of both backgrounds.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image quality assessment: from error visibility to
    structural similarity", IEEE Transactions on Image Processing 13(4), 2004.

    Args:
        original: uint8, shape (height, width, 3 or 4), at least 11 pixels high and wide.
        decoded: uint8, the same height and width.

    Returns:
        −1 to 1, higher is better; 1 where nothing differs.

    Raises:
        ValueError: Heights or widths differ, or are too small.
        ImportError: scikit-image is not installed.
    """
    _check_sides(original, decoded, SSIM_SMALLEST_SIDE, "SSIM")
    with _extra("SSIM", "scikit-image"):
        from skimage.metrics import structural_similarity
    values = [
        structural_similarity(
            a,
            b,
            channel_axis=-1,
            data_range=_PEAK,
            gaussian_weights=True,
            sigma=_SSIM_SIGMA,
            use_sample_covariance=False,
        )
        for a, b in _as_seen(original, decoded)
    ]
    return float(np.mean(values))


def ciede2000(original: Pixels, decoded: Pixels) -> ColorDifference:
    """
    Colour difference that is seen: CIEDE2000 of every pixel, as scikit-image computes it.

    Colours are sRGB under D65 and the 2° observer. With alpha, the pixels on both backgrounds count.

    Source: CIE 142:2001; G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", Color Research and Application 30(1), 2005.

    Args:
        original: uint8, shape (height, width, 3 or 4).
        decoded: uint8, the same height and width.

    Returns:
        Mean and 95th percentile, 0 to about 100, lower is better; 0 where nothing differs.

    Raises:
        ValueError: Heights or widths differ.
        ImportError: scikit-image is not installed.
    """
    _check_sides(original, decoded, 1, "CIEDE2000")
    height, width = original.shape[:2]
    differences = np.concatenate(
        [
            lab_differences(*(_lab(colors) for colors in pair)).reshape(-1)
            for place in blocks(height, width)
            for pair in _as_seen(original[place], decoded[place])
        ]
    )
    return ColorDifference(float(differences.mean()), float(np.percentile(differences, _HIGH_PERCENTILE)))


def lab_differences(a: Colors, b: Colors) -> npt.NDArray[np.float64]:
    """
    CIEDE2000 of colours in CIELAB.

    Args:
        a: L* from 0 to 100, a* and b*; shape (…, 3).
        b: The same.

    Returns:
        Shape (…), 0 to about 100.

    Raises:
        ImportError: scikit-image is not installed.
    """
    with _extra("CIEDE2000", "scikit-image"):
        from skimage.color import deltaE_ciede2000
    differences: npt.NDArray[np.float64] = deltaE_ciede2000(a, b)
    return differences


def ssimulacra2(original: Pixels, decoded: Pixels) -> float:
    """
    SSIMULACRA 2.1, a score fitted to how people judged compressed pictures.

    About 30 is low, 50 medium and 70 high quality; from 90 on nobody sees a difference. With alpha the lower of both
    backgrounds counts; its reference implementation likewise takes the lower, of two greys.

    Source: J. Sneyers, https://github.com/cloudinary/ssimulacra2.

    Args:
        original: uint8, shape (height, width, 3 or 4), at least 8 pixels high and wide.
        decoded: uint8, the same height and width.

    Returns:
        Below 0 to 100, higher is better; 100 where nothing differs.

    Raises:
        ValueError: Heights or widths differ, or are too small.
        ImportError: SciPy is not installed.
    """
    _check_sides(original, decoded, SSIMULACRA2_SMALLEST_SIDE, "SSIMULACRA2")
    with _extra("SSIMULACRA2", "SciPy"):
        from kmcodec.ssimulacra2 import ssimulacra2_score
    return min(ssimulacra2_score(a, b) for a, b in _as_seen(original, decoded))


def bits_per_pixel(file_bytes: int, pixels: int) -> float:
    """Size of a file, all of it, for each of its pixels."""
    return 8 * file_bytes / pixels


def compression_ratio(file_bytes: int, pixels: int, channels: int) -> float:
    """
    Size of the samples, a byte each, for each byte of a file; higher is smaller.

    Args:
        file_bytes: Size of the file, all of it.
        pixels: Width × height.
        channels: Samples a pixel: 3, or 4 with alpha.
    """
    return pixels * channels / file_bytes


class PsnrSum:
    """`psnr_db` of a picture that comes in blocks of rows."""

    def __init__(self) -> None:
        self._error = 0.0
        self._pixels = 0

    def add(self, original: Pixels, decoded: Pixels) -> None:
        """Take in the next rows: arguments as of `psnr_db`."""
        for place in blocks(*original.shape[:2]):
            self.add_block(original[place], decoded[place])

    def add_block(self, original: Pixels, decoded: Pixels) -> None:
        """The same with so few pixels that they can be worked on at once."""
        self._error += _squared_error(original, decoded)
        self._pixels += original.shape[0] * original.shape[1]

    @property
    def psnr_db(self) -> float:
        """Decibels, of all that was added; infinity where nothing differs."""
        return 10 * math.log10(_PEAK**2 * 3 * self._pixels / self._error) if self._error else math.inf


def _psnr_db(original: Pixels, decoded_at: Callable[[tuple[slice, slice]], Pixels]) -> float:
    total = PsnrSum()
    for place in blocks(*original.shape[:2]):
        total.add_block(original[place], decoded_at(place))
    return total.psnr_db


def _squared_error(a: Pixels, b: Pixels) -> float:
    """Sum of squared differences; in float64, exact where there is no alpha."""
    if a.shape[2] == b.shape[2] == 3:
        difference = a.astype(np.int16) - b
        return float(np.square(difference, dtype=np.int32).sum(dtype=np.int64))
    total = 0.0
    for background in (_BLACK, _WHITE):
        total += float(np.square(_composite(a, background) - _composite(b, background)).sum()) / 2
    return total


def _composite(pixels: Pixels, background: float) -> Colors:
    if pixels.shape[2] == 3:
        return pixels.astype(np.float64)
    alpha = pixels[..., 3:] / 255.0
    return pixels[..., :3] * alpha + background * (1 - alpha)


def _as_seen(a: Pixels, b: Pixels) -> list[tuple[Colors, Colors]]:
    """Two pictures without their alpha: on black and on white, or, where neither has any, as they are."""
    backgrounds = (_BLACK,) if a.shape[2] == b.shape[2] == 3 else (_BLACK, _WHITE)
    return [(_composite(a, background), _composite(b, background)) for background in backgrounds]


def _lab(colors: Colors) -> Colors:
    with _extra("CIEDE2000", "scikit-image"):
        from skimage.color import rgb2lab
    lab: Colors = rgb2lab(colors / _PEAK)
    return lab


def _check_sides(original: Pixels, decoded: Pixels, smallest: int, metric: str) -> None:
    if original.shape[:2] != decoded.shape[:2]:
        raise ValueError(f"pictures must be of one size, not {original.shape[:2]} and {decoded.shape[:2]}")
    if min(original.shape[:2]) < smallest:
        height, width = original.shape[:2]
        raise ValueError(f"{metric} needs at least {smallest} x {smallest} pixels, not {width} x {height}")


@contextmanager
def _extra(metric: str, package: str) -> Iterator[None]:
    """A missing library as one sentence that says what to do."""
    try:
        yield
    except ImportError:
        raise ImportError(f"{metric} needs {package}; install it with: pip install 'kmcodec[measure]'") from None
