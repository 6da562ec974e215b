"""One knob for size and quality: how many colours, and what a bit is worth."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

LOWEST_QUALITY = -39.0
"""Where one colour is left. Searches may go below 1."""

FIRST_QUALITY = 1.0
"""Where the scale that users see begins, with 8 colours."""

HIGHEST_QUALITY = 100.0
"""Where nothing is lost, if the picture has no more than 65 536 colours."""

KNEE = 95.0
"""Up to here colours are few and λ matters; from here colours become many, and λ vanishes."""

_COLORS_TIMES_RDO = 6400
_DECIMAL = Context(prec=28, rounding=ROUND_HALF_EVEN, traps=[])  # not the caller's
_GRID = 16
"""Numbers of colours tried while they double."""


@dataclass(frozen=True)
class Setting:
    """
    What a quality means.

    Attributes:
        colors: K.
        rdo: λ where K colours are few for the picture, in squared error of a pixel for a bit.
        share: What of λ is used.
        coarseness: How far λ is, in place of `rdo`, from what it is at quality 1, 0, to what leaves one colour, 1.
    """

    colors: int
    rdo: float
    share: float
    coarseness: float


def setting_at(quality: float) -> Setting:
    """
    The number of colours and λ that together cost fewest bytes at about this quality.

    From 8 colours at 1 to 512 at 95 colours double every 16 steps and K · λ stays at 6400, which is near the hull of
    all combinations on photos. From there to 100 λ falls to 0, and colours rise to 65 536. Only some numbers of colours
    are used, since sizes at neighbouring ones differ by chance; between them λ alone changes, a little faster, so that
    quality rises evenly.

    Below 1 colours halve as they double above, and λ rises much faster, for few colours cost few bits anyway.

    Args:
        quality: −39, one colour, to 100.
    """
    share = max(0.0, (quality - KNEE) / (HIGHEST_QUALITY - KNEE))
    exponent = 9 + 7 * share if share else 3 + 6 * (quality - FIRST_QUALITY) / (KNEE - FIRST_QUALITY)
    wanted = _power_of_two(exponent)
    colors = round(wanted if share else _power_of_two(round(_GRID * exponent) / _GRID))
    evened = colors / wanted * math.sqrt(colors / wanted)
    coarseness = max(0.0, (FIRST_QUALITY - quality) / (FIRST_QUALITY - LOWEST_QUALITY))
    return Setting(colors, _COLORS_TIMES_RDO / colors, (1 - share) * evened, coarseness)


def between(low: float, high: float, share: float) -> float:
    """
    The number at this share of the way from one above 0 to another, on a logarithmic scale.

    As decimal gives it, which is the same everywhere; libraries' powers are not.
    """
    return low * float(_DECIMAL.power(_DECIMAL.divide(Decimal(high), Decimal(low)), Decimal(share)))


def _power_of_two(exponent: float) -> float:
    return between(1.0, 2.0, exponent)
