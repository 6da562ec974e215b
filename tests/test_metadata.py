"""Metadata of other formats, into `.kmc` files and back; what becomes of it where it is damaged or does not fit."""

from __future__ import annotations

import json
import struct
import warnings
import zlib
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, ImageOps, PngImagePlugin
from PIL.TiffImagePlugin import IFDRational

import kmcodec
from kmcodec import image_metadata, images
from kmcodec.cli import main
from kmcodec.images import Picture, left_out_of, read_picture, save_image
from kmcodec.indexed import IndexedImage, Metadata
from kmcodec.pixels import as_pixels
from tests.icc import cmyk_profile, grey_profile, wide_profile

FORMATS = ["PNG", "JPEG", "WEBP", "TIFF"]
ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "TIFF": ".tif"}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF/></x:xmpmeta>'
PIXELS = np.random.default_rng(7).integers(0, 256, (6, 9, 3), np.uint8)
PICTURE = kmcodec.quantize(PIXELS)


def exif_block(orientation: int | None = None) -> bytes:
    """A block with the three directories that cameras write, from its TIFF header on."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    if orientation:
        exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.IFD.Exif] = {
        ExifTags.Base.ExposureTime: IFDRational(1, 60),
        ExifTags.Base.DateTimeOriginal: "2026:01:01 00:00:00",
    }
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (IFDRational(47), IFDRational(22), IFDRational(3))}
    return exif.tobytes().removeprefix(b"Exif\0\0")


EXIF = exif_block()


def exif_fields(block: bytes | None) -> dict[int, object]:
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    directories = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
    fields = {tag: value for tag, value in exif.items() if tag not in directories}
    return fields | {directory: exif.get_ifd(directory) for directory in directories}


def file_of(
    name: str,
    *,
    pixels: np.ndarray = PIXELS,
    icc: bytes | None = None,
    exif: bytes | None = None,
    xmp: bytes | None = None,
    **options: object,
) -> bytes:
    """A picture with this metadata, written by Pillow in a format."""
    options |= {"lossless": True, "exact": True} if name == "WEBP" else {}
    if icc:
        options["icc_profile"] = icc
    if exif:
        options["exif"] = b"Exif\0\0" + exif
    if xmp and name == "PNG":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt("XML:com.adobe.xmp", xmp.decode())
    elif xmp and name == "TIFF":
        tags = Image.Exif()
        if exif:
            tags.load(exif)
            for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                tags[directory] = tags.get_ifd(directory)
        tags[700] = xmp
        options["exif"] = tags
    elif xmp:
        options["xmp"] = xmp
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, name, **options)
    return buffer.getvalue()


def through_kmc(picture: Picture) -> IndexedImage:
    return kmcodec.loads(kmcodec.encode(picture.pixels, 65536, metadata=picture.metadata))


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


# what is kept


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("source", FORMATS)
def test_profile_exif_and_xmp_go_from_each_format_to_each(source: str, target: str) -> None:
    picture = read_picture(file_of(source, icc=wide_profile(), exif=EXIF, xmp=XMP))
    indexed = through_kmc(picture)
    written = read_picture(save_image(indexed, ENDINGS[target]))
    assert left_out_of(indexed.metadata, ENDINGS[target]) == []
    for end in (picture, written):
        assert (end.metadata.icc, end.metadata.xmp, end.problems) == (wide_profile(), XMP, ())
        assert exif_fields(end.metadata.exif) == exif_fields(EXIF)
    if "TIFF" not in (source, target):
        assert written.metadata.exif == EXIF


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0", b"Exif\0\0Exif\0\0"])
def test_exif_is_stored_from_its_tiff_header_on(prefix: bytes) -> None:
    image = Image.fromarray(PIXELS)
    image.info["exif"] = prefix + EXIF
    assert kmcodec.quantize(image).metadata.exif == EXIF


def test_texts_of_a_png_are_kept_whichever_chunk_they_are_in() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Grüße".encode("latin-1"))
    info.add_text("Description", "x" * 2000, zip=True)
    info.add_itxt("Author", "漢字", lang="zh")
    metadata = read_picture(file_of("PNG", pnginfo=info)).metadata
    expected = (("Title", "Grüße"), ("Description", "x" * 2000), ("Author", "漢字"))
    assert metadata.text == expected
    assert (
        read_picture(save_image(IndexedImage(PICTURE.palette, PICTURE.labels, metadata), ".png")).metadata == metadata
    )


@pytest.mark.parametrize("comment", ["Grüße", "Grüße".encode("latin-1")])
@pytest.mark.parametrize("name", ["JPEG", "GIF"])
def test_a_comment_is_text_and_a_comment_again(name: str, comment: str | bytes) -> None:
    metadata = read_picture(file_of(name, comment=comment if isinstance(comment, bytes) else comment.encode())).metadata
    assert metadata.text == (("Comment", "Grüße"),)
    ending = {"JPEG": ".jpg", "GIF": ".gif"}[name]
    again = opened(save_image(IndexedImage(PICTURE.palette, PICTURE.labels, metadata), ending))
    assert again.info["comment"] == "Grüße".encode()


def test_descriptions_in_tags_of_a_tiff_are_exif() -> None:
    picture = read_picture(file_of("TIFF", description="a map", artist="nobody", software="none", copyright="free"))
    assert picture.metadata.text == ()
    exif = Image.Exif()
    exif.load(picture.metadata.exif or b"")
    assert dict(exif) == {270: "a map", 305: "none", 315: "nobody", 33432: "free"}


def test_text_in_tags_of_a_tiff_keeps_its_bytes() -> None:
    picture = read_picture(file_of("TIFF", description="Grüße".encode()))
    assert "Grüße".encode() in (picture.metadata.exif or b"")
    assert "Grüße".encode() in save_image(through_kmc(picture), ".tif")


def test_a_tiff_that_says_nothing_of_its_picture_has_no_exif() -> None:
    upright = Image.Exif()
    upright[ExifTags.Base.Orientation] = 1
    assert read_picture(file_of("TIFF", exif=upright.tobytes()[6:])).metadata == Metadata()
    assert read_picture(file_of("TIFF", compression="tiff_lzw")).metadata == Metadata()


# pixel density


@pytest.mark.parametrize(
    ("name", "options", "dpi"),
    [
        ("JPEG", {"dpi": (300, 72)}, (Fraction(300), Fraction(72))),
        ("PNG", {"dpi": (300, 300)}, (Fraction(11811 * 127, 5000),) * 2),
        ("TIFF", {"dpi": (300, 72.5)}, (Fraction(300), Fraction(145, 2))),
        ("TIFF", {"resolution_unit": "cm", "resolution": 118.11}, (Fraction(11811 * 127, 5000),) * 2),
        ("TIFF", {"resolution_unit": 1, "resolution": 3}, None),
        ("PNG", {}, None),
        ("WEBP", {}, None),
    ],
)
def test_density_is_read_exactly(name: str, options: dict[str, object], dpi: tuple[Fraction, Fraction] | None) -> None:
    assert read_picture(file_of(name, **options)).metadata.dpi == dpi


@pytest.mark.parametrize(("unit", "dpi"), [(0, None), (1, Fraction(118)), (2, Fraction(118 * 127, 50))])
def test_a_jpeg_counts_in_inches_or_centimetres_or_tells_an_aspect_ratio(unit: int, dpi: Fraction | None) -> None:
    data = file_of("JPEG", dpi=(118, 118))
    where = data.index(b"JFIF\0") + 7
    read = read_picture(data[:where] + bytes([unit]) + data[where + 1 :]).metadata.dpi
    assert read == (None if dpi is None else (dpi, dpi))


@pytest.mark.parametrize("name", ["WEBP", "JPEG"])
@pytest.mark.parametrize(("unit", "scale"), [(2, 1), (3, Fraction(254, 100)), (None, 1)])
def test_density_is_that_of_exif_where_the_format_tells_none(name: str, unit: int | None, scale: Fraction) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = IFDRational(145, 2), IFDRational(100)
    if unit:
        exif[ExifTags.Base.ResolutionUnit] = unit
    data = file_of(name, exif=exif.tobytes()[6:])
    assert read_picture(data).metadata.dpi == (Fraction(145, 2) * scale, 100 * scale)


def test_a_jpeg_whose_exif_tells_no_density_is_not_given_one() -> None:
    data = file_of("JPEG", exif=EXIF)
    assert opened(data).info["dpi"] == (72, 72)  # says Pillow
    assert read_picture(data).metadata.dpi is None


@pytest.mark.parametrize("target", FORMATS)
def test_density_is_written_to_each_format(target: str) -> None:
    metadata = Metadata(dpi=(Fraction(300), Fraction(72)))
    data = save_image(IndexedImage(PICTURE.palette, PICTURE.labels, metadata), ENDINGS[target])
    assert left_out_of(metadata, ENDINGS[target]) == []
    again = read_picture(data).metadata
    assert again.exif is None  # that of a WebP said nothing else
    assert again.dpi is not None
    assert [round(float(side), 2) for side in again.dpi] == [300, 72 if target != "PNG" else 72.01]


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("JPEG", {"dpi": (300, 300)}, lambda image: image.info["jfif_density"] == (300, 300)),
        ("PNG", {"dpi": (300, 300)}, lambda image: image.info["dpi"] == (11811 * 0.0254,) * 2),
        ("TIFF", {"resolution_unit": 3, "resolution": 118.11}, lambda image: float(image.info["dpi"][0]) / 2.54),
    ],
)
def test_density_survives_the_way_through_a_kmc_file(
    name: str, options: dict[str, object], says: Callable[[Image.Image], float]
) -> None:
    again = save_image(through_kmc(read_picture(file_of(name, **options))), ENDINGS[name])
    assert says(opened(again)) == pytest.approx(118.11 if name == "TIFF" else True, rel=1e-7)


@pytest.mark.parametrize("dpi", [(0, 0), (float("nan"), 1), (float("inf"), 1), (-1, 1), (1,), "ab", 300, (1e-9, 1)])
def test_what_is_no_density_is_none(dpi: object) -> None:
    image = Image.fromarray(PIXELS)
    image.info["dpi"] = dpi
    assert kmcodec.quantize(image).metadata.dpi is None


# orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_kept_and_not_applied(name: str, orientation: int) -> None:
    picture = read_picture(file_of(name, exif=exif_block(orientation)))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    exif = Image.Exif()
    exif.load(picture.metadata.exif or b"")
    assert exif.get(ExifTags.Base.Orientation, 1) == orientation


@pytest.mark.parametrize("target", ["PNG", "WEBP", "TIFF"])
def test_a_decoded_picture_is_turned_upright_by_what_turns_others(target: str) -> None:
    turned = np.rot90(PIXELS)
    indexed = through_kmc(read_picture(file_of("PNG", pixels=np.ascontiguousarray(turned), exif=exif_block(6))))
    upright = ImageOps.exif_transpose(opened(save_image(indexed, ENDINGS[target])))
    np.testing.assert_array_equal(np.asarray(upright.convert("RGB")), PIXELS)


def test_an_image_of_pillow_is_taken_as_pillow_shows_it() -> None:
    data = kmcodec.encode(opened(file_of("TIFF", exif=exif_block(6))), 65536)
    np.testing.assert_array_equal(kmcodec.decode(data), np.rot90(PIXELS, -1))  # Pillow turned it
    exif = Image.Exif()
    exif.load(kmcodec.loads(data).metadata.exif or b"")
    assert ExifTags.Base.Orientation not in exif


# colours


def by_hand(image: Image.Image, profile: object) -> np.ndarray:
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    return np.asarray(converted)


def test_wide_gamut_pictures_keep_their_profile_and_their_pixels() -> None:
    picture = read_picture(file_of("PNG", icc=wide_profile()))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    written = opened(save_image(through_kmc(picture), ".png"))
    assert written.info["icc_profile"] == wide_profile()


def test_rgb_of_16_bits_keeps_its_profile_too() -> None:
    rows = b"".join(b"\0" + row.tobytes() for row in (PIXELS.astype(np.uint16) * 256 + 99).astype(">u2").reshape(6, -1))
    png = png_file([(b"iCCP", b"x\0\0" + zlib.compress(wide_profile()))], depth=16, color=2, rows=rows)
    picture = read_picture(png)
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.metadata.icc == wide_profile()


@pytest.mark.parametrize("name", ["JPEG", "TIFF"])
def test_cmyk_is_brought_to_srgb_through_its_profile(name: str) -> None:
    inks = Image.fromarray(np.random.default_rng(8).integers(0, 256, (16, 16, 4), np.uint8), "CMYK")
    buffer = BytesIO()
    inks.save(buffer, name, icc_profile=cmyk_profile(), **({"quality": 95} if name == "JPEG" else {}))
    if name == "JPEG":
        assert b"Adobe" in buffer.getvalue()  # whose CMYK is inverted
    image = opened(buffer.getvalue())
    picture = read_picture(buffer.getvalue())
    np.testing.assert_array_equal(picture.pixels, by_hand(image, BytesIO(cmyk_profile())))
    assert (picture.metadata.icc, picture.problems) == (None, ())


def test_white_and_black_of_an_inverted_cmyk_jpeg_are_white_and_black() -> None:
    buffer = BytesIO()
    Image.new("CMYK", (16, 16), (0, 0, 0, 0)).save(buffer, "JPEG", icc_profile=cmyk_profile())
    assert read_picture(buffer.getvalue()).pixels.min() >= 254
    buffer = BytesIO()
    Image.new("CMYK", (16, 16), (255, 255, 255, 255)).save(buffer, "JPEG", icc_profile=cmyk_profile())
    assert read_picture(buffer.getvalue()).pixels.max() < 70


@pytest.mark.parametrize("own_profile", [True, False])
def test_lab_is_brought_to_srgb(own_profile: bool) -> None:
    lab = ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(PIXELS), ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    assert image is not None
    image.info.clear()
    options = {"icc_profile": ImageCms.ImageCmsProfile(lab).tobytes()} if own_profile else {}
    buffer = BytesIO()
    image.save(buffer, "TIFF", **options)
    picture = read_picture(buffer.getvalue())
    assert np.abs(picture.pixels.astype(int) - by_hand(image, lab)).max() <= 1
    assert np.abs(picture.pixels.astype(int) - PIXELS).mean() < 2  # Lab of 8 bits is coarse
    assert (picture.metadata.icc, picture.problems) == (None, ())


def test_grey_is_brought_to_srgb_through_its_profile() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    picture = read_picture(file_of("PNG", pixels=ramp, icc=grey_profile()))
    expected = by_hand(Image.fromarray(ramp), BytesIO(grey_profile()))
    np.testing.assert_array_equal(picture.pixels, expected)
    assert abs(int(expected[3, 4, 0]) - 100) > 5  # a profile that matters
    assert (picture.metadata.icc, picture.problems) == (None, ())


def test_grey_of_16_bits_and_grey_with_alpha_go_through_their_profile_too() -> None:
    deep = Image.fromarray(np.array([[100 << 8, 200 << 8]], np.uint16))
    translucent = Image.merge("LA", [Image.fromarray(np.array([[100, 200]], np.uint8)), Image.new("L", (2, 1), 9)])
    expected = by_hand(Image.fromarray(np.array([[100, 200]], np.uint8)), BytesIO(grey_profile()))
    for image in (deep, translucent):
        image.info["icc_profile"] = grey_profile()
        np.testing.assert_array_equal(as_pixels(image)[..., :3], expected)
    assert as_pixels(translucent)[..., 3].tolist() == [[9, 9]]


@pytest.mark.parametrize(
    ("mode", "icc", "problem"),
    [
        ("CMYK", wide_profile(), "one of RGB, and the picture is CMYK"),
        ("RGB", cmyk_profile(), "one of CMYK, and the picture is not"),
        ("P", grey_profile(), "one of grey, and the picture is not"),
    ],
)
def test_a_profile_of_other_pixels_is_not_kept(mode: str, icc: bytes, problem: str) -> None:
    image = Image.new(mode, (3, 3))
    before = as_pixels(image)
    image.info["icc_profile"] = icc
    np.testing.assert_array_equal(as_pixels(image), before)
    with pytest.warns(UserWarning, match=problem):
        assert kmcodec.quantize(image).metadata.icc is None


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ([(b"gAMA", struct.pack(">I", 45455))], None),
        ([(b"gAMA", struct.pack(">I", 100000))], "its gamma"),
        ([(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))], None),
        ([(b"cHRM", struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000))], "its primaries"),
        ([(b"gAMA", struct.pack(">I", 100000)), (b"sRGB", b"\0")], None),
        ([(b"cICP", bytes([1, 13, 0, 1]))], None),
        ([(b"cICP", bytes([12, 13, 0, 1]))], "its colour space (cICP)"),
        ([(b"gAMA", struct.pack(">I", 100000)), (b"iCCP", b"x\0\0" + zlib.compress(wide_profile()))], None),
    ],
)
def test_a_png_of_other_colours_without_a_profile_is_warned_of(
    chunks: list[tuple[bytes, bytes]], problem: str | None
) -> None:
    picture = read_picture(png_file(chunks))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert [text.partition(", ")[0] for text in picture.problems] == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        ([(b"pHYs", struct.pack(">IIB", 1, 4, 0))], "the shape of its pixels, which are no squares, is not kept"),
        ([(b"pHYs", struct.pack(">IIB", 4, 4, 0))], None),
        ([(b"pHYs", struct.pack(">IIB", 3000, 6000, 1))], None),
        (
            [(b"tEXt", b"Comment\0one"), (b"iTXt", b"Comment\0\0\0\0\0two")],
            "of several texts of the keyword 'Comment' only the last is kept",
        ),
        ([(b"tEXt", b"Comment\0one"), (b"tEXt", b"Author\0two")], None),
    ],
)
def test_what_a_png_has_and_no_metadata_can_hold_is_warned_of(
    chunks: list[tuple[bytes, bytes]], problem: str | None
) -> None:
    assert list(read_picture(png_file(chunks)).problems) == ([problem] if problem else [])


# damage


def png_file(
    chunks: list[tuple[bytes, bytes]],
    *,
    depth: int = 8,
    color: int = 2,
    rows: bytes | None = None,
    bad_crc: bool = False,
) -> bytes:
    """PIXELS with these chunks before them, whose CRC may be wrong."""
    rows = rows or b"".join(b"\0" + row.tobytes() for row in PIXELS)
    wrong = int(bad_crc)
    file = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 6, depth, color, 0, 0, 0))
    file += b"".join(chunk(kind, content, wrong) for kind, content in chunks)
    return file + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def chunk(kind: bytes, content: bytes, wrong: int = 0) -> bytes:
    crc = zlib.crc32(kind + content) ^ wrong
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)


def jpeg_file(marker: int, content: bytes) -> bytes:
    """A JPEG with this marker of an application after its first."""
    data = file_of("JPEG")
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content
    return data[:20] + segment + data[20:]


def webp_file(kind: bytes, content: bytes) -> bytes:
    """A WebP in which this chunk has other contents than Pillow gave it."""
    data = file_of("WEBP", icc=wide_profile(), exif=EXIF, xmp=XMP)
    where = data.index(kind)
    (old,) = struct.unpack_from("<I", data, where + 4)
    new = struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    body = data[8 : where + 4] + new + data[where + 8 + old + old % 2 :]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def tiff_file(tag: int, **options: object) -> bytes:
    """A TIFF in which the value of a tag lies beyond its end."""
    data = bytearray(file_of("TIFF", **options))
    order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, first)
    for entry in range(first + 2, first + 2 + 12 * count, 12):
        if struct.unpack_from(f"{order}H", data, entry) == (tag,):
            struct.pack_into(f"{order}I", data, entry + 8, len(data) - 3)
            return bytes(data)
    raise AssertionError(f"no tag {tag}")


ICC = wide_profile()
BAD_OFFSET = ICC[:136] + b"\xff" * 4 + ICC[140:]
BAD_CURVE = ICC.replace(b"curv", b"vruc")
COMPRESSED = zlib.compress(b"text" * 100)
DAMAGED = {
    "PNG: a profile that is none": (png_file([(b"iCCP", b"x\0\0" + zlib.compress(b"none"))]), "damaged colour profile"),
    "PNG: half a profile": (png_file([(b"iCCP", b"x\0\0" + zlib.compress(ICC[:200]))]), "damaged colour profile"),
    "PNG: a profile whose tag lies beyond its end": (
        png_file([(b"iCCP", b"x\0\0" + zlib.compress(BAD_OFFSET))]),
        "damaged colour profile",
    ),
    "PNG: a profile of unknown curves": (
        png_file([(b"iCCP", b"x\0\0" + zlib.compress(BAD_CURVE))]),
        "damaged colour profile",
    ),
    "PNG: a profile that does not inflate": (png_file([(b"iCCP", b"x\0\0garbage")]), "damaged colour profile"),
    "PNG: a profile that ends early": (
        png_file([(b"iCCP", b"x\0\0" + zlib.compress(ICC)[:-20])]),
        "damaged colour profile",
    ),
    "PNG: a profile of unknown compression": (
        png_file([(b"iCCP", b"x\0\1" + zlib.compress(ICC))]),
        "damaged colour profile",
    ),
    "PNG: a profile without anything": (png_file([(b"iCCP", b"")]), "damaged colour profile"),
    "PNG: a profile of a wrong CRC": (
        png_file([(b"iCCP", b"x\0\0" + zlib.compress(ICC))], bad_crc=True),
        "damaged colour profile",
    ),
    "PNG: half of EXIF": (png_file([(b"eXIf", EXIF[: len(EXIF) // 2])]), "damaged EXIF"),
    "PNG: EXIF of a wrong CRC": (png_file([(b"eXIf", EXIF)], bad_crc=True), "damaged EXIF"),
    "PNG: empty EXIF": (png_file([(b"eXIf", b"II*\0\x08\0\0\0\0\0\0\0\0\0")]), "damaged EXIF"),
    "PNG: XMP of Latin-1": (png_file([(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x>\xe9</x>")]), "XMP that is not UTF-8"),
    "PNG: iTXt of Latin-1": (png_file([(b"iTXt", b"Title\0\0\0\0\0\xe9")]), "damaged text"),
    "PNG: iTXt that ends in its keyword": (png_file([(b"iTXt", b"Title")]), "damaged text"),
    "PNG: iTXt that ends in its language": (png_file([(b"iTXt", b"Title\0\0\0de")]), "damaged text"),
    "PNG: iTXt that does not inflate": (png_file([(b"iTXt", b"Title\0\1\0\0\0garbage")]), "damaged text"),
    "PNG: iTXt of unknown compression": (png_file([(b"iTXt", b"Title\0\1\7\0\0" + COMPRESSED)]), "damaged text"),
    "PNG: zTXt that ends early": (png_file([(b"zTXt", b"Title\0\0" + COMPRESSED[:-6])]), "damaged text"),
    "PNG: zTXt of unknown compression": (png_file([(b"zTXt", b"Title\0\7" + COMPRESSED)]), "damaged text"),
    "PNG: tEXt without a text": (png_file([(b"tEXt", b"Title")]), "damaged text"),
    "PNG: tEXt of a wrong CRC": (png_file([(b"tEXt", b"Title\0x")], bad_crc=True), "damaged text"),
    "PNG: short pHYs": (png_file([(b"pHYs", b"\0\0\0\1")]), "damaged pixel density"),
    "PNG: short gAMA": (png_file([(b"gAMA", b"\0")]), "damaged gamma"),
    "PNG: short cHRM": (png_file([(b"cHRM", b"\0")]), "damaged primaries"),
    "JPEG: half of EXIF": (jpeg_file(0xE1, b"Exif\0\0" + EXIF[: len(EXIF) // 2]), "damaged EXIF"),
    "JPEG: EXIF that is none": (jpeg_file(0xE1, b"Exif\0\0garbage"), "damaged EXIF"),
    "JPEG: XMP of Latin-1": (jpeg_file(0xE1, b"http://ns.adobe.com/xap/1.0/\0\xe9"), "XMP that is not UTF-8"),
    "JPEG: a profile that is none": (jpeg_file(0xE2, b"ICC_PROFILE\0\1\1none"), "damaged colour profile"),
    "JPEG: the first of two parts of a profile": (
        jpeg_file(0xE2, b"ICC_PROFILE\0\1\2" + ICC),
        "damaged colour profile",
    ),
    "JPEG: the second part of XMP": (
        jpeg_file(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"<x/>"),
        "extended XMP",
    ),
    "WebP: half of EXIF": (webp_file(b"EXIF", EXIF[: len(EXIF) // 2]), "damaged EXIF"),
    "WebP: XMP of Latin-1": (webp_file(b"XMP ", b"<x>\xe9</x>"), "XMP that is not UTF-8"),
    "WebP: half a profile": (webp_file(b"ICCP", ICC[:200]), "damaged colour profile"),
    "TIFF: a profile that is none": (file_of("TIFF", icc=b"none at all"), "damaged colour profile"),
    "TIFF: XMP of Latin-1": (file_of("TIFF", xmp=b"<x>\xe9</x>"), "XMP that is not UTF-8"),
    "TIFF: a profile beyond the end": (tiff_file(34675, icc=ICC), "damaged colour profile"),
    "TIFF: XMP beyond the end": (tiff_file(700, xmp=XMP), "damaged XMP"),
    "TIFF: a description beyond the end": (tiff_file(270, description="somebody"), "damaged EXIF"),
    "TIFF: an artist beyond the end": (tiff_file(315, artist="somebody"), "damaged EXIF"),
    "TIFF: a resolution beyond the end": (tiff_file(282, dpi=(300, 300)), "damaged pixel density"),
    "TIFF: a directory of EXIF beyond the end": (tiff_file(34665, exif=EXIF), "damaged, but readable"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_metadata_is_dropped_and_the_picture_survives(damage: str) -> None:
    data, problem = DAMAGED[damage]
    picture = read_picture(data)
    assert any(problem in text for text in picture.problems)
    if damage.startswith("JPEG"):
        np.testing.assert_array_equal(picture.pixels, read_picture(file_of("JPEG")).pixels)
    else:
        np.testing.assert_array_equal(picture.pixels, PIXELS)
    kept = picture.metadata
    lost = {"profile": kept.icc, "EXIF": kept.exif, "XMP": kept.xmp, "text": kept.text, "density": kept.dpi}
    assert all(not value for name, value in lost.items() if name in problem)


def test_what_others_warn_of_while_a_file_is_read_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    original = PngImagePlugin.PngImageFile.load

    def load(image: PngImagePlugin.PngImageFile) -> object:
        warnings.warn("not of Pillow", stacklevel=1)
        return original(image)

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", load)
    with pytest.warns(UserWarning, match="not of Pillow"):
        assert read_picture(file_of("PNG")).problems == ()


def test_what_is_not_damaged_is_kept_beside_what_is() -> None:
    chunks = [(b"tEXt", b"Title\0kept"), (b"iTXt", b"broken"), (b"pHYs", struct.pack(">IIB", 100, 100, 1))]
    picture = read_picture(png_file(chunks))
    assert picture.problems == ("damaged text is not kept",)
    assert picture.metadata == Metadata(text=(("Title", "kept"),), dpi=(Fraction(127, 50),) * 2)


def test_damaged_transparency_is_damage_to_the_picture() -> None:
    with pytest.raises(kmcodec.KmcError, match="damaged"):
        read_picture(png_file([(b"tRNS", b"\0\0\0\0\0\0")], bad_crc=True))


def test_a_bad_thumbnail_costs_nothing_else() -> None:
    picture = read_picture(
        png_file([(b"eXIf", b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 274, 3, 1, 6) + b"\xff" * 4)])
    )
    assert picture.problems == ()
    assert picture.metadata.exif is not None


def test_in_python_damaged_metadata_is_a_warning() -> None:
    image = opened(DAMAGED["PNG: half of EXIF"][0])
    with pytest.warns(UserWarning, match="damaged EXIF is not kept"):
        data = kmcodec.encode(image, 65536)
    np.testing.assert_array_equal(kmcodec.decode(data), PIXELS)


@pytest.mark.parametrize("size", range(0, len(EXIF), 3))
def test_exif_cut_anywhere_is_no_crash(size: int) -> None:
    image = Image.fromarray(PIXELS)
    image.info["exif"] = EXIF[:size]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert kmcodec.quantize(image).metadata.exif is None


# text that is none


def test_text_with_half_of_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        Metadata(text=(("Title", "\ud800"),))


def test_in_a_pillow_image_nul_goes_and_half_of_a_surrogate_pair_becomes_a_question_mark() -> None:
    image = Image.fromarray(PIXELS)
    image.info["text"] = {"Ti\0tle": "a\ud800b"}
    assert kmcodec.quantize(image).metadata.text == (("Title", "a?b"),)


# limits


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """The limit of metadata, lowered from 64 MiB to save time."""
    for module in (image_metadata, images, kmcodec.format.metadata):
        monkeypatch.setattr(module, "METADATA_BYTES", 1000)
    return 1000


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize(
    "data",
    [
        png_file([(b"tEXt", b"Title\0" + b"x" * 2000)]),
        png_file([(b"zTXt", b"Title\0\0" + zlib.compress(b"x" * 2000))]),
        png_file([(b"iTXt", b"Title\0\1\0\0\0" + zlib.compress(b"x" * 2000))]),
        png_file([(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"x" * 2000)]),
        png_file([(b"iCCP", b"x\0\0" + zlib.compress(bytes(2000)))]),
        png_file([(b"eXIf", bytes(2000))]),
        webp_file(b"XMP ", b"x" * 2000),
        jpeg_file(0xFE, b"x" * 2000),
    ],
)
def test_too_large_metadata_is_dropped(data: bytes) -> None:
    picture = read_picture(data)
    assert any(text.startswith("too large") for text in picture.problems)
    kmcodec.encode(picture.pixels, metadata=picture.metadata)


@pytest.mark.usefixtures("small_limit")
def test_of_metadata_that_is_too_large_together_the_largest_part_goes() -> None:
    image = Image.fromarray(PIXELS)
    image.info |= {"xmp": b"x" * 700, "text": {"Title": "x" * 600}}
    with pytest.warns(UserWarning, match="too large XMP is not kept: metadata may have 1000 bytes"):
        metadata = kmcodec.quantize(image).metadata
    assert metadata.text
    assert metadata.xmp is None


@pytest.mark.usefixtures("small_limit")
def test_a_file_that_the_decoder_would_refuse_is_not_written() -> None:
    kmcodec.encode(PIXELS, metadata=Metadata(xmp=b"x" * 1000))
    with pytest.raises(ValueError, match="1001 bytes of metadata, more than the 1000 that decoders accept"):
        kmcodec.encode(PIXELS, metadata=Metadata(xmp=b"x" * 1001))


def test_large_metadata_within_the_limit_is_kept() -> None:
    text = "x" * (3 << 20)  # more than Pillow itself reads of a PNG
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", text, zip=True)
    before = PngImagePlugin.MAX_TEXT_CHUNK
    assert read_picture(file_of("PNG", pnginfo=info)).metadata.text == (("Title", text),)
    assert before == PngImagePlugin.MAX_TEXT_CHUNK


# what a format cannot hold


@pytest.mark.parametrize(
    ("metadata", "ending", "left_out"),
    [
        (Metadata(icc=ICC, exif=EXIF, xmp=XMP), ".gif", ["its colour profile", "its EXIF", "its XMP"]),
        (Metadata(exif=exif_block(6)), ".bmp", ["its EXIF (which says how to turn the picture upright)"]),
        (Metadata(text=(("Title", "a"), ("Comment", "b"))), ".jpg", ["text of the keyword 'Title'"]),
        (Metadata(text=(("Comment", "a"), ("Comment", "b"))), ".jpg", ["text of the keyword 'Comment'"]),
        (Metadata(text=(("Comment", "é" * 40000),)), ".jpg", ["text of the keyword 'Comment'"]),
        (Metadata(text=(("漢", "a"), ("Title", "b"))), ".png", ["text of the keyword '漢'"]),
        (
            Metadata(exif=EXIF, dpi=(Fraction(300),) * 2),
            ".webp",
            ["its pixel density (its EXIF tells none, or another)"],
        ),
        (Metadata(dpi=(Fraction(300),) * 2), ".qoi", ["its pixel density"]),
        (Metadata(dpi=(Fraction(70000),) * 2), ".jpg", ["its pixel density"]),
        (Metadata(dpi=(Fraction(1, 3),) * 2), ".jpg", ["its pixel density"]),
        (Metadata(dpi=(Fraction(1, 1000),) * 2), ".png", ["its pixel density"]),
        (Metadata(xmp=b"x" * 65505), ".jpg", ["XMP of 65505 bytes"]),
        (Metadata(exif=EXIF.ljust(65528, b"\0")), ".jpg", ["EXIF of 65528 bytes"]),
        (Metadata(exif=b"garbage", icc=b"garbage"), ".tif", ["its EXIF, which is damaged"]),
        (Metadata(icc=ICC, exif=EXIF, xmp=XMP), ".tif", []),
    ],
)
def test_what_a_format_cannot_hold_is_named_and_left_out(metadata: Metadata, ending: str, left_out: list[str]) -> None:
    assert left_out_of(metadata, ending) == left_out
    save_image(IndexedImage(PICTURE.palette, PICTURE.labels, metadata), ending)


@pytest.mark.parametrize(
    "metadata",
    [Metadata(xmp=b"x" * 65504), Metadata(exif=exif_block().ljust(65527, b"\0")), Metadata(icc=bytes(3 << 20))],
)
def test_a_jpeg_holds_what_it_just_can(metadata: Metadata) -> None:
    assert left_out_of(metadata, ".jpg") == []
    image = opened(save_image(IndexedImage(PICTURE.palette, PICTURE.labels, metadata), ".jpg"))
    assert metadata.xmp == image.info.get("xmp")
    assert metadata.icc == image.info.get("icc_profile")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".gif", ".bmp", ".avif", ".jp2", ".tga"])
def test_damaged_metadata_of_a_kmc_file_stops_no_decoding(ending: str) -> None:
    garbage = Metadata(icc=b"\xff", exif=b"\xff", xmp=b"\xff", text=(("\u0100", "\x01"),), dpi=(Fraction(1, 7),) * 2)
    save_image(IndexedImage(PICTURE.palette, PICTURE.labels, garbage), ending)


# on the command line


def run(*arguments: object) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    assert exit_.value.code == 0


@pytest.fixture
def tagged_file(tmp_path: Path) -> Path:
    """A PNG with all that may be kept."""
    info = PngImagePlugin.PngInfo()
    info.add_itxt("Title", "a\x1b[31m red\nmap")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    path = tmp_path / "tagged.png"
    path.write_bytes(file_of("PNG", icc=ICC, exif=exif_block(6), pnginfo=info, dpi=(300, 300)))
    return path


def test_a_warning_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(DAMAGED["PNG: half of EXIF"][0])
    run("encode", path)
    assert capsys.readouterr().err == f"kmcodec: warning: {path}: damaged EXIF is not kept\n"
    assert kmcodec.loads(path.with_suffix(".kmc").read_bytes()).metadata == Metadata()


def test_strip_leaves_all_metadata_out_of_a_kmc_file(tagged_file: Path) -> None:
    run("encode", tagged_file, "--strip")
    assert kmcodec.loads(tagged_file.with_suffix(".kmc").read_bytes()).metadata == Metadata()


def test_strip_leaves_damaged_metadata_out_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(DAMAGED["PNG: half of EXIF"][0])
    run("encode", path, "--strip")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif"])
def test_strip_leaves_all_metadata_out_of_a_decoded_picture(tagged_file: Path, ending: str) -> None:
    run("encode", tagged_file)
    output = tagged_file.with_name(f"again{ending}")
    run("decode", tagged_file.with_suffix(".kmc"), "-o", output, "--strip")
    assert read_picture(output.read_bytes()).metadata == Metadata()


def test_decoding_warns_of_what_the_format_cannot_hold(tagged_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("encode", tagged_file)
    capsys.readouterr()
    output = tagged_file.with_suffix(".bmp")
    run("decode", tagged_file.with_suffix(".kmc"), "-o", output)
    assert capsys.readouterr().err == (
        f"kmcodec: warning: {output}: .bmp cannot hold its colour profile,"
        " its EXIF (which says how to turn the picture upright), its XMP, text of the keyword 'Title'; left out\n"
    )


def test_info_shows_what_metadata_says(tagged_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("encode", tagged_file)
    capsys.readouterr()
    run("info", tagged_file.with_suffix(".kmc"))
    shown = capsys.readouterr().out
    for line in (
        "colour profile  made by hand",
        "orientation     6",
        "text            Title: a [31m red map",
        "dpi             299.999 x 299.999",
    ):
        assert f"\n{line}\n" in f"{shown}\n"


def test_info_in_json_has_it_whole(tagged_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("encode", tagged_file)
    capsys.readouterr()
    run("info", tagged_file.with_suffix(".kmc"), "--json")
    items = {item.pop("kind"): item for item in json.loads(capsys.readouterr().out)["metadata"]}
    assert items["icc"]["description"] == "made by hand"
    assert items["exif"]["orientation"] == 6
    assert items["xmp"]["bytes"] == len(XMP)
    assert items["text"]["texts"] == [["Title", "a\x1b[31m red\nmap"]]
    assert items["density"]["dpi"] == [299.9994, 299.9994]


def test_info_shows_damaged_metadata_without_complaint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.kmc"
    kmcodec.write(path, PIXELS, metadata=Metadata(icc=b"garbage", exif=b"garbage", text=(("a", "b" * 300),)))
    run("info", path)
    shown = capsys.readouterr()
    assert "icc (7 bytes" in shown.out
    assert f"a: {'b' * 196}…\n" in f"{shown.out}\n"
    assert shown.err == ""
