"""
Rows of image files, through libvips, which decodes them as they are asked for.

PNG, TIFF and JPEG are read so, to the same pixels that `read_picture` makes of them. Other formats, and the few forms
of these that cannot be had row by row, are left to Pillow, and so to memory.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, TiffImagePlugin

from kmcodec.blocks import BLOCK_PIXELS
from kmcodec.errors import ImageError
from kmcodec.images import without_pillow_limits
from kmcodec.indexed import Pixels
from kmcodec.pixels import as_pixels

ImageSource: TypeAlias = str | bytes
"""An image file: its path, or its contents."""

_LOADERS = {"PNG": "pngload", "TIFF": "tiffload", "JPEG": "jpegload", "MPO": "jpegload"}
"""What decodes a format of Pillow's from the top to the bottom, in libvips."""

_WHITE_IS_ZERO, _YCBCR = 0, 6
"""What a sample of a TIFF means."""

_JPEG_COMPRESSIONS = (6, 7)
"""Of a TIFF, the old and the new; libvips turns what they hold to RGB."""

_NO_PLAIN_ALPHA = frozenset((0, 1))
"""Of a TIFF, samples that mean nothing known, and alpha that the others are multiplied by."""

_OPAQUE = 255


@dataclass(frozen=True)
class ImageSize:
    """
    What an image file tells without its pixels.

    Attributes:
        format: Pillow's name of it.
        width, height: Pixels.
        is_misread: Whether it is a TIFF of which libvips makes other pixels than Pillow.
    """

    format: str
    width: int
    height: int
    is_misread: bool = False

    @property
    def pixels(self) -> int:
        """Width × height."""
        return self.width * self.height


def image_size(source: ImageSource) -> ImageSize | None:
    """The format and size of an image, None if it is none. Raises OSError if a file cannot be read."""
    with (
        open(source, "rb") if isinstance(source, str) else BytesIO(source) as stream,
        without_pillow_limits(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # they are told by what reads it whole, or its metadata
        try:
            with Image.open(stream) as image:
                return ImageSize(image.format or "", *image.size, _is_misread(image))
        except Exception:  # as in images.py; what is wrong is found by what reads it whole
            return None


class ImageRows:
    """
    An image file as blocks of rows, uint8, shape (rows, width, 3 or 4), decoded anew each time it is iterated over.

    The pixels are those of `read_picture`: with an alpha channel only if one of them is transparent.

    Attributes:
        height, width: Of the picture, pixels.
        has_alpha: Whether the blocks have an alpha channel.
    """

    def __init__(self, source: ImageSource, size: ImageSize, watch: Callable[[float], object] | None = None) -> None:
        """
        Args:
            source: The file.
            size: Its `image_size`.
            watch: Told what part of a pass is done, 0 to 1.

        Raises:
            ImageError: It cannot be read row by row, and why; or it is damaged.
            ImportError: pyvips is not installed.
        """
        self._source, self._watch = source, watch
        self._vips = _import_vips()
        if size.format not in _LOADERS:
            raise ImageError(f"{size.format or 'this format'} cannot be read row by row; PNG, TIFF and JPEG can")
        if size.is_misread:
            raise ImageError("this kind of TIFF cannot be read row by row")
        self._loader = _LOADERS[size.format]
        with self._errors("damaged, or of a kind that cannot be read row by row"):
            image = self._open()
        if reason := _why_not(image):
            raise ImageError(reason)
        self.height: int = image.height
        self.width: int = image.width
        self._profile = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
        self.has_alpha = _has_alpha(image)
        if self.has_alpha:
            self.has_alpha = any(int(block[..., 3].min()) < _OPAQUE for block in self)

    def __iter__(self) -> Iterator[Pixels]:
        with self._errors():
            image = self._open()
            region = self._vips.Region.new(image)
        rows = max(1, BLOCK_PIXELS // self.width)
        for top in range(0, self.height, rows):
            count = min(rows, self.height - top)
            with self._errors():
                data = region.fetch(0, top, self.width, count)
            pixels = self._pixels(image, data, (count, self.width, image.bands))
            yield pixels if self.has_alpha else pixels[..., :3]
            if self._watch is not None:
                self._watch((top + count) / self.height)

    def _open(self) -> Any:
        """A new image: one that has been read can be read no more."""
        how = {"access": "sequential", "fail_on": "error"}
        if isinstance(self._source, str):
            load = getattr(self._vips.Image, self._loader)
            return load(os.path.abspath(self._source), **how)  # noqa: PTH100  # else what follows a [ is an option
        return getattr(self._vips.Image, f"{self._loader}_buffer")(self._source, **how)

    def _pixels(self, image: Any, data: bytes, shape: tuple[int, int, int]) -> Pixels:
        if image.format == "ushort":
            samples = (np.frombuffer(data, np.uint16).reshape(shape) >> 8).astype(np.uint8)
        else:
            samples = np.frombuffer(data, np.uint8).reshape(shape)
        if image.interpretation == "cmyk":
            return self._rgb_of_cmyk(samples)
        if shape[2] in (3, 4):
            return samples
        grey = np.repeat(samples[..., :1], 3, axis=2)
        return grey if shape[2] == 1 else np.concatenate([grey, samples[..., 1:]], axis=2)

    def _rgb_of_cmyk(self, samples: Pixels) -> Pixels:
        image = Image.fromarray(samples, "CMYK")
        if self._profile is not None:
            image.info["icc_profile"] = self._profile
        return as_pixels(image)

    @contextmanager
    def _errors(self, what: str = "damaged image") -> Iterator[None]:
        """What libvips raises, as an ImageError with the first line of what it says."""
        try:
            yield
        except self._vips.Error as error:
            lines = [line.strip() for line in str(error.detail).splitlines() if line.strip()]
            raise ImageError(f"{what} ({lines[0] if lines else error.message})") from None


def _is_misread(image: Image.Image) -> bool:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return False
    tags = image.tag_v2
    photometric = tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION, _WHITE_IS_ZERO)
    if photometric == _YCBCR and tags.get(TiffImagePlugin.COMPRESSION, 1) not in _JPEG_COMPRESSIONS:
        return True
    if photometric == _WHITE_IS_ZERO and max(tags.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8:
        return True
    return not _NO_PLAIN_ALPHA.isdisjoint(tags.get(TiffImagePlugin.EXTRASAMPLES, ()))


def _import_vips() -> ModuleType:
    try:
        import pyvips
    except (ImportError, OSError) as error:  # OSError: pyvips without libvips
        raise ImportError(
            "pictures of this size need pyvips; install it with: pip install 'kmcodec[large]'", name="pyvips"
        ) from error
    pyvips.cache_set_max(0)  # else a second pass gets the image that the first has used up
    vips: ModuleType = pyvips
    return vips


def _why_not(image: Any) -> str | None:
    """Why an image cannot be read row by row, None if it can."""

    def value(field: str) -> Any:
        return image.get(field) if image.get_typeof(field) else None

    if value("interlaced") or value("jpeg-multiscan"):
        return "an interlaced or progressive image cannot be read row by row"
    if image.format not in ("uchar", "ushort") or image.interpretation not in (
        "srgb",
        "rgb16",
        "b-w",
        "grey16",
        "cmyk",
    ):
        return f"samples of type {image.format}, {image.interpretation}, cannot be read row by row"
    if image.bands > 4 or (image.interpretation == "cmyk" and (image.bands, image.format) != (4, "uchar")):
        return f"{image.bands} samples a pixel cannot be read row by row"
    return None


def _has_alpha(image: Any) -> bool:
    return image.bands in (2, 4) and image.interpretation != "cmyk"
