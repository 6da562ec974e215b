"""Which parameters of the model an encoder chooses: by trying."""

from __future__ import annotations

from math import log2

import numpy as np

from kmcodec.format.cores import run_on_cores
from kmcodec.format.prediction.kernel import Flags, encode_flags
from kmcodec.format.prediction.parameters import MIN_TABLE_BITS, ContextSet, Parameters
from kmcodec.indexed import Labels, Palette

SMALL_PIXELS = 1 << 14
"""Up to so many pixels everything is tried in full."""

_NO_TRIAL, _FAST_ONLY, _LIKELY_ONLY = 3, 5, 7  # up to which effort

_SAMPLE_PIXELS = 1 << 21
_BANDS = 4

_HANDICAP = {
    ContextSet.PHOTO: 1.01,
    ContextSet.SMOOTH: 1.0,
    ContextSet.MIDDLE: 1.0,
    ContextSet.RICH: 1.015,
    ContextSet.DEEP: 1.04,
    ContextSet.GRAPHICS: 1.03,
}
"""By how much a set must be smaller to be worth the time that decoding takes with it."""


def all_parameters(pixels: int, colors: int) -> list[Parameters]:
    """All that are worth trying where time does not count: every set, and for small pictures fewer streams."""
    return [
        Parameters(context_set, table_bits_for(pixels, colors, context_set), sparse)
        for context_set in ContextSet
        for sparse in ((False, True) if pixels <= SMALL_PIXELS else (False,))
    ]


def fast_parameters(pixels: int, colors: int) -> list[Parameters]:
    """The fastest to decode, then others that are worth the time they take."""
    if colors <= 32:
        sets = (ContextSet.MIDDLE, ContextSet.RICH, ContextSet.GRAPHICS)
    elif colors <= 128:
        sets = (ContextSet.SMOOTH, ContextSet.RICH, ContextSet.GRAPHICS)
    else:
        sets = (ContextSet.SMOOTH, ContextSet.PHOTO, ContextSet.GRAPHICS)
    return [Parameters(context_set, table_bits_for(pixels, colors, context_set)) for context_set in sets]


def likely_parameters(pixels: int, colors: int) -> list[Parameters]:
    """What is smallest on most pictures with about so many colours."""
    sets: tuple[ContextSet, ...] = (ContextSet.DEEP, ContextSet.GRAPHICS)
    if colors <= 32:
        sets += (ContextSet.MIDDLE, ContextSet.RICH)
    return [Parameters(context_set, table_bits_for(pixels, colors, context_set)) for context_set in sets]


def table_bits_for(pixels: int, colors: int, context_set: ContextSet) -> int:
    """Tables grow with the picture as far as that pays; small ones stay in the second-level cache."""
    bits = (colors - 1).bit_length()
    wanted = (pixels * max(1, bits // 4) - 1).bit_length() - 3
    if context_set is ContextSet.GRAPHICS or colors > 256:
        most = 16
    else:
        most = 13 if context_set in (ContextSet.PHOTO, ContextSet.SMOOTH) else 14
    return max(MIN_TABLE_BITS, min(wanted, most))


def choose(labels: Labels, palette: Palette, strip_pixels: int, *, effort: int, threads: int | None) -> Parameters:
    """
    The parameters under which the flags of a sample have the least entropy.

    Args:
        labels: Of the whole picture.
        palette: Its palette.
        strip_pixels: Pixels of a strip: tables are sized for that.
        effort: Up to 3 takes what is fastest to decode; up to 5 tries the fast ones, and weighs the time that
            decoding takes; 6 and 7 try what is likely smallest; 8 and 9 try them all.
        threads: How many threads may work; None for one a core.
    """
    if effort <= _NO_TRIAL:
        return fast_parameters(strip_pixels, len(palette))[0]
    candidates = (
        fast_parameters if effort <= _FAST_ONLY else likely_parameters if effort <= _LIKELY_ONLY else all_parameters
    )
    tries = candidates(strip_pixels, len(palette))
    bands = _bands(labels)

    def entropy(job: tuple[Parameters, Labels]) -> float:
        return sum(map(_entropy, encode_flags(job[1], palette, job[0])))

    entropies = run_on_cores(entropy, [(parameters, band) for parameters in tries for band in bands], threads)

    def cost(index: int) -> float:
        total = sum(entropies[index * len(bands) : (index + 1) * len(bands)])
        return total * _HANDICAP[tries[index].context_set] if effort <= _FAST_ONLY else total

    return tries[min(range(len(tries)), key=cost)]


def _bands(labels: Labels) -> list[Labels]:
    """The picture, or bands of rows from top to bottom of a large one; smaller samples miss the busy parts."""
    height, width = labels.shape
    rows = max(1, _SAMPLE_PIXELS // _BANDS // width)
    if height <= _BANDS * rows:
        return [labels]
    tops = [(height - rows) * band // (_BANDS - 1) for band in range(_BANDS)]
    return [labels[top : top + rows] for top in tops]


def _entropy(flags: Flags) -> float:
    """Bits that an ideal coder needs; zstd comes within 2 %."""
    ones = int(np.bitwise_count(np.frombuffer(flags.packed, np.uint8)).sum())
    zeros = flags.count - ones
    if not ones or not zeros:
        return 0.0
    return ones * log2(flags.count / ones) + zeros * log2(flags.count / zeros)
