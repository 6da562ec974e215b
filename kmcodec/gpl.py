"""
GIMP palettes (.gpl), which Inkscape, Krita, Aseprite and others read and write too: text, a colour a line, no alpha.

    GIMP Palette
    Name: Anything
    Columns: 16
    # a comment
    255   0   0	red
"""

from __future__ import annotations

import re

import numpy as np

from kmcodec.errors import ImageError
from kmcodec.indexed import MAX_COLORS, Palette

SIGNATURE = b"GIMP Palette"

_HEADER_LINE = re.compile(r"(Name|Columns|Channels)\s*:", re.IGNORECASE)
_COLOR_LINE = re.compile(r"\s*([+-]?\d+)\s+([+-]?\d+)\s+([+-]?\d+)(?:\s.*)?")


def parse_gpl(data: bytes) -> Palette:
    """
    Read a GIMP palette.

    Args:
        data: The file; of any encoding that keeps ASCII, with any line ends, and with or without a byte order mark.

    Returns:
        The colours in their order, shape (K, 3).

    Raises:
        ImageError: It is none: the message names the line.
    """
    lines = data.decode("utf-8-sig", "replace").splitlines()
    if not lines or lines[0].strip() != SIGNATURE.decode():
        raise ImageError(f"line 1: {SIGNATURE.decode()!r} was expected")
    colors: list[tuple[int, ...]] = []
    for number, line in enumerate(lines[1:], 2):
        if not line.strip() or line.lstrip().startswith("#") or (not colors and _HEADER_LINE.match(line)):
            continue
        match = _COLOR_LINE.fullmatch(line)
        if match is None:
            raise ImageError(f"line {number}: three numbers and a name were expected, not {line.strip()[:40]!r}")
        color = tuple(int(value) for value in match.groups())
        if not all(0 <= value <= 255 for value in color):
            raise ImageError(f"line {number}: a colour is three numbers from 0 to 255, not {color}")
        if len(colors) == MAX_COLORS:
            raise ImageError(f"line {number}: more than {MAX_COLORS} colours")
        colors.append(color)
    if not colors:
        raise ImageError("a palette without colours")
    return np.array(colors, np.uint8)


def format_gpl(palette: Palette, name: str) -> bytes:
    """
    Write a GIMP palette. It cannot hold alpha: only the name of a colour, #rrggbbaa, still tells it.

    Args:
        palette: Shape (K, 3 or 4).
        name: What the palette is called: one line of text.
    """
    lines = [SIGNATURE.decode(), f"Name: {' '.join(name.split())}", "Columns: 16", "#"]
    for color in palette.tolist():
        red, green, blue = color[:3]
        lines.append(f"{red:3} {green:3} {blue:3}\t{hex_color(color)}")
    return "\n".join([*lines, ""]).encode()


def hex_color(color: list[int]) -> str:
    """A colour as #rrggbb or #rrggbbaa."""
    return f"#{bytes(color).hex()}"
