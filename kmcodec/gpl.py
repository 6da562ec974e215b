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

_HEADER_LINE = re.compile(r"(?:Name|Columns|Channels)\s*:\s*(.*)", re.IGNORECASE)
_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_WORDS = {3: "three", 4: "four"}


def parse_gpl(data: bytes) -> Palette:
    """
    Read a GIMP palette.

    Args:
        data: The file; of any encoding that keeps ASCII, with any line ends, and with or without a byte order mark.

    Returns:
        The colours in their order, shape (K, 3); (K, 4) of a palette that says "Channels: RGBA", as Aseprite's do.

    Raises:
        ImageError: It is none: the message names the line.
    """
    lines = data.decode("utf-8-sig", "replace").splitlines()
    if not lines or lines[0].strip() != SIGNATURE.decode():
        raise ImageError(f"line 1: {SIGNATURE.decode()!r} was expected")
    colors: list[list[int]] = []
    channels = 3
    for number, line in enumerate(lines[1:], 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not colors and (header := _HEADER_LINE.match(line)):
            channels = 4 if header[1].strip().upper() == "RGBA" else channels
            continue
        if len(colors) == MAX_COLORS:
            raise ImageError(f"line {number}: more than {MAX_COLORS} colours")
        colors.append(_parse_color(line, number, channels))
    if not colors:
        raise ImageError("a palette without colours")
    return np.array(colors, np.uint8)


def _parse_color(line: str, number: int, channels: int) -> list[int]:
    words = line.split(None, channels)[:channels]
    if len(words) < channels or not all(_INTEGER.fullmatch(word) for word in words):
        wanted = f"{_WORDS[channels]} numbers and a name were expected"
        raise ImageError(f"line {number}: {wanted}, not {line.strip()[:40]!r}")
    color = [int(word) for word in words]
    if not all(0 <= value <= 255 for value in color):
        raise ImageError(f"line {number}: a colour is {_WORDS[channels]} numbers from 0 to 255, not {tuple(color)}")
    return color


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
