"""Files of other image formats, through Pillow."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePath
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.Image import Transpose

from kmcodec.errors import ImageError
from kmcodec.exif import without_bad_tags
from kmcodec.image_metadata import read_metadata, save_options
from kmcodec.indexed import IndexedImage, Metadata, Pixels
from kmcodec.limits import METADATA_BYTES
from kmcodec.pixels import INDEXED_MODES, as_indexed, as_pixels, sample_bits
from kmcodec.png import without_bad_metadata

_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_lzw"},
}
_PALETTE_FORMATS = ("PNG", "GIF", "TIFF", "BMP")
_ALPHA_FORMATS = ("PNG", "AVIF", "DDS", "ICO", "IM", "JPEG2000", "QOI", "SGI", "TGA", "TIFF", "WEBP")
"""Formats in which Pillow 13 keeps an alpha channel; only PNG does so with a palette."""
_LOSSY_FORMATS = ("JPEG", "MPO", "AVIF", "PDF", "ICO", "ICNS", "SPIDER")  # icons are resized, SPIDER is grey

_TURNED_BACK = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_90,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_270,
}
"""What undoes the turning that Pillow does of its own to a TIFF of this orientation, and to no other format."""

_PILLOW = Path(Image.__file__).parent

_pillow_globals = Lock()


@dataclass(frozen=True)
class Picture:
    """
    What is in an image file.

    Attributes:
        pixels: As of `as_pixels`, and as the file has them, whatever the orientation that its EXIF tells.
        metadata: As of `read_metadata`.
        frames: How many pictures the file holds; `pixels` are the first.
        bits: Of a sample in the file, of which `pixels` have 8.
        problems: A sentence on each thing of its metadata that is not kept.
    """

    pixels: Pixels
    metadata: Metadata
    frames: int
    bits: int
    problems: tuple[str, ...]


@dataclass(frozen=True)
class _Loaded:
    """An image, what is kept of its file, and the turn that brings its pixels back to where they are in the file."""

    image: Image.Image
    bits: int
    metadata: Metadata
    turn: Transpose | None
    problems: list[str]


def read_picture(data: bytes, *, max_pixels: int | None = None) -> Picture:
    """
    Read an image file with all that is kept of it. Arguments and errors are those of `load_image`.

    Raises:
        ImageError: It is no image, or damaged, or too large.
    """
    loaded = _load_whole(data, max_pixels)
    with loaded.image as image:
        try:
            pixels = as_pixels(image if loaded.turn is None else image.transpose(loaded.turn))
            # frames last: to count them, Pillow leaves the first
            frames = getattr(image, "n_frames", 1)
            return Picture(pixels, loaded.metadata, frames, loaded.bits, tuple(loaded.problems))
        except MemoryError:
            raise
        except Exception:  # Pillow's decoders raise whatever a damaged file leads them to
            raise ImageError("damaged image") from None


def read_indexed_picture(data: bytes, *, max_pixels: int | None = None) -> tuple[Picture, IndexedImage]:
    """
    Read an image file of a palette, or of grey, with its labels as they are. Arguments are those of `load_image`.

    Returns:
        The picture, and its palette and labels, with its metadata.

    Raises:
        ImageError: It is no image, or damaged, or too large; or its pixels are no labels.
    """
    loaded = _load_whole(data, max_pixels)
    with loaded.image as image:
        if image.mode not in INDEXED_MODES:
            raise ImageError(f"no palette to keep as it is: its pixels are {image.mode}, not labels of colours")
        try:
            indexed = as_indexed(image if loaded.turn is None else image.transpose(loaded.turn))
            frames = getattr(image, "n_frames", 1)
        except MemoryError:
            raise
        except Exception:  # as above
            raise ImageError("damaged image") from None
    picture = Picture(indexed.to_pixels(), loaded.metadata, frames, loaded.bits, tuple(loaded.problems))
    return picture, replace(indexed, metadata=loaded.metadata)


def load_image(data: bytes, *, max_pixels: int | None = None) -> Image.Image:
    """
    Read an image, whole, and check what checksums it has; of an animation, the first frame.

    Args:
        data: An image file of any format Pillow knows. Damaged metadata is left out.
        max_pixels: Most pixels it may have; None for no limit.

    Raises:
        ImageError: It is none, or damaged, or too large.
    """
    return _load_whole(data, max_pixels).image


@contextmanager
def without_pillow_limits() -> Iterator[None]:
    """Without Pillow's own limits, which are globals: in their place callers have theirs. One thread at a time."""
    with _pillow_globals:  # else threads would restore each other's
        before = Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY
        Image.MAX_IMAGE_PIXELS = None
        PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = METADATA_BYTES
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, PngImagePlugin.MAX_TEXT_CHUNK, PngImagePlugin.MAX_TEXT_MEMORY = before


