"""
One palette for many pictures, exactly as if they were one: histograms are taken apart, added, and clustered once.

A histogram is an exact summary of a picture for k-means, and sums of integers do not depend on their order: the palette
is the same in one process, in many, and on a cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import replace
from functools import partial

from kmcodec.batch.encoding import open_file
from kmcodec.batch.large import Progress, open_if_large
from kmcodec.batch.settings import EncodeSettings
from kmcodec.batch.storage import DISK
from kmcodec.batch.streaming import DEFAULT_WINDOW, gather
from kmcodec.errors import ImageError
from kmcodec.images import read_picture
from kmcodec.indexed import Palette
from kmcodec.quantizer import ColorCounter, Histogram, HistogramSum, histogram, palette_of


class NoPictureError(ImageError):
    """None of the files that are to share a palette can be read."""


def shared_palette(
    sources: Iterable[str],
    settings: EncodeSettings,
    *,
    executor: Executor | None = None,
    window: int = DEFAULT_WINDOW,
    watch: Callable[[str], None] = lambda _: None,
) -> Palette:
    """
    The palette that k-means finds for all pixels of many pictures together.

    Where any of the pictures has transparency, colours of the others count as opaque, and the palette has alpha.

    Args:
        sources: Paths and URLs, taken one by one. One that cannot be read has no part in it; encoding it says why.
        settings: Of colours; see `with_palette`.
        executor, window: As of `encode_many`.
        watch: Told the name of every source that is done.

    Returns:
        uint8, shape (K, 3), or (K, 4) with alpha.

    Raises:
        ValueError: The settings choose colours for each picture apart.
        NoPictureError: No source can be read.
        ImageError: They have too many colours for lossless.
        WorkersLostError: As `encode_many`.
    """
    check_shared(settings)
    total = HistogramSum()
    is_empty = True
    take = partial(_histogram_of, max_pixels=settings.max_pixels)
    with closing(gather(take, sources, executor=executor, window=window)) as found:
        for source, colors in found:
            watch(source)
            if isinstance(colors, Histogram):
                total.add(colors)
                is_empty = False
    if is_empty:
        raise NoPictureError("there is no picture to take a shared palette of")
    try:
        return palette_of(total.result(), settings.options)
    except ValueError as error:  # too many colours for lossless
        raise ImageError(f"the set of all pictures {error}") from error


def with_palette(settings: EncodeSettings, palette: Palette) -> EncodeSettings:
    """The settings that encode pictures with a palette which was chosen by these settings."""
    return replace(settings, palette=palette, colors=None, lossless=False, keep=(), rare=0.0)


def check_shared(settings: EncodeSettings) -> None:
    """Raise ValueError for settings that choose colours for each picture apart."""
    if settings.as_is:
        raise ValueError("a shared palette and as_is exclude each other: pictures keep their own")
    for name in ("palette", "quality", "psnr_db", "max_bytes"):
        if getattr(settings, name) is not None:
            reason = "a given palette is shared already" if name == "palette" else f"{name} chooses its own for each"
            raise ValueError(f"a shared palette and {name} exclude each other: {reason}")


def _histogram_of(source: str, *, max_pixels: int | None) -> Histogram | None:
    """The colours of a picture; None if it cannot be read."""
    try:
        file = open_file(source, DISK)
        rows = open_if_large(file.content, max_pixels, Progress(lambda _: None, ""))
        if rows is None:
            return histogram(read_picture(file.read(), max_pixels=max_pixels).pixels)
        counter = ColorCounter(4 if rows.has_alpha else 3)
        for block in rows:
            counter.add(block)
        return counter.histogram()
    except Exception:  # encoding it will say why
        return None
