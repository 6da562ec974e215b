"""
SSIMULACRA 2.1: a score fitted to how people judged compressed pictures.

Pictures are compared in XYB, the colour space of JPEG XL, at up to six scales. At each, three maps are drawn for each
channel: what structure was lost (SSIM), where edges appeared (ringing, blocks), and where edges vanished (blur). Of
every map the mean and the fourth root of the mean fourth power count, with weights that were fitted to opinions.

Source: J. Sneyers, https://github.com/cloudinary/ssimulacra2, and the tool `ssimulacra2` of libjxl, whose scores
`tests/test_metrics.py` holds this to.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate1d

_SMALLEST_SIDE = 8

Colors = npt.NDArray[np.float64]
"""Red, green and blue of sRGB, 0 to 255, shape (height, width, 3)."""

Planes = npt.NDArray[np.float32]
"""Three channels, shape (3, height, width)."""

_SCALES = 6
_SIGMA = 1.5
_C2 = 0.0009  # keeps the quotient of variances finite where there is no structure
_ABSORBANCE = np.array(
    [[0.30, 0.622, 0.078], [0.23, 0.692, 0.078], [0.24342268924547819, 0.20476744424496821, 0.5518098665095536]],
    np.float32,
)
_BIAS = np.float32(0.0037930732552754493)
# channel by channel, scale by scale: means of the three maps, then roots of their fourth powers
# fmt: off
_WEIGHTS = (
    # X
    0, 0.0007376606707406586, 0, 0, 0.0007793481682867309, 0,
    0, 0.0004371155730107379, 0, 1.1041726426657346, 0.00066284834129271, 0.00015231632783718752,
    0, 0.0016406437456599754, 0, 1.8422455520539298, 11.441172603757666, 0,
    0.0007989109436015163, 0.000176816438078653, 0, 1.8787594979546387, 10.94906990605142, 0,
    0.0007289346991508072, 0.9677937080626833, 0, 0.00014003424285435884, 0.9981766977854967, 0.00031949755934435053,
    0.0004550992113792063, 0, 0, 0.0013648766163243398, 0, 0,
    # Y
    0, 0, 0, 7.466890328078848, 0, 17.445833984131262,
    0.0006235601634041466, 0, 0, 6.683678146179332, 0.00037724407979611296, 1.027889937768264,
    225.20515300849274, 0, 0, 19.213238186143016, 0.0011401524586618361, 0.001237755635509985,
    176.39317598450694, 0, 0, 24.43300999870476, 0.28520802612117757, 0.0004485436923833408,
    0, 0, 0, 34.77906344483772, 44.835625328877896, 0,
    0, 0, 0, 0, 0, 0,
    # B - Y
    0, 0.0008680556573291698, 0, 0, 0, 0,
    0, 0.0005313191874358747, 0, 0.00016533814161379112, 0, 0,
    0, 0, 0, 0.0004179171803251336, 0.0017290828234722833, 0,
    0.0020827005846636437, 0, 0, 8.826982764996862, 23.19243343998926, 0,
    95.1080498811086, 0.9863978034400682, 0.9834382792465353,
    0.0012286405048278493, 171.2667255897307, 0.9807858872435379,
    0, 0, 0, 0.0005130064588990679, 0, 0.00010854057858411537,
)
# fmt: on


def ssimulacra2_score(original: Colors, decoded: Colors) -> float:
    """
    Score a picture without transparency, of at least 8 × 8 pixels.

    Returns:
        100 where nothing differs, less where something does, and below 0 for what is hardly the same picture.
    """
    errors = np.array([_errors(*planes) for planes in _scales(_linear(original), _linear(decoded))])
    # weights are taken one after the other: a small picture, with fewer scales, has others, as the reference has it
    in_order = errors.transpose(1, 0, 2).ravel()
    return _as_score(float(np.dot(in_order, np.array(_WEIGHTS[: in_order.size]))))


def _scales(first: Planes, second: Planes) -> Iterator[tuple[Planes, Planes]]:
    """Both pictures in XYB, each time half as large, until a side is below eight pixels."""
    yield _xyb(first), _xyb(second)
    for _ in range(_SCALES - 1):
        if min(first.shape[1:]) < _SMALLEST_SIDE:
            return
        first, second = _halve(first), _halve(second)
        yield _xyb(first), _xyb(second)


def _errors(first: Planes, second: Planes) -> npt.NDArray[np.float64]:
    """Of each channel, shape (3, 6): means of the three maps, then roots of their fourth powers."""
    mean_1, mean_2 = _blur(first), _blur(second)
    variances = _blur(first * first) - mean_1 * mean_1 + (_blur(second * second) - mean_2 * mean_2)
    covariance = _blur(first * second) - mean_1 * mean_2
    structure = (1 - (mean_1 - mean_2) ** 2) * (2 * covariance + _C2) / (variances + _C2)
    edges = (1 + np.abs(second - mean_2)) / (1 + np.abs(first - mean_1)) - 1
    maps = np.stack([1 - structure, edges, -edges], axis=1).clip(min=0).astype(np.float64)
    means, fourth_powers = maps.mean(axis=(2, 3)), (maps**4).mean(axis=(2, 3))
    return np.concatenate([means, fourth_powers**0.25], axis=1)


def _as_score(error: float) -> float:
    """The weighted sum of errors on the scale of opinions."""
    error *= 0.9562382616834844
    error = 2.326765642916932 * error - 0.020884521182843837 * error**2 + 6.248496625763138e-05 * error**3
    return 100 - 10 * error**0.6276336467831387 if error > 0 else 100.0


def _linear(colors: Colors) -> Planes:
    """Light, 0 to 1, of what is encoded as sRGB."""
    encoded = (colors.transpose(2, 0, 1) / 255).astype(np.float32)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)


def _xyb(linear: Planes) -> Planes:
    """The colour space of JPEG XL, shifted and stretched to where no channel is negative."""
    long, middle, short = np.cbrt(np.tensordot(_ABSORBANCE, linear, 1) + _BIAS) - np.cbrt(_BIAS)
    x, y = (long - middle) / 2, (long + middle) / 2
    planes: Planes = np.stack([14 * x + np.float32(0.42), y + np.float32(0.01), short - y + np.float32(0.55)])
    return planes


def _halve(planes: Planes) -> Planes:
    """Means of 2 × 2 pixels; the last row or column of an odd number is taken twice."""
    _, height, width = planes.shape
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = even[:, ::2] + even[:, 1::2]
    return (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)


def _blur(planes: Planes) -> Planes:
    """A Gaussian of 1.5 pixels; there is nothing, not the edge's colour, outside of the picture."""
    rows = correlate1d(planes, _kernel(), axis=1, mode="constant")
    blurred: Planes = correlate1d(rows, _kernel(), axis=2, mode="constant")
    return blurred


@cache
def _kernel() -> npt.NDArray[np.float64]:
    """
    The Gaussian as a sum of three cosines that end at zero.

    Source: D. Charalampidis, Recursive Implementation of the Gaussian Filter Using Truncated Cosine Functions, IEEE
    Transactions on Signal Processing 64 (14), 2016, whose equations are numbered here.
    """
    radius = round(3.2795 * _SIGMA + 0.2546)  # (57)
    order = np.array([1, 3, 5])
    omega = order * np.pi / (2 * radius)  # table I
    sign = np.array([1, -1, 1])
    p = sign / np.tan(omega / 2)  # (37)
    r = sign * p * p / np.sin(omega)  # (44)
    rho = np.exp(-(_SIGMA**2) * omega**2 / 2) / radius  # (50)
    zeta = np.cross(p, r)  # (52), of the third cosine
    zeta /= zeta[2]
    gamma = np.array([1, radius**2 - _SIGMA**2, zeta @ rho])  # (55)
    beta = np.linalg.solve(np.array([p, r, zeta]), gamma)  # (53), (56)
    distance = np.arange(-radius, radius + 1)
    kernel: npt.NDArray[np.float64] = beta @ np.cos(np.outer(omega, distance))
    return kernel
