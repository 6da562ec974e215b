"""Palettes from files: of GIMP, of `.kmc` files, of images."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from kmcodec import gpl
from kmcodec.errors import ImageError
from kmcodec.format import KmcFile
from kmcodec.format.container import SIGNATURE
from kmcodec.images import load_image
from kmcodec.indexed import MAX_COLORS, Palette
from kmcodec.limits import DEFAULT_LIMITS, Limits
from kmcodec.pixels import as_pixels
from kmcodec.quantizer import histogram

if TYPE_CHECKING:
    from PIL import Image


def read_palette(data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Palette:
    """
    Read a palette, in the order it has.

    Args:
        data: A GIMP palette, a `.kmc` file, or an image of any format Pillow knows. Of an image it is its palette, or,
            where it has none, its colours, by red, then green, then blue.
        limits: What may be allocated.

    Returns:
        uint8, shape (K, 3), or (K, 4) where there is transparency, 1 ≤ K ≤ 65 536.

    Raises:
        ImageError: It is none of these, or an image of more than 65 536 colours.
        DecodeError: It is a damaged `.kmc` file.
    """
    if data.removeprefix(b"\xef\xbb\xbf").startswith(gpl.SIGNATURE):
        return gpl.parse_gpl(data)
    if data.startswith(SIGNATURE):
        return KmcFile(BytesIO(data), limits=limits).palette
    image = load_image(data, max_pixels=limits.pixels)
    return _palette_of(image) if image.mode in ("P", "PA") else _colors_of(image)


def _palette_of(image: Image.Image) -> Palette:
    """The palette of an image that has one, with the alpha of a PNG's or GIF's transparent entries."""
    entries = np.array(image.getpalette("RGBA"), np.uint8).reshape(-1, 4)
    transparent = image.info.get("transparency")
    if isinstance(transparent, bytes):
        entries[: len(transparent), 3] = np.frombuffer(transparent, np.uint8)[: len(entries)]
    elif isinstance(transparent, int) and transparent < len(entries):
        entries[transparent, 3] = 0
    return entries if entries[:, 3].min() < 255 else np.ascontiguousarray(entries[:, :3])


def _colors_of(image: Image.Image) -> Palette:
    colors = histogram(as_pixels(image)).colors
    if len(colors) > MAX_COLORS:
        raise ImageError(f"has {len(colors)} colours; a palette has at most {MAX_COLORS}")
    return colors[np.lexsort(colors.T[::-1])]
