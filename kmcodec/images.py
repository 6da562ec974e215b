"""Files of other image formats, through Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import PurePath
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from kmcodec.errors import ImageError
from kmcodec.indexed import IndexedImage, Metadata, Pixels
from kmcodec.pixels import as_pixels

EXIF_PREFIX = b"Exif\0\0"
_XMP_KEYWORD = "XML:com.adobe.xmp"
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_lzw"},
}
_PALETTE_FORMATS = ("PNG", "GIF", "TIFF", "BMP")
_ALPHA_FORMATS = ("PNG", "AVIF", "DDS", "ICO", "IM", "JPEG2000", "QOI", "SGI", "TGA", "TIFF", "WEBP")
"""Formats in which Pillow 13 keeps an alpha channel; only PNG does so with a palette."""
_LOSSY_FORMATS = ("JPEG", "MPO", "AVIF", "PDF", "ICO", "ICNS", "SPIDER")  # icons are resized, SPIDER is grey

_pillow_limit = Lock()


@dataclass(frozen=True)
class Picture:
    """
    What is in an image file.

    Attributes:
        pixels: As of `as_pixels`.
        metadata: As of `metadata_of`.
        frames: How many pictures the file holds; `pixels` are the first.
        profile_dropped: Whether there is a colour profile that is not one of RGB, and so not in `metadata`.
    """

    pixels: Pixels
    metadata: Metadata
    frames: int
    profile_dropped: bool


def read_picture(data: bytes, *, max_pixels: int | None = None) -> Picture:
    """
    Read an image file with all that is kept of it. Arguments and errors are those of `load_image`.

    Raises:
        ImageError: It is no image, or damaged, or too large.
    """
    with load_image(data, max_pixels=max_pixels) as image:
        try:
            metadata = metadata_of(image)
            dropped = bool(image.info.get("icc_profile")) and metadata.icc is None
            # frames last: to count them, Pillow leaves the first
            return Picture(as_pixels(image), metadata, getattr(image, "n_frames", 1), dropped)
        except MemoryError:
            raise
        except Exception:  # Pillow's decoders raise whatever a damaged file leads them to
            raise ImageError("damaged image") from None


def load_image(data: bytes, *, max_pixels: int | None = None) -> Image.Image:
    """
    Read an image, whole, and check what checksums it has; of an animation, the first frame.

    Args:
        data: An image file of any format Pillow knows.
        max_pixels: Most pixels it may have; None for no limit.

    Raises:
        ImageError: It is none, or damaged, or too large.
    """
    if not data:
        raise ImageError("empty, where an image was expected")
    with without_pillow_limit():
        try:
            return _load(data, max_pixels)
        except (ImageError, MemoryError):
            raise
        except UnidentifiedImageError:
            raise ImageError("not an image that Pillow can read, or damaged") from None
        except (OSError, SyntaxError) as error:
            raise ImageError(f"damaged image ({error})") from None
        except Exception:  # as above
            raise ImageError("damaged image") from None


@contextmanager
def without_pillow_limit() -> Iterator[None]:
    """Without Pillow's own limit of pixels, in whose place callers have theirs."""
    with _pillow_limit:  # else two threads could each restore the other's None
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def metadata_of(image: Image.Image) -> Metadata:
    """EXIF, XMP, of a PNG text, and the colour profile if it is one of RGB, as the pixels will be."""
    info = image.info
    icc, exif, xmp = info.get("icc_profile"), info.get("exif"), info.get("xmp")
    text = getattr(image, "text", None) or {}
    return Metadata(
        icc=icc if icc and icc[16:20] == b"RGB " else None,
        exif=exif.removeprefix(EXIF_PREFIX) if exif else None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        text=tuple((_without_nul(key), _without_nul(value)) for key, value in text.items() if key != _XMP_KEYWORD),
    )


def save_image(indexed: IndexedImage, ending: str) -> bytes:
    """
    Write a picture in another format, with its metadata where the format takes it.

    Args:
        indexed: The picture. PNG, and without transparency GIF, TIFF and BMP too, keep a palette of up to 256 colours
            as it is; WebP is lossless.
        ending: Of the file name, such as ".png"; it decides the format.

    Raises:
        ImageError: Pillow knows no format of that ending, or the format cannot hold the picture.
    """
    name = _format_of(ending)
    if name is None:
        raise ImageError(f"no image format that Pillow writes ends in {ending or 'nothing'}; .png does")
    buffer = BytesIO()
    try:
        image, options = _pil_image(indexed, name), _save_options(indexed.metadata, name)
        image.save(buffer, name, **options)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # as above
        raise ImageError(f"cannot be written as {name} ({error})") from None
    return buffer.getvalue()


