"""What is kept of an image file besides its pixels, without reading those: the same as `metadata_of` of the whole."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO

from PIL import Image

from kmcodec.errors import ImageError
from kmcodec.images import metadata_of, without_pillow_limit
from kmcodec.indexed import Metadata
from kmcodec.large.images import ImageSource
from kmcodec.large.png import SIGNATURE, chunk, read_chunks

_OF_PIXELS = (b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"bKGD", b"sBIT", b"hIST", b"sPLT", b"acTL", b"fcTL", b"fdAT")
"""Chunks of a PNG that tell of its pixels, and make no sense without them."""


@dataclass(frozen=True)
class Extras:
    """
    What an image file has besides the pixels of its first picture.

    Attributes:
        metadata: As of `metadata_of`.
        frames: How many pictures the file holds.
        profile_dropped: Whether there is a colour profile that is not one of RGB, and so not in `metadata`.
    """

    metadata: Metadata
    frames: int
    profile_dropped: bool


def read_extras(source: ImageSource) -> Extras:
    """
    Read them.

    Raises:
        ImageError: The file is damaged.
        OSError: It cannot be read.
    """
    with open(source, "rb") if isinstance(source, str) else BytesIO(source) as stream, without_pillow_limit():
        try:
            with Image.open(stream) as image:
                frames = getattr(image, "n_frames", 1)
                if image.format != "PNG":
                    return _extras(image, frames)
                stream.seek(0)
                with Image.open(BytesIO(_without_pixels(stream))) as small:
                    return _extras(small, frames)
        except (ImageError, MemoryError):
            raise
        except Exception:  # Pillow raises whatever a damaged file leads it to
            raise ImageError("damaged image") from None


def _extras(image: Image.Image, frames: int) -> Extras:
    metadata = metadata_of(image)
    return Extras(metadata, frames, bool(image.info.get("icc_profile")) and metadata.icc is None)


def _without_pixels(stream: BinaryIO) -> bytes:
    """A PNG of one pixel with the metadata of another: some may follow the pixels, and Pillow would load those."""
    kept = [chunk(kind, data) for kind, data in read_chunks(stream, without=_OF_PIXELS)]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"".join([SIGNATURE, header, *kept[:-1], pixels, kept[-1]])
