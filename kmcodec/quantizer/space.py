"""
The space in which colours are near or far: sRGB for the least squared error, Oklab for the eye.

Palettes are fitted, labels chosen and pictures dithered in coordinates of a space. These are integers within ±1 024,
so that squared distances are exact in float32 (`nearest.py`), and they are computed without anything that differs
from one machine to the next. Colours with alpha are premultiplied: what is hardly seen hardly counts.
"""

from __future__ import annotations

import itertools
from typing import Protocol

import numpy as np

from kmcodec.blocks import BLOCK_PIXELS
from kmcodec.indexed import Palette
from kmcodec.quantizer.color import OPAQUE, premultiply, unpremultiply
from kmcodec.quantizer.nearest import Points
from kmcodec.quantizer.oklab import Floats, oklab_of_srgb, srgb_of_oklab


class Space(Protocol):
    """
    Coordinates for colours.

    Attributes:
        squared_error: What a squared distance of 1 stands for, on average, in squared error of a pixel: of its red,
            green and blue together, in steps of 8 bits.
    """

    squared_error: float

    def coordinates(self, colors: Palette) -> Points:
        """Colours with straight alpha, shape (n, 3 or 4), as points: integers within ±1 024, shape (3 or 4, n)."""
        ...

    def colors(self, points: Points) -> Palette:
        """The inverse for any points, such as centroids: the colours, shape (n, 3 or 4), rounded and within gamut."""
        ...


class Srgb:
    """Red, green and blue as they are, eight steps to a step of 8 bits: PSNR counts these distances."""

    _STEPS = 8  # centred on 128, four squared differences stay below 2²⁴
    _CENTER = 128
    squared_error = 1 / _STEPS**2

    def coordinates(self, colors: Palette) -> Points:
        """As `Space.coordinates`."""
        return np.ascontiguousarray((premultiply(colors).T.astype(np.float32) - self._CENTER) * self._STEPS)

    def colors(self, points: Points) -> Palette:
        """As `Space.colors`."""
        return unpremultiply(points.T.astype(np.float64) / self._STEPS + self._CENTER)


class Oklab:
    """
    Oklab with its chroma, a and b, doubled: about what the eye tells apart.

    As it stands Oklab makes little of differences in chroma. Mean CIEDE2000 of 4 Kodak photos at K = 16, 64 and 256:
    3.75, 2.26 and 1.47 in sRGB, 3.77, 2.27 and 1.43 in Oklab, 3.47, 2.04 and 1.28 in Oklab with chroma doubled. Over
    12 photos the last is 8, 10 and 14 % below sRGB (`tests/bench/colors.py`).
    """

    _STEPS = np.array([[2000.0], [4000.0], [4000.0]])
    _CENTER = np.array([[1000.0], [85.0], [-226.0]])  # the middle of sRGB's gamut, in steps
    _ALPHA_STEPS = 2000.0
    squared_error = 1 / 24  # of the error left in photos; 1/22 to 1/26

    def coordinates(self, colors: Palette) -> Points:
        """As `Space.coordinates`."""
        if colors.shape[1] == 3:
            return _rounded(self._steps(colors) - self._CENTER)
        seen = unpremultiply(premultiply(colors).astype(np.float64))  # as in sRGB, what looks the same is one point
        alpha = seen[:, 3] / OPAQUE
        steps = np.concatenate([self._steps(seen[:, :3]) * alpha, [alpha * self._ALPHA_STEPS]])
        return _rounded(steps - self._center_with_alpha())

    def colors(self, points: Points) -> Palette:
        """
        As `Space.colors`: the nearest of those around the rounded one.

        Rounding is in sRGB, and what is near there is not nearest here: mean CIEDE2000 is 0.8 % lower at K = 256 than
        with rounding alone, and 3 % at K = 2 048.
        """
        rounded = self._rounded_colors(points)
        best, least = rounded, self._squared_distances(rounded, points)
        for offset in itertools.product((-1, 0, 1), repeat=3):
            moved = rounded.copy()
            moved[:, :3] = (rounded[:, :3] + np.array(offset, np.int16)).clip(0, 255)
            distances = self._squared_distances(moved, points)
            best = np.where((distances < least)[:, None], moved, best)
            least = np.minimum(least, distances)
        return best

    def _squared_distances(self, colors: Palette, points: Points) -> Points:
        squares: Points = np.square(self.coordinates(colors) - points).sum(axis=0)
        return squares

    def _rounded_colors(self, points: Points) -> Palette:
        if len(points) == 3:
            return srgb_of_oklab((points + self._CENTER) / self._STEPS)
        steps = points + self._center_with_alpha()
        alpha = np.clip(np.floor(steps[3] / self._ALPHA_STEPS * OPAQUE + 0.5), 0, OPAQUE).astype(np.uint8)
        straight = srgb_of_oklab(steps[:3] * (OPAQUE / np.maximum(alpha, 1)) / self._STEPS)
        visible = alpha[:, None] > 0
        return np.concatenate([np.where(visible, straight, np.uint8(0)), alpha[:, None]], axis=1)

    def _steps(self, rgb: Palette) -> Floats:
        steps: Floats = oklab_of_srgb(rgb) * self._STEPS
        return steps

    def _center_with_alpha(self) -> Floats:
        return np.concatenate([self._CENTER, [[self._ALPHA_STEPS / 2]]])


SRGB: Space = Srgb()
OKLAB: Space = Oklab()


def coordinates_of(space: Space, colors: Palette) -> Points:
    """As `space.coordinates`, piece by piece: on the way a colour may take a hundred bytes, and there may be 2²⁴."""
    points = np.empty((colors.shape[1], len(colors)), np.float32)
    for start in range(0, len(colors), BLOCK_PIXELS):
        points[:, start : start + BLOCK_PIXELS] = space.coordinates(colors[start : start + BLOCK_PIXELS])
    return points


def _rounded(values: Floats) -> Points:
    return np.floor(values + 0.5).astype(np.float32)
