"""Files of other image formats, through Pillow."""

from __future__ import annotations

from io import BytesIO
from pathlib import PurePath
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from kmcodec.errors import ImageError
from kmcodec.indexed import IndexedImage, Metadata

EXIF_PREFIX = b"Exif\0\0"
_XMP_KEYWORD = "XML:com.adobe.xmp"
_OPTIONS: dict[str, dict[str, Any]] = {
    "PNG": {"optimize": True},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_lzw"},
}


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
    bomb_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # max_pixels takes its place
    try:
        with Image.open(BytesIO(data)) as image:
            if max_pixels is not None and image.width * image.height > max_pixels:
                raise ImageError(
                    f"{image.width} x {image.height} pixels, over the limit of {max_pixels}; --max-pixels raises it"
                )
            image.verify()
        image = Image.open(BytesIO(data))
        image.load()
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("not an image that Pillow can read, or damaged") from None
    except (OSError, SyntaxError) as error:
        raise ImageError(f"damaged image ({error})") from None
    except Exception:  # Pillow's decoders raise whatever a damaged file leads them to
        raise ImageError("damaged image") from None
    finally:
        Image.MAX_IMAGE_PIXELS = bomb_limit
    return image


def metadata_of(image: Image.Image) -> Metadata:
    """Colour profile, EXIF, XMP and, of a PNG, text."""
    info = image.info
    exif, xmp = info.get("exif"), info.get("xmp")
    text = getattr(image, "text", None) or {}
    return Metadata(
        icc=info.get("icc_profile") or None,
        exif=exif.removeprefix(EXIF_PREFIX) if exif else None,
        xmp=xmp.encode() if isinstance(xmp, str) else xmp or None,
        text=tuple((key, str(value)) for key, value in text.items() if key != _XMP_KEYWORD),
    )


def save_image(indexed: IndexedImage, ending: str) -> bytes:
    """
    Write a picture in another format, with its metadata where the format takes it.

    Args:
        indexed: The picture. PNG, GIF, TIFF and BMP keep a palette of up to 256 colours as it is; WebP is lossless.
        ending: Of the file name, such as ".png"; it decides the format.

    Raises:
        ImageError: Pillow knows no format of that ending, or the format cannot hold the picture.
    """
    name = Image.registered_extensions().get(ending.lower())
    if name not in Image.SAVE:
        raise ImageError(f"no image format that Pillow writes ends in {ending or 'nothing'}; .png does")
    buffer = BytesIO()
    try:
        _pil_image(indexed, keep_palette=name in ("PNG", "GIF", "TIFF", "BMP")).save(
            buffer, name, **_save_options(indexed.metadata, name)
        )
    except Exception as error:  # as above
        raise ImageError(f"cannot be written as {name} ({error})") from None
    return buffer.getvalue()


def ending_of(name: str) -> str:
    """The ending of a file name, .png for one that has none."""
    return PurePath(name).suffix or ".png"


def _pil_image(indexed: IndexedImage, *, keep_palette: bool) -> Image.Image:
    colors, channels = indexed.palette.shape
    mode = "RGBA" if channels == 4 else "RGB"
    if not keep_palette or colors > 256:
        return Image.fromarray(indexed.to_pixels(), mode)
    image = Image.fromarray(indexed.labels, "P")
    image.putpalette(indexed.palette.tobytes(), mode)
    return image


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
        text.add_itxt(key, value)
    if metadata.xmp is not None:
        text.add_itxt(_XMP_KEYWORD, metadata.xmp.decode("utf-8", "replace"))
    return text
