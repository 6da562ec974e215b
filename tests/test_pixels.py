"""What may be handed in as a picture."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageCms

import kmcodec
from kmcodec.pixels import as_pixels, sample_bits

MODES = ["1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV", "I", "F"]


def test_an_array_in_the_right_form_is_taken_as_it_is() -> None:
    for channels in (3, 4):
        pixels = np.zeros((2, 3, channels), np.uint8)
        assert as_pixels(pixels) is pixels


def test_grey_becomes_rgb() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(as_pixels(grey), np.dstack([grey, grey, grey]))


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_grey() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(as_pixels(np.asmatrix(grey)), as_pixels(grey))


GREY_16 = Image.fromarray(np.full((2, 3), 0x1234, np.uint16))


@pytest.mark.parametrize(
    ("image", "name", "bits"),
    [
        (GREY_16, "PNG", 16),
        (GREY_16, "TIFF", 16),
        (GREY_16, "PPM", 16),
        (GREY_16, "JPEG2000", 16),
        (GREY_16.convert("I"), "TIFF", 32),
        (GREY_16.convert("F"), "TIFF", 32),
        (GREY_16.convert("F"), "PPM", 32),
        (Image.new("RGB", (2, 3)), "PNG", 8),
        (Image.new("RGB", (2, 3)), "TIFF", 8),
        (Image.new("RGB", (2, 3)), "PPM", 8),
        (Image.new("RGB", (2, 3)), "JPEG", 8),
        (Image.new("P", (2, 3)), "PNG", 8),
        (Image.new("1", (2, 3)), "TIFF", 8),
    ],
)
def test_a_file_tells_how_many_bits_its_samples_have(image: Image.Image, name: str, bits: int) -> None:
    buffer = BytesIO()
    image.save(buffer, name)
    assert sample_bits(Image.open(buffer)) == bits


@pytest.mark.parametrize("bytes_a_sample", [1, 2])
def test_so_does_one_of_silicon_graphics(bytes_a_sample: int) -> None:
    buffer = BytesIO()
    Image.new("RGB", (2, 3)).save(buffer, "SGI", bpc=bytes_a_sample)
    assert sample_bits(Image.open(buffer)) == 8 * bytes_a_sample


@pytest.mark.parametrize(("largest", "bits"), [(255, 8), (1023, 16)])
def test_so_does_one_in_colour(largest: int, bits: int) -> None:
    assert sample_bits(Image.open(BytesIO(b"P3 1 1 %d 1 2 3" % largest))) == bits


@pytest.mark.parametrize("order", ["C", "F"])
def test_views_and_other_memory_orders_are_read_right(photo: np.ndarray, order: str) -> None:
    view = np.asarray(photo[::2, ::-3], order=order)
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(view, 65536)), view)


@pytest.mark.parametrize(
    ("image", "error", "came"),
    [
        (np.zeros((2, 2, 3)), TypeError, "array of float64"),
        (np.zeros((2, 2, 3), np.uint16), TypeError, "array of uint16"),
        (np.zeros((2, 2, 3), bool), TypeError, "array of bool"),
        (np.zeros((2, 2, 2), np.uint8), ValueError, r"shape \(2, 2, 2\)"),
        (np.zeros((2, 2, 1), np.uint8), ValueError, r"shape \(2, 2, 1\)"),
        (np.zeros(4, np.uint8), ValueError, r"shape \(4,\)"),
        (np.zeros((0, 2, 3), np.uint8), ValueError, "at least one pixel"),
        ([[0, 1]], TypeError, "not list"),
        ("photo.png", TypeError, "not str"),
        (None, TypeError, "not NoneType"),
    ],
)
def test_anything_else_is_refused_with_what_was_wanted_and_what_came(
    image: object, error: type[Exception], came: str
) -> None:
    with pytest.raises(error, match=came):
        kmcodec.encode(image)  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_pillow(mode: str) -> None:
    pixels = as_pixels(Image.new(mode, (5, 4)))
    assert pixels.dtype == np.uint8
    assert pixels.shape in [(4, 5, 3), (4, 5, 4)]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_modes_become_the_rgb_that_pillow_makes_of_them(mode: str, photo: np.ndarray) -> None:
    image = Image.fromarray(photo).convert("RGB").convert(mode)
    np.testing.assert_array_equal(as_pixels(image), np.asarray(image.convert("RGB")))


def test_alpha_is_kept_where_a_pixel_is_transparent_and_dropped_where_none_is() -> None:
    image = Image.new("RGBA", (2, 2), (1, 2, 3, 255))
    assert as_pixels(image).shape == (2, 2, 3)
    image.putpixel((1, 0), (4, 5, 6, 7))
    assert as_pixels(image)[0, 1].tolist() == [4, 5, 6, 7]


def test_a_transparent_palette_entry_becomes_alpha() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([9, 9, 9, 8, 8, 8])
    image.putpixel((1, 0), 1)
    image.info["transparency"] = 1
    assert as_pixels(image).tolist() == [[[9, 9, 9, 255], [8, 8, 8, 0]]]


def test_lab_is_converted_through_its_profile() -> None:
    lab = Image.merge("LAB", [Image.new("L", (1, 1), value) for value in (255, 128, 128)])
    assert (as_pixels(lab) >= 250).all()


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_16_bit_grey_keeps_its_upper_8_bits(dtype: str) -> None:
    samples = np.array([[0, 255, 256, 0x1234, 65535]], dtype)
    mode = {"<u2": "I;16", ">u2": "I;16B"}[dtype]
    image = Image.frombytes(mode, (5, 1), samples.tobytes())
    assert as_pixels(image)[0, :, 0].tolist() == [0, 0, 1, 0x12, 255]


def test_a_transparent_sample_of_16_bit_grey_becomes_alpha() -> None:
    image = Image.frombytes("I;16", (2, 1), np.array([0x1234, 0x1235], "<u2").tobytes())
    image.info["transparency"] = 0x1235
    assert as_pixels(image).tolist() == [[[18, 18, 18, 255], [18, 18, 18, 0]]]


def test_wider_samples_are_clipped() -> None:
    integers = Image.fromarray(np.array([[-5, 100, 300]], np.int32))
    floats = Image.fromarray(np.array([[-5, 100, 300]], np.float32))
    for image in (integers, floats):
        assert as_pixels(image)[0, :, 0].tolist() == [0, 100, 255]


def test_integers_that_are_16_bits_keep_their_upper_8() -> None:
    pgm = b"P5 4 1 65535\n" + np.array([0, 255, 0x1234, 65535], ">u2").tobytes()
    image = Image.open(BytesIO(pgm))
    assert image.mode == "I"
    assert as_pixels(image).tolist() == [[[value] * 3 for value in (0, 0, 0x12, 255)]]


@pytest.mark.parametrize(
    ("samples", "grey"),
    [([0, 7, 255], [0, 7, 255]), ([0, 255, 65536], [0, 255, 255]), ([-1, 255, 65535], [0, 255, 255])],
)
def test_integers_that_are_not_16_bits_are_clipped(samples: list[int], grey: list[int]) -> None:
    assert as_pixels(Image.fromarray(np.array([samples], np.int32)))[0, :, 0].tolist() == grey


@pytest.mark.parametrize("mode", ["RGB", "P", "I", "I;16", "RGBA", "LAB"])
def test_a_pillow_image_without_pixels_is_refused(mode: str) -> None:
    with pytest.raises(ValueError, match="or a PIL image, with at least one pixel, not of 0 x 5"):
        as_pixels(Image.new(mode, (0, 5)))


@pytest.mark.parametrize("profile", [b"not a profile", b"", "sRGB"])
def test_cmyk_with_a_profile_that_does_not_fit_is_converted_without(profile: bytes | str) -> None:
    image = Image.new("CMYK", (1, 1), (0, 255, 0, 0))
    if profile == "sRGB":
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.info["icc_profile"] = profile
    assert as_pixels(image).tolist() == [[[255, 0, 255]]]
