"""One knob for size and quality: how many colours, and what a bit is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from kmcodec.indexed import MAX_COLORS

LOWEST_QUALITY = -46.0
"""Where one colour is left. The scale that users see begins at 1, with 8 colours; searches may go below."""

HIGHEST_QUALITY = 100.0
"""Where nothing is lost, if the picture has no more than 65 536 colours."""

_KNEE = 95.0
_COLORS_TIMES_RDO = 6400
_EVENNESS = 4


@dataclass(frozen=True)
class Setting:
    """
    What a quality means.

    Attributes:
        colors: K.
        rdo: λ at most, in squared error of a pixel for a bit.
    """

    colors: int
    rdo: float


def setting_at(quality: float) -> Setting:
    """
    The number of colours and λ that together cost fewest bytes at about this quality.

    From 8 colours at 1 to 512 at 95 colours double every 16 steps and K · λ stays at 6400, which is near the hull of
    all combinations on photos. From there to 100 λ falls to 0, and colours rise to 65 536. Between two numbers of
    colours λ falls faster, so that quality rises without a jump where they are few.

    Args:
        quality: −46, one colour, to 100.
    """
    if quality <= _KNEE:
        colors = _power_of_two(3 + 6 * (quality - 1) / (_KNEE - 1))
        rdo = _COLORS_TIMES_RDO / colors
    else:
        share = (quality - _KNEE) / (HIGHEST_QUALITY - _KNEE)
        colors = _power_of_two(9 + 7 * share)
        rdo = _COLORS_TIMES_RDO / colors * (1 - share)
    whole = max(1, min(round(colors), MAX_COLORS))
    return Setting(whole, rdo * (whole / colors) ** _EVENNESS)


def _power_of_two(exponent: float) -> float:
    """As decimal gives it, which is the same everywhere; libraries' powers are not."""
    return float(Decimal(2) ** Decimal(exponent))
