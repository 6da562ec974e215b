"""Files of other formats, read and written."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kmcodec.errors import ImageError
from kmcodec.images import is_lossy, load_image, read_picture, save_image
from kmcodec.indexed import IndexedImage, Metadata


def picture(alphas: list[int], colors: int = 5) -> IndexedImage:
    """A picture of some colours, the first of which have these alphas, and the others 255."""
    rng = np.random.default_rng(3)
    palette = rng.integers(0, 256, (colors, 4), np.uint8)
    palette[:, 3] = 255
    palette[: len(alphas), 3] = alphas
    return IndexedImage(palette, rng.integers(0, colors, (40, 30)))


def saved_and_read(indexed: IndexedImage, ending: str) -> Image.Image:
    image = Image.open(BytesIO(save_image(indexed, ending)))
    image.load()
    return image


def png_of(**options: object) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (2, 2)).save(buffer, "PNG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("colors", [5, 300])
@pytest.mark.parametrize("ending", [".png", ".tif", ".webp", ".tga", ".qoi", ".jp2"])
def test_transparency_is_kept(ending: str, colors: int) -> None:
    indexed = picture([0, 128], colors)
    image = saved_and_read(indexed, ending)
    np.testing.assert_array_equal(np.asarray(image.convert("RGBA")), indexed.to_pixels())


@pytest.mark.parametrize("ending", [".bmp", ".ppm", ".jpg", ".pcx", ".dib"])
def test_a_format_without_transparency_refuses_it_and_takes_opaque_colours(ending: str) -> None:
    with pytest.raises(ImageError, match="cannot hold transparency"):
        save_image(picture([254]), ending)
    indexed = picture([])
    image = saved_and_read(indexed, ending)
    assert image.size == (30, 40)
    if ending != ".jpg":
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), indexed.to_pixels()[..., :3])


@pytest.mark.parametrize("alphas", [[0], [0, 0], [255, 0, 255, 0], [0] * 5, []])
def test_gif_keeps_what_is_wholly_transparent(alphas: list[int]) -> None:
    indexed = picture(alphas)
    pixels, again = indexed.to_pixels(), np.asarray(saved_and_read(indexed, ".gif").convert("RGBA"))
    np.testing.assert_array_equal(again[..., 3], pixels[..., 3])
    np.testing.assert_array_equal(again[pixels[..., 3] > 0], pixels[pixels[..., 3] > 0])


def test_gif_refuses_partial_transparency() -> None:
    with pytest.raises(ImageError, match="GIF cannot hold partial transparency"):
        save_image(picture([1]), ".gif")


def test_a_palette_is_kept_where_the_format_has_one() -> None:
    opaque = picture([])
    opaque = IndexedImage(opaque.palette[:, :3], opaque.labels)
    assert {saved_and_read(opaque, ending).mode for ending in (".png", ".gif", ".tif", ".bmp")} == {"P"}
    assert saved_and_read(picture([7]), ".png").mode == "P"


def test_formats_that_lose_something_are_known() -> None:
    assert [is_lossy(picture([]), ending) for ending in (".jpg", ".JPEG", ".png", ".gif", ".xyz")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert is_lossy(picture([], 300), ".gif")


def test_keywords_that_png_cannot_hold_are_left_out() -> None:
    keywords = ["Author", "é" * 79, "", "x" * 80, "漢"]
    indexed = IndexedImage(
        np.zeros((1, 3), np.uint8), np.zeros((1, 1), np.uint8), Metadata(text=tuple((key, "value") for key in keywords))
    )
    assert list(saved_and_read(indexed, ".png").text) == keywords[:2]


def test_nul_in_the_text_of_a_png_is_dropped() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Latin", "a\0b")
    info.add_itxt("Other", "漢\0字")
    assert read_picture(png_of(pnginfo=info)).metadata.text == (("Latin", "ab"), ("Other", "漢字"))


@pytest.mark.parametrize("error", [IndexError, SyntaxError, KeyError, OSError, ValueError])
@pytest.mark.parametrize("broken", ["n_frames", "text"])
def test_whatever_pillow_raises_of_a_damaged_file_is_an_image_error(
    monkeypatch: pytest.MonkeyPatch, broken: str, error: type[Exception]
) -> None:
    def fail(_: object) -> int:
        raise error("deep inside")

    monkeypatch.setattr(PngImagePlugin.PngImageFile, broken, property(fail), raising=False)
    with pytest.raises(ImageError, match="damaged image"):
        read_picture(png_of())


def test_threads_leave_the_limit_of_pillow_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Image.MAX_IMAGE_PIXELS
    both_inside = threading.Barrier(2, timeout=0.3)
    opened: Callable[..., Image.Image] = Image.open

    def slow(*arguments: object) -> Image.Image:
        with suppress(threading.BrokenBarrierError):  # as it should be: only one is inside
            both_inside.wait()
        return opened(*arguments)

    monkeypatch.setattr(Image, "open", slow)
    threads = [threading.Thread(target=load_image, args=(png_of(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert before == Image.MAX_IMAGE_PIXELS
    assert before is not None
