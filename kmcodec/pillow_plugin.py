"""
`.kmc` files in Pillow: `import kmcodec.pillow_plugin`, and `Image.open` and `Image.save` know them.

    image = Image.open("photo.kmc")      # reads the header; pixels are decoded when they are needed
    image.save("photo.png")
    image.save("small.kmc", colors=16)

**Opening.** An image of up to 256 colours has mode P and keeps its palette, with alpha if it has any; others are RGB
or RGBA. `info` has what the file tells: `icc_profile`, `exif`, `xmp`, `dpi` (two floats), and `text` (texts by keyword;
of two of one keyword the last). A damaged file is an `UnidentifiedImageError` when it is opened, an `OSError` when it
is loaded, with a sentence that says what is wrong; `ImageFile.LOAD_TRUNCATED_IMAGES` does not matter. Both
`Image.MAX_IMAGE_PIXELS` and `KmcImageFile.limits` bound what may be allocated, and what is beyond the latter is an
`Image.DecompressionBombError`.

**Saving.** An image of mode P is stored with its palette and its pixels as they are, without loss, unless an option of
colours or quality is given. Any other is reduced to `colors` colours, 256 if not given. All keywords of
`kmcodec.encode` but `metadata` are taken, and `icc_profile`, `exif`, `xmp`, `dpi` and `text` in place of what the image
has of them; None, or an empty one, drops it. Unknown keywords, which Pillow's own formats ignore, are a `TypeError`.
Pillow empties a file before it asks this module, so any error costs what was in it.

Importing kmcodec alone registers nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import IO, Any, BinaryIO, ClassVar, cast

import numpy as np
from PIL import Image, ImageFile, ImagePalette, UnidentifiedImageError

from kmcodec import exif as exifs
from kmcodec.codec import encode
from kmcodec.errors import DecodeError, LimitError
from kmcodec.format import KmcFile
from kmcodec.format.container import SIGNATURE
from kmcodec.image_metadata import dpi_of, read_metadata, text_of
from kmcodec.indexed import IndexedImage, Metadata, Palette
from kmcodec.limits import DEFAULT_LIMITS, Limits
from kmcodec.pixels import as_indexed
from kmcodec.streams import write_all

FORMAT = "KMC"
MIME_TYPE = "image/x-kmc"

_PALETTE_COLORS = 256
"""Most colours of Pillow's mode P."""

_BLOCK_BYTES = 1 << 24
"""About so many bytes of pixels are handed to Pillow at a time."""

_METADATA_OPTIONS = ("icc_profile", "exif", "xmp", "dpi", "text")
_STORAGE_OPTIONS = ("coding", "effort", "threads")
_COLOR_OPTIONS = (
    *("colors", "lossless", "palette", "keep", "rare", "space", "dither", "dither_strength"),
    *("rdo", "quality", "psnr_db", "max_bytes"),
)
_PILLOW_OPTIONS = ("append_images",)
"""What Pillow itself, or a library above it, hands to every format."""


class KmcImageFile(ImageFile.ImageFile):
    """
    A `.kmc` file as Pillow's image.

    Attributes:
        limits: What may be allocated; set it on the class before a file is opened. Pillow's own limit of pixels is
            checked besides.
    """

    format = FORMAT
    format_description = "kmcodec indexed image"
    limits: ClassVar[Limits] = DEFAULT_LIMITS

    @property
    def text(self) -> dict[str, str]:
        """Texts by keyword, as Pillow's PNG has them."""
        return cast("dict[str, str]", self.info.get("text", {}))

    def _open(self) -> None:
        assert self.fp is not None
        if not _accept(self.fp.read(len(SIGNATURE))):
            raise SyntaxError("not a .kmc file")
        try:
            file = KmcFile(cast("BinaryIO", _Stream(self.fp)), limits=self.limits)
        except LimitError as error:
            raise Image.DecompressionBombError(f"{error}; KmcImageFile.limits raises it") from error
        except DecodeError as error:
            raise UnidentifiedImageError(f"cannot read .kmc file: {error}") from error
        self._size = file.header.width, file.header.height
        self._mode = _mode_of(file)
        if self._mode == "P":
            self._set_palette(file.palette)
        self.info.update(_info_of(file.metadata))
        self._file = file
        self.tile = [ImageFile._Tile(_DECODER, (0, 0, *self._size), 0, (file,))]

    def verify(self) -> None:
        """Decode all pixels and check them, which is the only way to be sure. The file must be opened anew then."""
        if self.fp is None:
            raise RuntimeError("verify must be called directly after open")
        try:
            self._file.labels()
        except DecodeError as error:
            raise _damaged(error) from error
        super().verify()

    def load_seek(self, pos: int) -> None:
        """Do nothing: `KmcFile` goes where it must. `ImageFile.Parser` sees by this that it needs the whole file."""

    def _set_palette(self, palette: Palette) -> None:
        channels = palette.shape[1]
        self.palette = ImagePalette.ImagePalette("RGBA" if channels == 4 else "RGB", palette.tobytes())
        self.palette.dirty = 1
        transparent = np.flatnonzero(palette[:, 3:].ravel() < 255)
        if len(transparent) == 1 and palette[transparent[0], 3] == 0:
            self.info["transparency"] = int(transparent[0])  # where GIF looks for it, which knows no alpha

    def __getstate__(self) -> list[Any]:
        """With the palette's alpha, which Pillow leaves out."""
        state = super().__getstate__()
        return [*state, self.getpalette("RGBA") if self.mode == "P" and _has_alpha(self) else None]

    def __setstate__(self, state: list[Any]) -> None:
        *others, palette = state
        super().__setstate__(others)
        if palette is not None:
            self.putpalette(palette, "RGBA")


