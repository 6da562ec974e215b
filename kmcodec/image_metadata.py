"""
Metadata of Pillow's images to `Metadata`, and back to what Pillow writes into a file.

What a file says of its picture is kept as it is: pixels are neither turned to its orientation nor brought to another
colour space for it. A PNG without a profile but with other primaries or another gamma than sRGB (cHRM, gAMA) is
the exception that is warned of: its pixels are kept, and what colours they mean is not. So is one with cICP, in `png`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias, cast

from PIL import Image, PngImagePlugin
from PIL.ExifTags import Base

from kmcodec import exif as exifs
from kmcodec.indexed import MAX_TERM, Metadata
from kmcodec.limits import METADATA_BYTES
from kmcodec.pixels import GREY_MODES
from kmcodec.png import XMP_KEYWORD
from kmcodec.profiles import mode_of_profile

COMMENT = "Comment"
"""The keyword under which the comment of a JPEG or GIF is kept; PNG's own word for it (PNG, 11.3.3.2)."""

_Dpi: TypeAlias = tuple[Fraction, Fraction]

_LARGEST_DENOMINATOR = 10_000
"""Of a density that is known as a float: PNG's is a multiple of 127/5000 dpi, and so found exactly."""

_SRGB_GAMMA = 0.45455
_SRGB_PRIMARIES = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
"""White, red, green and blue, x and y each."""

_DENSITY_BYTES = 20
"""What a density is stored in at most."""

_JPEG_FAMILY = ("JPEG", "MPO")
_HOLD_ICC = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "AVIF")
_HOLD_EXIF = _HOLD_XMP = _HOLD_ICC
_HOLD_DENSITY = ("PNG", "JPEG", "MPO", "TIFF", "BMP", "DIB")
_HOLD_DENSITY_IN_EXIF = ("WEBP", "AVIF")
_HOLD_COMMENT = ("JPEG", "MPO", "GIF")

_MARKER_BYTES = 65_533
"""What a marker of a JPEG holds."""
_XMP_MARKER_BYTES = _MARKER_BYTES - len("http://ns.adobe.com/xap/1.0/\0")
_PROFILE_MARKERS_BYTES = 255 * (_MARKER_BYTES - 14)
_XMP_TAG = 700
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
"""What the markers of a JPEG begin with that hold XMP too large for one; Pillow does not read them."""


_COLORS = {"L": "grey", "CMYK": "CMYK", "LAB": "Lab"}
"""What profiles are of, by Pillow's mode of the pixels."""

_NAMES = {"icc": "colour profile", "exif": "EXIF", "xmp": "XMP", "text": "text"}


@dataclass
class SaveOptions:
    """
    What Pillow is told of metadata when it writes a file.

    Attributes:
        options: Keywords of its `save`.
        left_out: What the format cannot hold, each as a few words.
    """

    options: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def read_metadata(image: Image.Image) -> tuple[Metadata, list[str]]:
    """
    What is kept of an image.

    The colour profile is kept if the pixels will be those it describes, after `as_pixels`: one of RGB. The density is
    that of the file, else that of its EXIF. Comments of JPEG and GIF are text of the keyword "Comment"; descriptions in
    TIFF tags are EXIF.

    Args:
        image: An image of Pillow, loaded unless it is a TIFF whose orientation is wanted, which loading applies.

    Returns:
        The metadata, and a sentence on each thing that is not kept though it might be expected.
    """
    problems: list[str] = []
    exif = _read_exif(image, problems)
    dpi = _read_density(image, exif)
    metadata = Metadata(
        icc=_read_profile(image, problems),
        exif=None if dpi is not None and exif is not None and exifs.says_only_density(exif) else exif,
        xmp=_read_xmp(image, problems),
        text=_read_text(image),
        dpi=dpi,
    )
    return _within_limit(metadata, problems), problems


def dpi_of(sides: Any) -> _Dpi | None:
    """
    A density as fractions.

    Args:
        sides: Two numbers, pixels per inch.

    Returns:
        None for what is no density.
    """
    try:
        x, y = (_fraction(side) for side in sides)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return x, y


