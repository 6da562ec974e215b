"""
Oklab (Ottosson 2020, https://bottosson.github.io/posts/oklab/): a colour space in which equal distances look equal.

Every step is an IEEE operation that is rounded correctly: +, −, ×, ÷ and the square root; powers and cube roots of a
maths library differ from one machine to the next. sRGB comes from a table that is computed in decimal arithmetic.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LMS_OF_RGB = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_LAB_OF_LMS = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
_LMS_OF_LAB = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_RGB_OF_LMS = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)
_NEWTON_STEPS = 7  # from the fourth root; the seventh changes nothing any more


def oklab_of_srgb(rgb: npt.NDArray[np.uint8]) -> Floats:
    """Bytes of sRGB, shape (n, 3), to L, a, b, shape (3, n): L from 0 to 1, a and b from −0.32 to 0.28."""
    linear = np.take(_linear_table(), rgb.T)
    return _times(_LAB_OF_LMS, _cube_roots(_times(_LMS_OF_RGB, linear)))


def srgb_of_oklab(lab: Floats) -> npt.NDArray[np.uint8]:
    """L, a, b, shape (3, n), to bytes of sRGB, shape (n, 3), rounded; what no byte can say is clipped."""
    roots = _times(_LMS_OF_LAB, lab)
    linear = _times(_RGB_OF_LMS, roots * roots * roots)
    return np.ascontiguousarray(np.searchsorted(_rounding_table(), linear.T, side="right").astype(np.uint8))


def _times(matrix: tuple[tuple[float, ...], ...], vectors: Floats) -> Floats:
    """A matrix product whose sums have one order on every machine."""
    rows = [row[0] * vectors[0] + row[1] * vectors[1] + row[2] * vectors[2] for row in matrix]
    return np.stack(rows)


def _cube_roots(values: Floats) -> Floats:
    """Cube roots of values from 0 to 1, by Newton's method."""
    values = np.maximum(values, 1e-30)  # black: no division by zero
    root = np.sqrt(np.sqrt(values))
    for _ in range(_NEWTON_STEPS):
        root = (2 * root + values / (root * root)) / 3
    return root


@cache
def _linear_table() -> Floats:
    """The light of every byte of sRGB (IEC 61966-2-1), 0 to 1."""
    return np.array([_light(Decimal(byte)) for byte in range(256)])


@cache
def _rounding_table() -> Floats:
    """The light halfway, in sRGB, from one byte to the next, ascending, shape (255,)."""
    return np.array([_light(Decimal(byte) + Decimal("0.5")) for byte in range(255)])


def _light(byte: Decimal) -> float:
    context = Context(prec=30)
    value = context.divide(byte, Decimal(255))
    if value <= Decimal("0.04045"):
        return float(context.divide(value, Decimal("12.92")))
    base = context.divide(context.add(value, Decimal("0.055")), Decimal("1.055"))
    return float(context.power(base, Decimal("2.4")))
