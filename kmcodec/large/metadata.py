"""What is kept of an image file besides its pixels, without reading those: the same as `read_picture` of the whole."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from kmcodec.errors import ImageError
from kmcodec.image_metadata import read_metadata
from kmcodec.images import warnings_of_pillow, without_pillow_limits
from kmcodec.indexed import Metadata
from kmcodec.large.images import ImageSource
from kmcodec.large.png import chunk, read_chunks
from kmcodec.limits import METADATA_BYTES
from kmcodec.pixels import sample_bits
from kmcodec.png import SIGNATURE, without_bad_metadata

_OF_PIXELS = (b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"bKGD", b"sBIT", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT")
"""Chunks of a PNG that tell of its pixels, and make no sense without them."""


@dataclass(frozen=True)
class Extras:
    """
    What an image file has besides the pixels of its first picture.

    Attributes:
        metadata: As of `read_metadata`.
        frames: How many pictures the file holds.
        bits: As of `Picture`.
        problems: A sentence on each thing of its metadata that is not kept.
    """

    metadata: Metadata
    frames: int
    bits: int
    problems: tuple[str, ...]


def read_extras(source: ImageSource) -> Extras:
    """
    Read them.

    Raises:
        ImageError: The file is damaged.
        OSError: It cannot be read.
    """
    problems: list[str] = []
    with (
        open(source, "rb") if isinstance(source, str) else BytesIO(source) as stream,
        without_pillow_limits(),
        warnings_of_pillow(problems),
    ):
        try:
            extras = _read_extras(stream)
        except (ImageError, MemoryError):
            raise
        except Exception:  # Pillow raises whatever a damaged file leads it to
            raise ImageError("damaged image") from None
    return replace(extras, problems=tuple(dict.fromkeys((*problems, *extras.problems))))


def _read_extras(stream: BinaryIO) -> Extras:
    with Image.open(stream) as image:
        frames, bits = getattr(image, "n_frames", 1), sample_bits(image)
        if image.format != "PNG":
            return _extras(image, frames, bits, [])
        stream.seek(0)
        small, problems = without_bad_metadata(_without_pixels(stream), METADATA_BYTES)
        with Image.open(BytesIO(small)) as of_one_pixel:
            of_one_pixel.load()  # texts may follow the pixels
            return _extras(of_one_pixel, frames, bits, problems)


def _extras(image: Image.Image, frames: int, bits: int, problems: list[str]) -> Extras:
    metadata, others = read_metadata(image)
    return Extras(metadata, frames, bits, tuple(problems + others))


def _without_pixels(stream: BinaryIO) -> bytes:
    """A PNG of one pixel with the metadata of another: some may follow the pixels, and Pillow would load those."""
    chunks = read_chunks(stream, without=_OF_PIXELS)
    kept = [len(data).to_bytes(4, "big") + kind + data + check for kind, data, check in chunks]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"".join([SIGNATURE, header, *kept[:-1], pixels, kept[-1]])
