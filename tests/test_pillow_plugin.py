"""`.kmc` files in Pillow, and in what reads pictures through it."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import imageio.v3 as iio
import matplotlib.image
import numpy as np
import pytest
import skimage.io
from PIL import ExifTags, Image, ImageFile, ImageOps, PngImagePlugin, UnidentifiedImageError
from PIL.TiffImagePlugin import IFDRational

import kmcodec
from kmcodec import pillow_plugin
from kmcodec.indexed import IndexedImage, Metadata
from kmcodec.pillow_plugin import KmcImageFile, register
from tests.icc import cmyk_profile, grey_profile, wide_profile

KINDS = [(1, 3), (2, 3), (5, 3), (256, 3), (257, 3), (3000, 3), (1, 4), (5, 4), (256, 4), (257, 4)]
"""Colours and channels."""

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "I;16",
]


NO_METADATA = Metadata()


def picture(colors: int = 5, channels: int = 3, metadata: Metadata = NO_METADATA) -> IndexedImage:
    """A picture with colours at random, 40 rows of 70 pixels."""
    rng = np.random.default_rng(colors)
    palette = rng.integers(0, 256, (colors, channels), np.uint8)
    return IndexedImage(palette, rng.integers(0, colors, (40, 70)), metadata)


def opened(indexed: IndexedImage) -> ImageFile.ImageFile:
    return Image.open(BytesIO(kmcodec.dumps(indexed)))


def saved(image: Image.Image, **options: object) -> IndexedImage:
    buffer = BytesIO()
    image.save(buffer, "KMC", **options)
    return kmcodec.loads(buffer.getvalue())


def pixels_of(image: Image.Image, channels: int) -> np.ndarray:
    return np.asarray(image.convert("RGBA"))[..., :channels]


@pytest.fixture
def kmc_file(tmp_path: Path) -> Path:
    path = tmp_path / "picture.kmc"
    path.write_bytes(kmcodec.dumps(picture()))
    return path


# registering


def test_importing_kmcodec_registers_nothing() -> None:
    script = "import kmcodec, PIL.Image; kmcodec.encode, kmcodec.open; print('KMC' in PIL.Image.OPEN)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


def test_registering_again_changes_nothing() -> None:
    before = list(Image.ID), dict(Image.OPEN), dict(Image.SAVE), dict(Image.EXTENSION), dict(Image.DECODERS)
    register()
    assert before == (list(Image.ID), dict(Image.OPEN), dict(Image.SAVE), dict(Image.EXTENSION), dict(Image.DECODERS))


def test_other_formats_still_open() -> None:
    for name in ("PNG", "GIF", "BMP", "WEBP"):
        buffer = BytesIO()
        Image.new("RGB", (3, 3)).save(buffer, name)
        with Image.open(buffer) as image:
            assert image.format == name


# opening


def test_what_an_opened_file_says_of_itself(kmc_file: Path) -> None:
    with Image.open(kmc_file) as image:
        assert isinstance(image, KmcImageFile)
        assert (image.format, image.mode, image.size) == ("KMC", "P", (70, 40))
        assert image.format_description == "kmcodec indexed image"
        assert image.get_format_mimetype() == "image/x-kmc"
        assert image.info == {}
        assert image.text == {}


@pytest.mark.parametrize(("colors", "channels"), KINDS)
def test_pixels_are_those_of_kmcodec(colors: int, channels: int) -> None:
    indexed = picture(colors, channels)
    image = opened(indexed)
    assert image.mode == ("P" if colors <= 256 else {3: "RGB", 4: "RGBA"}[channels])
    np.testing.assert_array_equal(pixels_of(image, channels), indexed.to_pixels())


@pytest.mark.parametrize("channels", [3, 4])
def test_up_to_256_colours_palette_and_labels_are_those_of_the_file(channels: int) -> None:
    indexed = picture(5, channels)
    image = opened(indexed)
    np.testing.assert_array_equal(np.asarray(image), indexed.labels)
    assert image.getpalette("RGBA"[:channels]) == indexed.palette.ravel().tolist()


def test_large_pictures_are_handed_over_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pillow_plugin, "_BLOCK_BYTES", 4 * 70 * 7)
    for colors in (5, 300):
        indexed = picture(colors)
        np.testing.assert_array_equal(pixels_of(opened(indexed), 3), indexed.to_pixels())


class Counting(BytesIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.count += len(data)
        return data


def test_opening_reads_the_header_and_loading_the_rest(photo: np.ndarray) -> None:
    data = kmcodec.encode(photo)
    file = Counting(data)
    with Image.open(file) as image:
        assert file.count < 0.5 * len(data)
        image.load()
        assert file.count >= len(data)


class Minimal:
    """A file with no more than Pillow asks for."""

    def __init__(self, data: bytes) -> None:
        self._file = BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> None:
        self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@pytest.mark.parametrize("kind", [Minimal, BytesIO])
def test_any_file_that_pillow_takes_will_do(kind: type) -> None:
    indexed = picture()
    # formats that would be tried before it may want more of a file
    with Image.open(kind(kmcodec.dumps(indexed)), formats=["KMC"]) as image:
        np.testing.assert_array_equal(pixels_of(image, 3), indexed.to_pixels())


def test_a_pipe_will_do() -> None:
    data = kmcodec.dumps(picture())
    script = "import sys; from PIL import Image; import kmcodec.pillow_plugin; print(Image.open(sys.stdin.buffer).size)"
    run = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert run.stdout == b"(70, 40)\n"


def test_the_parser_takes_a_file_bit_by_bit() -> None:
    indexed = picture()
    data = kmcodec.dumps(indexed)
    parser = ImageFile.Parser()
    for start in range(0, len(data), 100):
        parser.feed(data[start : start + 100])
    np.testing.assert_array_equal(pixels_of(parser.close(), 3), indexed.to_pixels())


def test_there_is_one_frame(kmc_file: Path) -> None:
    with Image.open(kmc_file) as image:
        image.seek(0)
        assert image.tell() == 0
        with pytest.raises(EOFError):
            image.seek(1)


def test_loading_closes_the_file(kmc_file: Path) -> None:
    with Image.open(kmc_file) as image:
        file = image.fp
        assert file is not None
        assert not file.closed
        image.load()
        assert file.closed


def test_a_file_of_the_callers_stays_open(kmc_file: Path) -> None:
    with kmc_file.open("rb") as file:
        for _ in range(2):
            with Image.open(file) as image:
                image.load()
        assert not file.closed


def test_closing_closes_the_file(kmc_file: Path) -> None:
    image = Image.open(kmc_file)
    file = image.fp
    image.close()
    assert file is not None
    assert file.closed
    gc.collect()  # a file left open would be a warning, and so an error


@pytest.mark.parametrize(
    "duplicate", [Image.Image.copy, copy.copy, copy.deepcopy, lambda i: pickle.loads(pickle.dumps(i))]
)
@pytest.mark.parametrize(("colors", "channels"), [(5, 3), (5, 4), (300, 4)])
def test_copies_are_equal(duplicate: object, colors: int, channels: int) -> None:
    indexed = picture(colors, channels, Metadata(text=(("Title", "map"),)))
    image = duplicate(opened(indexed))  # type: ignore[operator]
    np.testing.assert_array_equal(pixels_of(image, channels), indexed.to_pixels())
    assert image.info["text"] == {"Title": "map"}


def test_thumbnails_and_drafts(photo: np.ndarray) -> None:
    with Image.open(BytesIO(kmcodec.encode(photo, 1000))) as image:
        assert image.draft("RGB", (32, 32)) is None
        image.thumbnail((32, 32))
        assert image.size == (32, 32)


# what is wrong with a file


def test_another_file_is_not_taken_for_one() -> None:
    with pytest.raises(SyntaxError, match=r"not a \.kmc file"):
        KmcImageFile(BytesIO(b"\x89PNG\r\n\x1a\n"))


DATA = kmcodec.dumps(picture())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (DATA[:4], "ends within its header"),
        (DATA[:20], "ends within its header"),
        (DATA[:-3], "the file ends after"),
        (DATA + b"x", "after the end of the picture, for 1 byte$"),
        (DATA[:4] + b"\2" + DATA[5:], "format version 2; this kmcodec reads version 1"),
        (DATA[:5] + b"\x80" + DATA[6:], "flags 0x80"),
        (DATA[:12] + bytes([DATA[12] ^ 1]) + DATA[13:], "damaged header"),
    ],
)
def test_a_broken_file_is_not_identified_and_the_error_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(UnidentifiedImageError, match=reason):
        Image.open(BytesIO(data))


@pytest.mark.parametrize("work", ["load", "verify"])
def test_damaged_pixels_are_an_oserror(work: str) -> None:
    image = Image.open(BytesIO(DATA[:-9] + bytes([DATA[-9] ^ 1]) + DATA[-8:]))
    with pytest.raises(OSError, match=r"damaged \.kmc file: strip 0"):
        getattr(image, work)()


def test_damage_matters_even_where_truncated_files_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(OSError, match="damaged"):
        Image.open(BytesIO(DATA[:-9] + bytes([DATA[-9] ^ 1]) + DATA[-8:])).load()


def test_verify_passes_a_whole_file_and_closes_it(kmc_file: Path) -> None:
    image = Image.open(kmc_file)
    image.verify()
    assert image.fp is None
    with pytest.raises(RuntimeError, match="verify must be called directly after open"):
        image.verify()


def test_pillows_limit_of_pixels_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70 * 40 // 3)
    with pytest.raises(Image.DecompressionBombError):
        Image.open(BytesIO(DATA))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 70 * 40 - 1)
    with pytest.warns(Image.DecompressionBombWarning):
        Image.open(BytesIO(DATA))


def test_kmcodecs_limits_hold_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr(KmcImageFile, "limits", kmcodec.Limits(pixels=70 * 40 - 1))
    with pytest.raises(Image.DecompressionBombError, match=r"over the limit of 2799; KmcImageFile\.limits raises it"):
        Image.open(BytesIO(DATA))


# alpha


ALPHAS = [[0, 255, 255], [255, 0, 0], [0, 128, 255], [255, 255, 255]]


def translucent(alphas: list[int]) -> IndexedImage:
    palette = np.array([[10, 20, 30, 0], [40, 50, 60, 0], [70, 80, 90, 0]], np.uint8)
    palette[:, 3] = alphas
    return IndexedImage(palette, np.arange(6).reshape(2, 3) % 3)


@pytest.mark.parametrize("alphas", ALPHAS)
@pytest.mark.parametrize("name", ["PNG", "WEBP", "TGA", "KMC"])
def test_alpha_survives_saving_as_another_format(name: str, alphas: list[int]) -> None:
    indexed, buffer = translucent(alphas), BytesIO()
    opened(indexed).save(buffer, name, **({"lossless": True, "exact": True} if name == "WEBP" else {}))
    np.testing.assert_array_equal(pixels_of(Image.open(buffer), 4), indexed.to_pixels())


def test_one_transparent_colour_survives_in_a_gif() -> None:
    buffer = BytesIO()
    opened(translucent([0, 255, 255])).save(buffer, "GIF")
    assert pixels_of(Image.open(buffer), 4)[..., 3].tolist() == [[0, 255, 255], [0, 255, 255]]


@pytest.mark.parametrize("alphas", ALPHAS)
@pytest.mark.parametrize(
    "change", [lambda image: image.convert(), lambda image: image.crop((0, 0, 3, 2)), ImageOps.mirror]
)
def test_alpha_survives_changes(change: object, alphas: list[int]) -> None:
    indexed = translucent(alphas)
    image = change(opened(indexed))  # type: ignore[operator]
    expected = indexed.to_pixels()[:, ::-1] if change is ImageOps.mirror else indexed.to_pixels()
    np.testing.assert_array_equal(pixels_of(image, 4), expected)


# saving


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_saved(mode: str, photo: np.ndarray) -> None:
    image = Image.fromarray(photo).crop((0, 0, 20, 10))
    between = {"I;16": "L", "La": "LA"}.get(mode, "RGB")
    image = image.convert(between).convert(mode)
    assert (saved(image).width, saved(image).height) == (20, 10)


def test_what_can_be_saved_without_loss_is_if_asked(photo: np.ndarray) -> None:
    photo = photo[:80, :80]
    image = Image.fromarray(photo)
    np.testing.assert_array_equal(saved(image, lossless=True).to_pixels(), photo)
    assert len(saved(image).palette) == 256


def test_a_palette_image_keeps_palette_and_labels_also_colours_of_no_pixel() -> None:
    image = Image.frombytes("P", (3, 1), bytes([4, 0, 4]))
    image.putpalette([1, 2, 3] * 2 + [9, 9, 9] * 4)
    indexed = saved(image)
    assert indexed.palette.tolist() == [[1, 2, 3]] * 2 + [[9, 9, 9]] * 4
    assert indexed.labels.tolist() == [[4, 0, 4]]


@pytest.mark.parametrize("transparency", [1, bytes([255, 7]), None])
def test_a_palette_image_keeps_its_transparency(transparency: int | bytes | None) -> None:
    image = Image.frombytes("P", (2, 1), bytes([0, 1]))
    image.putpalette([1, 2, 3, 4, 5, 6])
    if transparency is not None:
        image.info["transparency"] = transparency
    alpha = {1: 0, bytes([255, 7]): 7, None: None}[transparency]
    expected = [[1, 2, 3], [4, 5, 6]] if alpha is None else [[1, 2, 3, 255], [4, 5, 6, alpha]]
    assert saved(image).palette.tolist() == expected


def test_a_palette_of_rgba_is_kept() -> None:
    image = Image.frombytes("P", (2, 1), bytes([0, 1]))
    image.putpalette([1, 2, 3, 255, 4, 5, 6, 7], "RGBA")
    assert saved(image).palette.tolist() == [[1, 2, 3, 255], [4, 5, 6, 7]]


@pytest.mark.parametrize("palette", [[], [1, 2, 3]])
def test_labels_beyond_the_palette_are_what_pillow_shows(palette: list[int]) -> None:
    image = Image.frombytes("P", (2, 1), bytes([0, 200]))
    image.putpalette(palette)
    np.testing.assert_array_equal(saved(image).to_pixels(), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("options", [{"colors": 4}, {"quality": 1}, {"palette": np.zeros((4, 3), np.uint8)}])
def test_a_palette_image_is_reduced_only_if_asked(options: dict[str, object], photo: np.ndarray) -> None:
    image = Image.fromarray(photo).quantize(64)
    assert len(saved(image).palette) == 64
    assert len(saved(image, **options).palette) < 64


def test_options_are_those_of_encode(photo: np.ndarray) -> None:
    photo = np.ascontiguousarray(photo[:80, :80])
    image = Image.fromarray(photo)
    for options in (
        {"colors": 16, "space": "oklab", "dither": "floyd-steinberg", "dither_strength": 0.5},
        {"colors": 16, "keep": ["#ff0000"], "rare": 0.2},
        {"colors": 16, "rdo": 50.0, "effort": 3},
        {"quality": 20},
        {"psnr_db": 20.0},
        {"max_bytes": 2000},
        {"colors": 16, "coding": "plain", "threads": 1},
        {"palette": np.array([[0, 0, 0], [255, 255, 255]], np.uint8)},
    ):
        buffer = BytesIO()
        image.save(buffer, "KMC", **options)
        assert buffer.getvalue() == kmcodec.encode(photo, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"colours": 16}, TypeError, "cannot be saved with 'colours'; with colors, "),
        ({"metadata": Metadata()}, TypeError, "'metadata'"),
        ({"colors": 0}, ValueError, "colors"),
        ({"exif": 5}, TypeError, "exif must be bytes, an Image.Exif or None, not int"),
        ({"icc_profile": "x"}, TypeError, "icc must be bytes"),
        ({"xmp": 5}, TypeError, "xmp must be bytes"),
        ({"dpi": 300}, ValueError, "dpi must be two numbers above 0"),
        ({"dpi": (0, 0)}, ValueError, "dpi must be two numbers above 0"),
        ({"text": [("a",)]}, TypeError, "text must be pairs of strings"),
        ({"text": [("a", "\0")]}, ValueError, "NUL"),
        ({"psnr_db": 99.0, "colors": 2}, ValueError, "psnr_db"),
    ],
)
def test_a_wrong_option_is_refused_and_leaves_no_file(
    options: dict[str, object], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        Image.new("RGB", (3, 3)).save(tmp_path / "a.kmc", **options)
    assert not (tmp_path / "a.kmc").exists()


def test_an_image_without_pixels_is_refused() -> None:
    for mode in ("P", "RGB"):
        with pytest.raises(ValueError, match="at least one pixel"):
            saved(Image.new(mode, (0, 5)))


def test_one_picture_is_saved_as_all_and_two_are_refused() -> None:
    image = Image.new("RGB", (3, 3))
    assert saved(image, save_all=True).width == 3
    assert saved(image, save_all=True, append_images=[]).width == 3
    with pytest.raises(ValueError, match=r"a \.kmc file holds one picture, not 2"):
        saved(image, save_all=True, append_images=[image])


@pytest.mark.parametrize("kind", ["path", "name", "file", "buffer"])
def test_a_picture_is_saved_wherever_pillow_saves(kind: str, tmp_path: Path) -> None:
    indexed, path = picture(), tmp_path / "a.KMC"
    image = opened(indexed)
    if kind == "path":
        image.save(path)
    elif kind == "name":
        image.save(str(path))
    elif kind == "file":
        with path.open("wb") as file:
            image.save(file)
    else:
        buffer = BytesIO()
        image.save(buffer, format="kmc")
        path.write_bytes(buffer.getvalue())
    assert path.read_bytes() == kmcodec.dumps(indexed)


def test_a_file_may_be_saved_over_itself(kmc_file: Path) -> None:
    before = kmc_file.read_bytes()
    with Image.open(kmc_file) as image:
        image.save(kmc_file)
    assert kmc_file.read_bytes() == before


# metadata


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 6
    tags[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: IFDRational(1, 60)}
    return tags


FULL = Metadata(
    icc=wide_profile(),
    exif=exif().tobytes()[6:],
    xmp=b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
    text=(("Title", "map"), ("Author", "漢字")),
    dpi=(Fraction(300), Fraction(11811 * 127, 5000)),
)


@pytest.mark.parametrize("colors", [5, 300])
def test_info_has_what_the_file_tells(colors: int) -> None:
    image = opened(picture(colors, metadata=FULL))
    assert image.info == {
        "icc_profile": FULL.icc,
        "exif": b"Exif\0\0" + (FULL.exif or b""),
        "xmp": FULL.xmp,
        "text": {"Title": "map", "Author": "漢字"},
        "dpi": (300.0, 299.9994),
    }
    assert image.text == image.info["text"]  # type: ignore[attr-defined]
    assert image.getexif()[ExifTags.Base.Orientation] == 6
    assert image.getexif().get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] == IFDRational(1, 60)


def test_an_image_is_turned_upright_by_what_turns_others() -> None:
    indexed = picture(metadata=FULL)
    upright = ImageOps.exif_transpose(opened(indexed))
    np.testing.assert_array_equal(pixels_of(upright, 3), np.rot90(indexed.to_pixels(), -1))
    assert ExifTags.Base.Orientation not in upright.getexif()


@pytest.mark.parametrize("colors", [5, 300])
def test_what_an_image_has_is_saved_again(colors: int) -> None:
    assert saved(opened(picture(colors, metadata=FULL))).metadata == FULL
    assert saved(opened(picture(colors, metadata=FULL)).copy()).metadata == FULL


def test_what_a_png_has_is_saved_as_kmc() -> None:
    info, buffer = PngImagePlugin.PngInfo(), BytesIO()
    info.add_text("Title", "map")
    Image.new("RGB", (3, 3)).save(buffer, "PNG", pnginfo=info, icc_profile=wide_profile(), exif=exif(), dpi=(300, 300))
    metadata = saved(Image.open(buffer)).metadata
    assert (metadata.icc, metadata.exif, metadata.text) == (FULL.icc, FULL.exif, (("Title", "map"),))
    assert metadata.dpi == (Fraction(11811 * 127, 5000),) * 2


def test_what_is_given_takes_the_place_of_the_images_own() -> None:
    image = opened(picture(metadata=FULL))
    given = {
        "icc_profile": grey_profile(),
        "exif": Image.Exif(),
        "xmp": "<x/>",
        "text": {"Title": "other"},
        "dpi": (72, Fraction(145, 2)),
    }
    assert saved(image, **given).metadata == Metadata(
        icc=grey_profile(), xmp=b"<x/>", text=(("Title", "other"),), dpi=(Fraction(72), Fraction(145, 2))
    )
    assert saved(image, exif=b"Exif\0\0MM").metadata.exif == b"MM"
    assert saved(image, exif=exif()).metadata.exif == FULL.exif
    assert saved(image, text=[("a", "b"), ("a", "c")]).metadata.text == (("a", "b"), ("a", "c"))


@pytest.mark.parametrize("nothing", [None, b"", ""])
def test_metadata_is_dropped_on_demand(nothing: object) -> None:
    options = dict.fromkeys(("icc_profile", "exif", "xmp"), nothing)
    assert saved(opened(picture(metadata=FULL)), **options, text=None, dpi=None).metadata == Metadata()


def test_damaged_metadata_of_an_image_is_a_warning() -> None:
    image = Image.new("RGB", (3, 3))
    image.info["exif"] = b"garbage"
    with pytest.warns(UserWarning, match="damaged EXIF is not kept"):
        assert saved(image).metadata == Metadata()


def test_cmyk_is_saved_through_its_profile() -> None:
    image = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    image.info["icc_profile"] = cmyk_profile()
    indexed = saved(image)
    assert indexed.palette.tolist() == [[0, 179, 247]]
    assert indexed.metadata.icc is None


# in what reads pictures through Pillow


def test_imageio_reads_and_writes(tmp_path: Path, photo: np.ndarray) -> None:
    photo = photo[:80, :80]
    path = tmp_path / "a.kmc"
    iio.imwrite(path, photo, colors=65536)
    np.testing.assert_array_equal(iio.imread(path), photo)
    assert iio.improps(path).shape == photo.shape
    assert iio.improps(path).dtype == np.uint8


def test_imageio_sees_alpha_and_metadata() -> None:
    indexed = IndexedImage(translucent([0, 128, 255]).palette, translucent([0, 128, 255]).labels, FULL)
    data = kmcodec.dumps(indexed)
    np.testing.assert_array_equal(iio.imread(data), indexed.to_pixels())
    np.testing.assert_array_equal(iio.imread(data, mode="P"), indexed.labels)
    assert iio.immeta(data)["dpi"] == (300.0, 299.9994)
    assert iio.imread(data, rotate=True).shape[:2] == (3, 2)


def test_scikit_image_reads_and_writes(tmp_path: Path, photo: np.ndarray) -> None:
    path = tmp_path / "a.kmc"
    skimage.io.imsave(path, photo)
    assert skimage.io.imread(path).shape == photo.shape


def test_matplotlib_reads_and_writes(tmp_path: Path, photo: np.ndarray) -> None:
    photo = photo[:80, :80]
    path = tmp_path / "a.kmc"
    matplotlib.image.imsave(path, photo, format="kmc", pil_kwargs={"colors": 65536})
    np.testing.assert_array_equal(matplotlib.image.imread(path)[..., :3], photo)


@pytest.mark.parametrize(("colors", "channels"), KINDS)
def test_a_notebook_shows_the_picture(colors: int, channels: int) -> None:
    indexed = picture(colors, channels)
    shown = opened(indexed)._repr_png_()
    assert shown is not None
    np.testing.assert_array_equal(pixels_of(Image.open(BytesIO(shown)), channels), indexed.to_pixels())
