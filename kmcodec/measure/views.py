"""Pictures as a browser shows them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from kmcodec.format import loads
from kmcodec.images import save_image
from kmcodec.indexed import Palette, Pixels
from kmcodec.measure.bench import decoded_by
from kmcodec.measure.peers import PEERS
from kmcodec.measure.records import OWN

_MOST_WEBP_SIDE = 16383


@dataclass(frozen=True)
class View:
    """
    A picture in a page.

    Attributes:
        url: data: URL of an image that browsers show.
        palette: "#rrggbb" or "#rrggbbaa" of each colour, and the share of pixels that have it; None if there is none.
    """

    url: str
    palette: list[tuple[str, float]] | None


def view_of_pixels(pixels: Pixels) -> View:
    """Of a picture as it was given: WebP without loss, PNG where that is too small for it."""
    from PIL import Image

    image, buffer = Image.fromarray(pixels), BytesIO()
    if max(image.size) <= _MOST_WEBP_SIDE:
        image.save(buffer, "WEBP", lossless=True, exact=True, quality=50, method=3)
        return View(_data_url("image/webp", buffer.getvalue()), None)
    image.save(buffer, "PNG")
    return View(_data_url("image/png", buffer.getvalue()), None)


def view_of_file(codec: str, data: bytes) -> View:
    """
    Of an encoded file: itself where browsers show its format, else the same pixels in one that they do.

    Args:
        codec: "kmcodec" or a peer.
        data: The file.
    """
    if codec == OWN:
        return _view_of_kmc(data)
    mime = PEERS[codec].mime
    if mime is None:
        return view_of_pixels(decoded_by(codec, data)[0])
    return View(_data_url(mime, data), _palette_of_png(data) if mime == "image/png" else None)


def _view_of_kmc(data: bytes) -> View:
    indexed = loads(data)
    colors = _swatches(indexed.palette, np.bincount(indexed.labels.reshape(-1), minlength=len(indexed.palette)))
    if len(indexed.palette) > 256:
        return View(view_of_pixels(indexed.to_pixels()).url, colors)
    return View(_data_url("image/png", save_image(indexed, ".png")), colors)


def _palette_of_png(data: bytes) -> list[tuple[str, float]] | None:
    from PIL import Image

    with Image.open(BytesIO(data)) as image:
        if image.mode != "P":
            return None
        counts = np.bincount(np.asarray(image).reshape(-1), minlength=1)
        mode = "RGBA" if "transparency" in image.info else "RGB"
        if mode == "RGBA":
            image.apply_transparency()
        palette = np.array(image.getpalette(mode), np.uint8).reshape(-1, len(mode))
    return _swatches(palette[: len(counts)], counts)


def _swatches(palette: Palette, counts: np.ndarray[Any, np.dtype[np.intp]]) -> list[tuple[str, float]]:
    total = int(counts.sum())
    return [
        (f"#{color.tobytes().hex()}", round(int(count) / total, 5))
        for color, count in zip(palette, counts, strict=False)
        if count
    ]


def _data_url(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