def is_lossy(indexed: IndexedImage, ending: str) -> bool:
    """Whether a file of this ending does not give exactly this picture back."""
    name = _format_of(ending)
    return name in _LOSSY_FORMATS or (name == "GIF" and len(indexed.palette) > 256)


def unsaved_keywords(metadata: Metadata, ending: str) -> list[str]:
    """Keywords of text that a PNG cannot hold, and `save_image` leaves out."""
    if _format_of(ending) != "PNG":
        return []
    return [key for key, _ in metadata.text if not _is_png_keyword(key)]


def ending_of(name: str) -> str:
    """The ending of a file name, .png for one that has none."""
    return PurePath(name).suffix or ".png"


def _load(data: bytes, max_pixels: int | None) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        if max_pixels is not None and image.width * image.height > max_pixels:
            raise ImageError(
                f"{image.width} x {image.height} pixels, over the limit of {max_pixels}; --max-pixels raises it"
            )
        image.verify()
    image = Image.open(BytesIO(data))
    image.load()
    return image


def _format_of(ending: str) -> str | None:
    name = Image.registered_extensions().get(ending.lower())
    return name if name in Image.SAVE else None


def _pil_image(indexed: IndexedImage, name: str) -> Image.Image:
    colors, channels = indexed.palette.shape
    if channels == 4 and name not in _ALPHA_FORMATS:
        return _pil_image(_without_alpha(indexed), name) if _is_opaque(indexed) else _masked_image(indexed, name)
    mode = "RGBA" if channels == 4 else "RGB"
    if colors > 256 or name not in _PALETTE_FORMATS or (channels == 4 and name != "PNG"):
        return Image.fromarray(indexed.to_pixels(), mode)
    return _palette_image(indexed, mode)


def _masked_image(indexed: IndexedImage, name: str) -> Image.Image:
    """A picture for GIF, which has one colour that is wholly transparent, and no other transparency."""
    colors, alpha = len(indexed.palette), indexed.palette[:, 3]
    if name != "GIF" or colors > 256 or not np.isin(alpha, (0, 255)).all():
        raise ImageError(f"{name} cannot hold {'partial ' if name == 'GIF' else ''}transparency; .png can")
    transparent = int(np.flatnonzero(alpha == 0)[0])
    label_of = np.where(alpha == 0, transparent, np.arange(colors)).astype(np.uint8)
    image = _palette_image(IndexedImage(indexed.palette[:, :3], label_of[indexed.labels]), "RGB")
    image.info["transparency"] = transparent
    return image


def _palette_image(indexed: IndexedImage, mode: str) -> Image.Image:
    image = Image.fromarray(indexed.labels, "P")
    image.putpalette(indexed.palette.tobytes(), mode)
    return image


def _is_opaque(indexed: IndexedImage) -> bool:
    return bool(indexed.palette[:, 3].min() == 255)


def _without_alpha(indexed: IndexedImage) -> IndexedImage:
    return IndexedImage(indexed.palette[:, :3], indexed.labels)


def _save_options(metadata: Metadata, name: str) -> dict[str, Any]:
    options = dict(_OPTIONS.get(name, {}))
    if metadata.icc is not None:
        options["icc_profile"] = metadata.icc
    if metadata.exif is not None:
        options["exif"] = EXIF_PREFIX + metadata.exif
    if name == "PNG":
        options["pnginfo"] = _png_text(metadata)
    elif metadata.xmp is not None:
        options["xmp"] = metadata.xmp
    return options


def _png_text(metadata: Metadata) -> PngImagePlugin.PngInfo:
    text = PngImagePlugin.PngInfo()
    for key, value in metadata.text:
        if _is_png_keyword(key):
            text.add_itxt(key, value)
    if metadata.xmp is not None:
        text.add_itxt(_XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    return text


def _is_png_keyword(key: str) -> bool:
    """Whether this is 1 to 79 characters of Latin-1 (PNG, 11.3.3.1); Metadata keeps NUL out."""
    return 1 <= len(key) <= 79 and all(ord(character) < 256 for character in key)


def _without_nul(text: object) -> str:
    return str(text).replace("\0", "")  # Metadata forbids it