def text_of(pairs: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    """Texts by keyword, without what `Metadata` forbids."""
    return tuple((_storable(key), _storable(value)) for key, value in pairs.items())


def save_options(metadata: Metadata, name: str) -> SaveOptions:
    """
    How to write metadata.

    Args:
        metadata: What shall be written.
        name: Pillow's name of a format.

    Returns:
        What the format can hold, and what it cannot.
    """
    saved = SaveOptions()
    _add_profile(saved, metadata.icc, name)
    _add_exif(saved, metadata.exif, name)
    _add_xmp(saved, metadata.xmp, name)
    _add_text(saved, metadata.text, name)
    _add_density(saved, metadata.dpi, name)
    if name == "PNG":
        saved.options["pnginfo"] = _png_text(metadata)
    if name == "TIFF":
        _move_into_tags(saved)
    return saved


def _read_profile(image: Image.Image, problems: list[str]) -> bytes | None:
    if "icc_profile" not in image.info:
        _warn_of_png_colors(image, problems)
        return None
    icc = image.info["icc_profile"]  # Pillow puts None here for what it cannot read
    mode = mode_of_profile(icc) if isinstance(icc, bytes) else None
    if mode is None:
        problems.append("damaged colour profile is not kept")
    elif mode == "RGB" and image.mode in ("CMYK", "LAB"):
        problems.append(f"its colour profile is not kept: it is one of RGB, and the picture is {image.mode}")
    elif mode != "RGB" and not _is_converted_by(image, mode):
        problems.append(f"its colour profile is not kept: it is one of {_COLORS[mode]}, and the picture is not")
    else:
        return cast("bytes", icc) if mode == "RGB" else None
    return None


def _is_converted_by(image: Image.Image, mode: str) -> bool:
    """Whether `as_pixels` brings an image to sRGB by a profile for pixels of this mode."""
    return image.mode in GREY_MODES if mode == "L" else image.mode == mode


def _warn_of_png_colors(image: Image.Image, problems: list[str]) -> None:
    if "srgb" in image.info:
        return
    gamma, primaries = image.info.get("gamma"), image.info.get("chromaticity")
    other_gamma = isinstance(gamma, float) and not math.isclose(gamma, _SRGB_GAMMA, abs_tol=0.005)
    other_primaries = isinstance(primaries, tuple) and not all(
        math.isclose(a, b, abs_tol=0.002) for a, b in zip(primaries, _SRGB_PRIMARIES, strict=False)
    )
    if other_gamma or other_primaries:
        what = " and ".join(["gamma"] * other_gamma + ["primaries"] * other_primaries)
        verb = "are" if other_primaries else "is"
        problems.append(f"its {what}, not of sRGB, {verb} not kept, only its pixels; a colour profile would be")


def _read_exif(image: Image.Image, problems: list[str]) -> bytes | None:
    exif = image.info.get("exif")
    try:
        if not exif and hasattr(image, "tag_v2"):
            return exifs.block_of_tiff(image.getexif())
    except Exception:  # Pillow raises whatever a damaged file leads it to
        problems.append("damaged EXIF is not kept")
        return None
    if not exif:
        return None
    block = exifs.without_prefix(exif) if isinstance(exif, bytes) else b""
    if not exifs.is_whole(block):
        problems.append("damaged EXIF is not kept")
        return None
    return block


def _read_xmp(image: Image.Image, problems: list[str]) -> bytes | None:
    if any(content.startswith(_EXTENDED_XMP) for _, content in getattr(image, "applist", ())):
        problems.append("its extended XMP is not kept, only the main part of it")
    xmp = image.info.get("xmp")
    if not xmp:
        return None
    try:
        data: bytes = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
        data.decode()
    except (UnicodeError, TypeError, ValueError):
        problems.append("XMP that is not UTF-8 is not kept")
        return None
    return data


def _read_text(image: Image.Image) -> tuple[tuple[str, str], ...]:
    texts = getattr(image, "text", None) or image.info.get("text")
    if isinstance(texts, Mapping):
        return text_of({key: text for key, text in texts.items() if key and key != XMP_KEYWORD})
    comment = image.info.get("comment")
    if not isinstance(comment, bytes | str) or not comment:
        return ()
    return text_of({COMMENT: _decoded(comment) if isinstance(comment, bytes) else comment})


def _decoded(comment: bytes) -> str:
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _read_density(image: Image.Image, exif: bytes | None) -> _Dpi | None:
    dpi = _own_density(image)
    if dpi is None and exif is not None:
        dpi = exifs.density_of(exif)
    return dpi if dpi is not None and _is_storable(dpi) else None


def _own_density(image: Image.Image) -> _Dpi | None:
    """What the file itself tells. Where a JPEG tells none Pillow says 72, and where a TIFF tells none, 1."""
    if image.format in _JPEG_FAMILY:
        scale = {1: Fraction(1), 2: Fraction(254, 100)}.get(image.info.get("jfif_unit", 0))
        return None if scale is None else dpi_of([scale * side for side in image.info["jfif_density"]])
    if hasattr(image, "tag_v2") and not {Base.XResolution, Base.YResolution} <= set(image.tag_v2):
        return None
    return dpi_of(image.info.get("dpi"))


def _fraction(value: Any) -> Fraction:
    return Fraction(float(value)).limit_denominator(_LARGEST_DENOMINATOR)


def _is_storable(dpi: _Dpi) -> bool:
    return all(1 <= term <= MAX_TERM for side in dpi for term in side.as_integer_ratio())


def _within_limit(metadata: Metadata, problems: list[str]) -> Metadata:
    """Without the largest parts, as long as a decoder with default limits would refuse the rest."""
    while metadata.size > METADATA_BYTES - _DENSITY_BYTES:
        sizes = {"icc": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp}
        largest = max(sizes, key=lambda name: len(sizes[name] or b""))
        if metadata.text_size > len(sizes[largest] or b""):
            largest = "text"
        problems.append(f"too large {_NAMES[largest]} is not kept: metadata may have {METADATA_BYTES} bytes")
        emptied: dict[str, Any] = {largest: () if largest == "text" else None}
        metadata = replace(metadata, **emptied)
    return metadata


def _storable(text: object) -> str:
    """Without NUL, which `Metadata` forbids, and with a question mark for what is no character."""
    return str(text).replace("\0", "").encode("utf-8", "replace").decode()


def _add_profile(saved: SaveOptions, icc: bytes | None, name: str) -> None:
    if icc is None:
        return
    if name not in _HOLD_ICC:
        saved.left_out.append("its colour profile")
    elif name in _JPEG_FAMILY and len(icc) > _PROFILE_MARKERS_BYTES:
        saved.left_out.append(f"a colour profile of {len(icc)} bytes")
    else:
        saved.options["icc_profile"] = icc


def _add_exif(saved: SaveOptions, exif: bytes | None, name: str) -> None:
    if exif is None:
        return
    if not exifs.is_whole(exif):
        saved.left_out.append("its EXIF, which is damaged")
    elif name not in _HOLD_EXIF:
        turned = exifs.orientation_of(exif) != 1
        saved.left_out.append("its EXIF (which says how to turn the picture upright)" if turned else "its EXIF")
    elif name in _JPEG_FAMILY and len(exif) > _MARKER_BYTES - len(exifs.PREFIX):
        saved.left_out.append(f"EXIF of {len(exif)} bytes")
    else:
        saved.options["exif"] = exifs.PREFIX + exif


def _add_xmp(saved: SaveOptions, xmp: bytes | None, name: str) -> None:
    if xmp is None:
        return
    if name not in _HOLD_XMP:
        saved.left_out.append("its XMP")
    elif name in _JPEG_FAMILY and len(xmp) > _XMP_MARKER_BYTES:
        saved.left_out.append(f"XMP of {len(xmp)} bytes")
    elif name != "PNG":  # which has it among its texts
        saved.options["xmp"] = xmp


def _add_text(saved: SaveOptions, text: tuple[tuple[str, str], ...], name: str) -> None:
    for key, value in text:
        if name == "PNG" and _is_png_keyword(key):
            continue
        if name in _HOLD_COMMENT and key == COMMENT and "comment" not in saved.options:
            comment = value.encode()
            if len(comment) <= _MARKER_BYTES:
                saved.options["comment"] = comment
                continue
        saved.left_out.append(f"text of the keyword {key!r}")


def _add_density(saved: SaveOptions, dpi: _Dpi | None, name: str) -> None:
    if dpi is None:
        return
    if name in _HOLD_DENSITY_IN_EXIF:
        exif = saved.options.get("exif")
        if exif is None:
            saved.options["exif"] = exifs.PREFIX + exifs.block_of_density(dpi)
        elif exifs.density_of(exifs.without_prefix(exif)) != dpi:
            saved.left_out.append("its pixel density (its EXIF tells none, or another)")
    elif name not in _HOLD_DENSITY or not _fits(dpi, name):
        saved.left_out.append("its pixel density")
    else:
        saved.options["dpi"] = tuple(map(float, dpi))


def _fits(dpi: _Dpi, name: str) -> bool:
    """Whether a density is at least 1 and not too large in the unit that a format counts in."""
    if name in _JPEG_FAMILY:
        return all(1 <= round(side) <= 0xFFFF for side in dpi)
    if name == "TIFF":
        return True
    most = 0xFFFF_FFFF if name == "PNG" else 0x7FFF_FFFF
    return all(1 <= round(side * 5000 / 127) <= most for side in dpi)


def _png_text(metadata: Metadata) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    for key, value in metadata.text:
        if _is_png_keyword(key):
            text.add_itxt(key, value)
    if metadata.xmp is not None:
        text.add_itxt(XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    return text


def _is_png_keyword(key: str) -> bool:
    """Whether this is 1 to 79 characters of Latin-1 (PNG, 11.3.3.1); Metadata keeps NUL out."""
    return 1 <= len(key) <= 79 and all(ord(character) < 256 for character in key)


def _move_into_tags(saved: SaveOptions) -> None:
    """EXIF and XMP are tags of the file itself, among those that tell how it stores the picture."""
    tags = Image.Exif()
    if (exif := saved.options.pop("exif", None)) is not None:
        try:
            tags.load(exif)
            tags = exifs.about_the_picture(tags)
        except Exception:  # as above
            tags = Image.Exif()
            saved.left_out.append("its EXIF, which is damaged")
        if len(tags):
            # what compresses for Pillow, libtiff, gets no directory of EXIF, and no text but ASCII
            saved.options["compression"] = "raw"
    if (xmp := saved.options.pop("xmp", None)) is not None:
        tags[_XMP_TAG] = xmp
    if len(tags):
        saved.options["exif"] = tags