@contextmanager
def warnings_of_pillow(problems: list[str]) -> Iterator[None]:
    """Take what Pillow warns of as problems of the file; what others warn of meanwhile is passed on."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield
    for warning in warned:
        if issubclass(warning.category, UserWarning) and Path(warning.filename).parent == _PILLOW:
            problems.append(f"damaged, but readable: {' '.join(str(warning.message).split())}")
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def save_image(indexed: IndexedImage, ending: str) -> bytes:
    """
    Write a picture in another format, with its metadata where the format takes it.

    Args:
        indexed: The picture. PNG, and without transparency GIF, TIFF and BMP too, keep a palette of up to 256 colours
            as it is; WebP is lossless; TIFF is compressed where there is no EXIF.
        ending: Of the file name, such as ".png"; it decides the format.

    Raises:
        ImageError: Pillow knows no format of that ending, or the format cannot hold the picture.
    """
    name = _format_of(ending)
    if name is None:
        raise ImageError(f"no image format that Pillow writes ends in {ending or 'nothing'}; .png does")
    buffer = BytesIO()
    try:
        options = _OPTIONS.get(name, {}) | save_options(indexed.metadata, name).options
        _pil_image(indexed, name).save(buffer, name, **options)
    except (ImageError, MemoryError):
        raise
    except Exception as error:  # as above
        raise ImageError(f"cannot be written as {name} ({error})") from None
    return buffer.getvalue()


def is_lossy(indexed: IndexedImage, ending: str) -> bool:
    """Whether a file of this ending does not give exactly this picture back."""
    name = _format_of(ending)
    return name in _LOSSY_FORMATS or (name == "GIF" and len(indexed.palette) > 256)


def left_out_of(metadata: Metadata, ending: str) -> list[str]:
    """What a file of this ending cannot hold, and `save_image` leaves out, each as a few words."""
    name = _format_of(ending)
    return [] if name is None else save_options(metadata, name).left_out


def ending_of(name: str) -> str:
    """The ending of a file name, .png for one that has none."""
    return PurePath(name).suffix or ".png"


def _load_whole(data: bytes, max_pixels: int | None) -> _Loaded:
    if not data:
        raise ImageError("empty, where an image was expected")
    data, problems = without_bad_metadata(data, METADATA_BYTES)
    data, bad_tags = without_bad_tags(data)
    problems += bad_tags
    with without_pillow_limits(), warnings_of_pillow(problems):
        try:
            loaded = _load(data, max_pixels)
        except (ImageError, MemoryError):
            raise
        except UnidentifiedImageError:
            raise ImageError("not an image that Pillow can read, or damaged") from None
        except (OSError, SyntaxError) as error:
            raise ImageError(f"damaged image ({error})") from None
        except Exception:  # as above
            raise ImageError("damaged image") from None
    return replace(loaded, problems=list(dict.fromkeys(problems + loaded.problems)))


def _load(data: bytes, max_pixels: int | None) -> _Loaded:
    with Image.open(BytesIO(data)) as image:
        if max_pixels is not None and image.width * image.height > max_pixels:
            raise ImageError(f"{image.width} x {image.height} pixels, over the limit of {max_pixels}")
        bits = sample_bits(image)
        image.verify()
    image = Image.open(BytesIO(data))
    if image.format != "TIFF":
        image.load()  # a PNG may have texts after its pixels
        metadata, problems = read_metadata(image)
        return _Loaded(image, bits, metadata, None, problems)
    # Pillow turns a TIFF as it loads it, and then what it says of its orientation is gone
    metadata, problems = read_metadata(image)
    turn = _TURNED_BACK.get(image.getexif().get(Base.Orientation, 1))
    image.load()
    return _Loaded(image, bits, metadata, turn, problems)


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
