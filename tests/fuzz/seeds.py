"""The files that fuzzing starts from: the specification's vectors, and what the encoder makes of small pictures."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np

import kmcodec
from kmcodec.limits import Limits

LIMITS = Limits(pixels=1 << 17, file_bytes=1 << 20, metadata_bytes=1 << 18)
"""Of the decoder: what a file may claim, and so what memory and time must be in proportion to."""

_VECTORS = Path(__file__).parents[2] / "spec" / "vectors" / "valid"


@dataclass(frozen=True)
class Seed:
    """
    Attributes:
        name: What it is.
        data: A valid file.
        header_bytes: Length of its header, with its check.
        pixels: The `fingerprint` of what it decodes to.
    """

    name: str
    data: bytes
    header_bytes: int
    pixels: int


def seeds() -> list[Seed]:
    """All of them, in the same order every time, but for pictures beyond the limits."""
    vectors = ((path.name, path.read_bytes()) for path in sorted(_VECTORS.glob("*.kmc")))
    return [_seed(name, data) for name, data in [*_encoded(), *vectors] if _is_small(data)]


def fingerprint(indexed: kmcodec.IndexedImage) -> int:
    """CRC-32 of shape and samples."""
    pixels = indexed.to_pixels()
    return zlib.crc32(pixels.tobytes(), zlib.crc32(repr(pixels.shape).encode()))


def _is_small(data: bytes) -> bool:
    try:
        kmcodec.KmcFile(BytesIO(data), limits=LIMITS)
    except kmcodec.LimitError:
        return False
    return True


def _seed(name: str, data: bytes) -> Seed:
    file = kmcodec.KmcFile(BytesIO(data), threads=1)
    return Seed(name, data, len(file.header.encoded), fingerprint(kmcodec.loads(data, threads=1)))


def _encoded() -> Iterator[tuple[str, bytes]]:
    for colors, coding in product((1, 2, 3, 16, 60, 256, 300, 4000), ("plain", "predicted")):
        for kind in ("smooth", "noisy", "blocks"):
            image = _picture(colors, kind, alpha=kind == "blocks")
            yield f"K {colors} {coding} {kind}", kmcodec.dumps(image, coding=coding, effort=5)
    yield "strips", _in_strips(_picture(40, "smooth", side=256))


def _picture(colors: int, kind: str, *, alpha: bool = False, side: int = 24) -> kmcodec.IndexedImage:
    rng = np.random.default_rng([colors, len(kind)])
    rows, columns = np.mgrid[0:side, 0 : side + 5]
    labels = {
        "smooth": (rows * columns // 9 + rng.integers(0, 2, rows.shape)) % colors,
        "noisy": rng.integers(0, colors, rows.shape),
        "blocks": (rows // 5 * 7 + columns // 6) % colors,
    }[kind]
    metadata = kmcodec.Metadata(icc=b"icc" * 30, exif=b"MM", text=(("a", "b"),), dpi=(Fraction(72), Fraction(72)))
    palette = rng.integers(0, 256, (colors, 4 if alpha else 3), np.uint8)
    return kmcodec.IndexedImage(palette, labels, metadata if alpha else kmcodec.Metadata())


def _in_strips(image: kmcodec.IndexedImage) -> bytes:
    """Coded in strips that are far smaller than usual."""
    from kmcodec.format import strips

    usual, strips.MOST_STRIP_PIXELS = strips.MOST_STRIP_PIXELS, 1 << 15
    try:
        return kmcodec.dumps(image)
    finally:
        strips.MOST_STRIP_PIXELS = usual
