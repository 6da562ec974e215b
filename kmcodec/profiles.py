"""ICC colour profiles: whether they can be used, and pictures brought through them to sRGB, by LittleCMS."""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import ImageCms

if TYPE_CHECKING:
    from PIL import Image

_MODES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""Pillow's mode of the pixels a profile describes, by its colour space (ICC.1, 7.2.6)."""

_HEADER_BYTES = 128
_TAG_BYTES = 12


@lru_cache(maxsize=16)
def mode_of_profile(icc: bytes) -> str | None:
    """
    What pixels a profile is for.

    Args:
        icc: The profile.

    Returns:
        "RGB", "L", "CMYK" or "LAB"; None if it is damaged, or for pixels of another kind.
    """
    if not _is_whole(icc) or icc[16:20] not in _MODES:
        return None
    mode = _MODES[icc[16:20]]
    return mode if _transform(icc, mode) is not None else None


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image | None:
    """
    Bring a picture to sRGB, with perceptual intent.

    Args:
        image: Of mode L, RGB, CMYK or LAB.
        icc: The profile of its pixels.

    Returns:
        Of mode RGB; None if the profile is damaged or of other pixels.
    """
    transform = _transform(icc, image.mode)
    return None if transform is None else transform.apply(image)


def description_of(icc: bytes) -> str | None:
    """What a profile calls itself; None if it is damaged."""
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return None


@lru_cache(maxsize=4)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        profile = ImageCms.ImageCmsProfile(BytesIO(icc))
        return ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None


def _is_whole(icc: bytes) -> bool:
    """Whether all that header and tag table announce is there (ICC.1, 7.2 and 7.3), which LittleCMS looks for late."""
    if len(icc) < _HEADER_BYTES + 4 or icc[36:40] != b"acsp":
        return False
    size, count = _u32(icc, 0), _u32(icc, _HEADER_BYTES)
    table_end = _HEADER_BYTES + 4 + count * _TAG_BYTES
    if not table_end <= size <= len(icc):
        return False
    entries = range(_HEADER_BYTES + 4, table_end, _TAG_BYTES)
    return all(_u32(icc, entry + 4) + _u32(icc, entry + 8) <= size for entry in entries)


def _u32(data: bytes, offset: int) -> int:
    return int.from_bytes(data[offset : offset + 4], "big")
