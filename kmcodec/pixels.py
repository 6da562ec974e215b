"""Whatever a caller calls a picture, as an array of RGB or RGBA bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from kmcodec.indexed import MAX_SIDE, IndexedImage, Labels, Pixels

if TYPE_CHECKING:
    from PIL import Image

    ImageLike: TypeAlias = npt.NDArray[np.uint8] | Image.Image
else:
    ImageLike: TypeAlias = Any

GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")
"""Pillow's modes of grey pixels."""

INDEXED_MODES = ("P", "L", "1")
"""Pillow's modes whose pixels are labels of at most 256 colours."""

_BITS_PER_SAMPLE = 258
"""The tag of TIFF."""

_WANTED = "a uint8 array of shape (height, width, 3), (height, width, 4) or (height, width), or a PIL image"


def as_pixels(image: ImageLike) -> Pixels:
    """
    Bring a picture into the form the codec works on.

    Args:
        image: A uint8 array, RGB (H, W, 3), RGBA (H, W, 4) or grey (H, W); or a PIL image of any mode. A PIL image
            becomes RGBA if it has a transparent pixel, else RGB. Grey, CMYK and LAB are brought to sRGB through the
            image's colour profile, if it has one for them, with perceptual intent; RGB is not, whatever its profile.
            Samples of 16 bits keep their upper 8. Pillow reads some 16-bit files (PGM) as integers of 32 bits (mode
            "I"): integers that are all from 0 to 65535, and not all below 256, are taken for 16 bits. Other
            integers, and floats, are clipped to 0…255.

    Returns:
        uint8, shape (height, width, 3 or 4); the array itself where it is in this form already.

    Raises:
        TypeError: It is neither, or an array of another type.
        ValueError: The shape is another one, or empty.
        OSError: Pillow cannot decode the image.
    """
    if not isinstance(image, np.ndarray):
        from PIL import Image

        if not isinstance(image, Image.Image):
            raise TypeError(f"image must be {_WANTED}, not {type(image).__name__}")
        return _from_pil(image)
    if image.dtype != np.uint8:
        raise TypeError(f"image must be {_WANTED}, not an array of {image.dtype}")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (3, 4)):
        raise ValueError(f"image must be {_WANTED}, not of shape {image.shape}")
    if min(image.shape) < 1 or max(image.shape) > MAX_SIDE:
        raise ValueError(f"image must have at least one pixel, not shape {image.shape}")
    image = np.asarray(image)  # a matrix would stay one of two dimensions
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def as_indexed(image: Image.Image) -> IndexedImage:
    """
    A picture of a palette as it is: its labels, unused and equal colours and all.

    Args:
        image: A PIL image of one of `INDEXED_MODES`, of at least one pixel. A grey value is a label, and of mode "1" 0
            is black and 1 white.

    Returns:
        Its palette, as long as it is or the labels need, in the colours that `as_pixels` gives them; and its labels.
    """
    labels: Labels = np.asarray(image).astype(np.uint8, copy=False)
    least = {"P": len(image.getpalette() or ()) // 3, "L": 0, "1": 2}[image.mode]
    entries = max(least, int(labels.max()) + 1)
    # of a ramp of all labels; what the palette lacks is what Pillow shows for it
    ramp = image.crop((0, 0, 1, 1)).resize((entries, 1))
    ramp.putdata([0, 255] if image.mode == "1" else range(entries))
    return IndexedImage(as_pixels(ramp)[0], labels)


def sample_bits(image: Image.Image) -> int:
    """
    Bits of a sample in an image file, of which `as_pixels` keeps 8.

    Args:
        image: An image of Pillow that is not loaded yet: once it is, Pillow knows no more of some files.

    Returns:
        8 or more; 8 also where Pillow does not tell.
    """
    tiles: Any = getattr(image, "tile", None)
    args = tiles[0].args if tiles else None
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        return int(max(8, *tags.get(_BITS_PER_SAMPLE, (1,))))
    if image.format == "PNG":
        return 16 if isinstance(args, str) and args.endswith(";16B") else 8
    if image.mode == "F":
        return 32
    if image.format == "SGI":
        return 16 if tiles and tiles[0].codec_name == "SGI16" else 8
    if image.format == "PPM":
        largest = args[-1] if isinstance(args, tuple) else 0
        return 16 if image.mode == "I" or largest > 255 else 8
    return 16 if image.mode.startswith("I;16") else 32 if image.mode == "I" else 8


def _from_pil(image: Image.Image) -> Pixels:
    if min(image.size) < 1:
        raise ValueError(f"image must be {_WANTED}, with at least one pixel, not of {image.width} x {image.height}")
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(_through_profile(image) or image.convert("RGB"))
    if image.mode.startswith("I;16") or (image.mode == "I" and _is_16_bit(image)):
        return _in_srgb(_from_16_bit_grey(image), image)
    if image.mode in ("I", "F"):
        image = image.convert("L")
    if image.mode == "La":
        image = image.convert("LA")
    if image.has_transparency_data:
        pixels = np.asarray(image.convert("RGBA"))
        return _in_srgb(pixels if pixels[..., 3].min() < 255 else np.ascontiguousarray(pixels[..., :3]), image)
    return _in_srgb(np.asarray(image.convert("RGB")), image)


def _in_srgb(pixels: Pixels, image: Image.Image) -> Pixels:
    """Grey pixels as the grey profile of their image means them; those of any other image as they are."""
    import PIL.Image

    if image.mode not in GREY_MODES or not image.info.get("icc_profile"):
        return pixels
    grey = PIL.Image.fromarray(np.ascontiguousarray(pixels[..., 0]))
    grey.info["icc_profile"] = image.info["icc_profile"]
    converted = _through_profile(grey)
    if converted is None:
        return pixels
    return np.concatenate([np.asarray(converted), pixels[..., 3:]], axis=2)


def _through_profile(image: Image.Image) -> Image.Image | None:
    """Brought to sRGB through the image's profile, if it has one for pixels of its mode."""
    from kmcodec.profiles import to_srgb  # an array needs no Pillow

    icc = image.info.get("icc_profile")
    return to_srgb(image, icc) if isinstance(icc, bytes) and icc else None


def _is_16_bit(image: Image.Image) -> bool:
    samples = np.asarray(image)
    return bool(samples.min() >= 0 and 255 < samples.max() <= 65535)


def _from_16_bit_grey(image: Image.Image) -> Pixels:
    samples = np.asarray(image)
    grey = np.repeat((samples >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    transparent = image.info.get("transparency")
    if transparent is None or not (samples == transparent).any():
        return grey
    alpha = np.where(samples == transparent, 0, 255).astype(np.uint8)
    return np.concatenate([grey, alpha[:, :, None]], axis=2)