class _KmcDecoder(ImageFile.PyDecoder):
    """Decodes all labels, on all cores, and hands Pillow the picture block by block."""

    _pulls_fd = True

    def decode(self, buffer: object) -> tuple[int, int]:  # noqa: ARG002  # which is empty
        (file,) = self.args
        try:
            labels = file.labels()
        except DecodeError as error:
            raise _damaged(error) from error
        width = file.header.width
        rows = max(1, _BLOCK_BYTES // (4 * width))
        for top in range(0, len(labels), rows):
            block = labels[top : top + rows]
            pixels = block if self.mode == "P" else IndexedImage(file.palette, block).to_pixels()
            raw = Image._getdecoder(self.mode, "raw", self.mode)
            raw.setimage(self.im, (0, top, width, top + len(block)))
            raw.decode(pixels.tobytes())
        return -1, 0


class _Stream:
    """As much of a binary file as `KmcFile` wants, of a file that has no more than Pillow wants."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def seekable(self) -> bool:
        return True


_DECODER = "kmc"


def register() -> None:
    """Make Pillow know `.kmc` files. Importing this module does so; doing it again changes nothing."""
    Image.register_open(FORMAT, KmcImageFile, _accept)
    Image.register_save(FORMAT, _save)
    Image.register_save_all(FORMAT, _save_all)
    Image.register_extension(FORMAT, ".kmc")
    Image.register_mime(FORMAT, MIME_TYPE)
    Image.register_decoder(_DECODER, _KmcDecoder)


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(SIGNATURE)


def _mode_of(file: KmcFile) -> str:
    if file.header.colors <= _PALETTE_COLORS:
        return "P"
    return "RGBA" if file.header.channels == 4 else "RGB"


def _info_of(metadata: Metadata) -> dict[str, Any]:
    """What Pillow calls it; of EXIF with the prefix that its writers of all formats take."""
    info = {
        "icc_profile": metadata.icc,
        "exif": None if metadata.exif is None else exifs.PREFIX + metadata.exif,
        "xmp": metadata.xmp,
        "dpi": None if metadata.dpi is None else tuple(map(float, metadata.dpi)),
        "text": dict(metadata.text),
    }
    return {key: value for key, value in info.items() if value}


def _damaged(error: DecodeError) -> OSError:
    return OSError(f"damaged .kmc file: {error}")


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:  # noqa: ARG001  # Pillow's signature
    options = {key: value for key, value in image.encoderinfo.items() if key not in _PILLOW_OPTIONS}
    unknown = [key for key in options if key not in (*_METADATA_OPTIONS, *_STORAGE_OPTIONS, *_COLOR_OPTIONS)]
    if unknown:
        known = ", ".join((*_COLOR_OPTIONS, *_STORAGE_OPTIONS, *_METADATA_OPTIONS))
        raise TypeError(f"a .kmc file cannot be saved with {unknown[0]!r}; with {known} it can")
    metadata = _metadata_for(image, {key: options.pop(key) for key in _METADATA_OPTIONS if key in options})
    as_it_is = image.mode == "P" and min(image.size) > 0 and not any(key in options for key in _COLOR_OPTIONS)
    data = encode(as_indexed(image) if as_it_is else image, metadata=metadata, **options)
    write_all(cast("BinaryIO", file), data)
    if hasattr(file, "flush"):
        file.flush()


def _save_all(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """What `save_all=True` calls. Raises ValueError for more than one picture."""
    frames = [image, *image.encoderinfo.get("append_images", ())]
    count = sum(getattr(frame, "n_frames", 1) for frame in frames)
    if count > 1:
        raise ValueError(f"a .kmc file holds one picture, not {count}")
    _save(image, file, filename)


def _metadata_for(image: Image.Image, given: dict[str, Any]) -> Metadata:
    """The image's own, save for what is given instead."""
    metadata, problems = read_metadata(image)
    for problem in problems:
        warnings.warn(problem, stacklevel=4)
    if "icc_profile" in given:
        metadata = replace(metadata, icc=given["icc_profile"] or None)
    if "exif" in given:
        metadata = replace(metadata, exif=_exif_of(given["exif"]))
    if "xmp" in given:
        xmp = given["xmp"]
        metadata = replace(metadata, xmp=(xmp.encode() if isinstance(xmp, str) else xmp) or None)
    if "text" in given:
        metadata = replace(metadata, text=_text_of(given["text"]))
    if "dpi" in given:
        metadata = replace(metadata, dpi=_dpi_of(given["dpi"]))
    return metadata


def _exif_of(exif: Any) -> bytes | None:
    if isinstance(exif, Image.Exif):
        exif = exif.tobytes() if len(exif) else None
    if not exif:
        return None
    if not isinstance(exif, bytes):
        raise TypeError(f"exif must be bytes, an Image.Exif or None, not {type(exif).__name__}")
    return exifs.without_prefix(exif)


def _text_of(text: Any) -> tuple[tuple[str, str], ...]:
    if text is None or isinstance(text, Mapping):
        return text_of(text or {})
    return cast("tuple[tuple[str, str], ...]", tuple(map(tuple, text)))  # Metadata looks at the pairs


def _dpi_of(dpi: Any) -> tuple[Fraction, Fraction] | None:
    if dpi is None:
        return None
    sides = dpi_of(dpi)
    if sides is None or min(sides) <= 0:
        raise ValueError(f"dpi must be two numbers above 0, or None, not {dpi!r}")
    return sides


def _has_alpha(image: Image.Image) -> bool:
    return image.palette is not None and image.palette.mode == "RGBA"


register()
