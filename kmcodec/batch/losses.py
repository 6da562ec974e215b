"""What a `.kmc` file does not keep of an image file, besides the colours that quantising gives up."""

from __future__ import annotations

from collections.abc import Iterable

from kmcodec.errors import ImageError

BITS = 8
"""Of a sample in a `.kmc` file."""


def losses(source: str, *, frames: int, bits: int, problems: Iterable[str], loses_alpha: bool) -> tuple[str, ...]:
    """
    A sentence on each thing that is not kept.

    Args:
        source: How the image file is shown.
        frames: How many pictures it holds.
        bits: Of a sample in it.
        problems: What its metadata loses.
        loses_alpha: Whether it has transparency, and the palette has none.
    """
    found = []
    if frames > 1:
        found.append(f"only the first of its {frames} frames is kept")
    if bits > BITS:
        found.append(f"its samples of {bits} bits are reduced to {BITS}")
    found += problems
    if loses_alpha:
        found.append("its transparency is not kept: the palette has none")
    return tuple(f"{source}: {sentence}" for sentence in found)


def check_that_samples_fit(bits: int) -> None:
    """Raise ImageError for samples of more bits than can be kept."""
    if bits > BITS:
        raise ImageError(f"samples of {bits} bits, where lossless needs {BITS}")
