"""The header: what it must be, field by field."""

from __future__ import annotations

import zlib
from fractions import Fraction

import numpy as np
import pytest

import kmcodec
from kmcodec.errors import DecodeError, FormatError, LimitError, TruncatedError, UnsupportedError
from kmcodec.format.container import parse_header
from kmcodec.limits import Limits


def leb128(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def header_bytes(**changes: bytes) -> bytes:
    """A header written by hand: 3 × 2 pixels, two colours, one strip of 5 bytes; with some fields changed."""
    fields = {
        "signature": b"\x89KMC",
        "version": b"\x01",
        "flags": b"\x00",
        "coding": b"\x00",
        "parameter": b"\x01",
        "width": b"\x03",
        "height": b"\x02",
        "last_color": b"\x01",
        "strip_height": b"\x02",
        "palette": b"\x06" + bytes([10, 1, 20, 2, 30, 3]),
        "strips": b"\x05",
        "metadata": b"",
    } | changes
    body = b"".join(fields.values())
    return body + zlib.crc32(body).to_bytes(4, "little")


def strip(payload: bytes, header: bytes, number: int = 0) -> bytes:
    check = zlib.crc32(header[-4:] + number.to_bytes(4, "little") + payload)
    return payload + check.to_bytes(4, "little")


def test_a_file_written_by_hand_decodes() -> None:
    header = header_bytes()
    pixels = kmcodec.decode(header + strip(bytes([0b010_101_00]), header))
    dark, bright = [10, 20, 30], [11, 22, 33]
    assert pixels.tolist() == [[dark, bright, dark], [bright, dark, bright]]


def test_our_writer_writes_the_same_bytes() -> None:
    header = header_bytes()
    image = kmcodec.IndexedImage(
        np.array([[10, 20, 30], [11, 22, 33]], np.uint8), np.array([[0, 1, 0], [1, 0, 1]], np.uint8)
    )
    assert kmcodec.dumps(image) == header + strip(bytes([0b010_101_00]), header)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"signature": b"\x89PNG"}, FormatError, "not a .kmc file"),
        ({"version": b"\x02"}, UnsupportedError, "version 2"),
        ({"version": b"\x00"}, UnsupportedError, "version 0"),
        ({"flags": b"\x04"}, FormatError, "flags"),
        ({"coding": b"\x09"}, FormatError, "coding 9"),
        ({"parameter": b"\x00"}, FormatError, "0 bits per label"),
        ({"parameter": b"\x02"}, FormatError, "2 bits per label"),
        ({"width": b"\x00"}, FormatError, "at least 1"),
        ({"height": b"\x00"}, FormatError, "at least 1"),
        ({"width": b"\x83\x00"}, FormatError, "shortest form"),
        ({"width": b"\x80\x80\x80\x80\x10"}, FormatError, "below 2"),
        ({"width": b"\x80\x80\x80\x80\x80\x01"}, FormatError, "below 2"),
        ({"last_color": leb128(65536)}, FormatError, "65537 colours"),
        ({"strip_height": b"\x00"}, FormatError, "strips of 0 rows"),
        ({"strip_height": b"\x03"}, FormatError, "strips of 3 rows"),
        ({"strip_height": b"\x01", "strips": b"\x05\x05"}, FormatError, "less than 16384 pixels"),
        (
            {"last_color": b"\x00", "parameter": b"\x00", "width": leb128(99999), "strip_height": b"\x01"},
            FormatError,
            "one colour",
        ),
        ({"flags": b"\x02", "metadata": b"\x00"}, FormatError, "0 items of metadata"),
        ({"flags": b"\x02", "metadata": b"\x01\x00\x01\x01x"}, FormatError, "kinds"),
        ({"flags": b"\x02", "metadata": b"\x01\x80\x01\x01x"}, UnsupportedError, "kind 128"),
        ({"flags": b"\x02", "metadata": b"\x01\x7f\x01\x02xy"}, FormatError, "more than the 1"),
        ({"flags": b"\x02", "metadata": b"\x02\x02\x01\x01x\x01\x01\x01x"}, FormatError, "kinds"),
        ({"flags": b"\x02", "metadata": b"\x02\x01\x01\x01x\x01\x01\x01x"}, FormatError, "kinds"),
        ({"coding": b"\x01", "parameter": b"\x10"}, FormatError, "2\\^9 lines for strips of 6 pixels"),
        ({"palette": b"\x05" + bytes(5)}, FormatError, "palette"),
        ({"palette": b"\x07" + bytes(7)}, FormatError, "palette"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(changes: dict[str, bytes], error: type[DecodeError], says: str) -> None:
    header = header_bytes(**changes)
    with pytest.raises(error, match=says):
        kmcodec.decode(header + strip(b"\x00", header))


def test_a_header_that_ends_early_is_truncated() -> None:
    header = header_bytes()
    for length in range(len(header)):
        with pytest.raises(TruncatedError):
            parse_header(header[:length], Limits())


def test_bytes_after_the_picture_are_an_error() -> None:
    header = header_bytes()
    with pytest.raises(FormatError, match=r"after the end of the picture, for 1 byte$"):
        kmcodec.decode(header + strip(b"\x00", header) + b"\x00")


def test_a_label_beyond_the_palette_is_an_error() -> None:
    header = header_bytes(parameter=b"\x02", last_color=b"\x02", palette=b"\x09" + bytes(9), strips=b"\x06")
    with pytest.raises(FormatError, match="label 3 in a palette of 3"):
        kmcodec.decode(header + strip(b"\xff\xf0", header))


def test_strips_of_another_file_or_place_do_not_fit() -> None:
    header = header_bytes()
    with pytest.raises(FormatError, match="CRC"):
        kmcodec.decode(header + strip(b"\x00", header, number=1))
    with pytest.raises(FormatError, match="CRC"):
        kmcodec.decode(header + strip(b"\x00", header_bytes(width=b"\x04")))


def test_a_later_version_is_unsupported_even_if_laid_out_differently() -> None:
    with pytest.raises(UnsupportedError, match="version 7"):
        kmcodec.decode(b"\x89KMC\x07\xff\xff\xff")


@pytest.mark.parametrize("limits", [Limits(pixels=5), Limits(file_bytes=20)])
def test_limits_hold(limits: Limits) -> None:
    header = header_bytes()
    with pytest.raises(LimitError, match="over the limit"):
        kmcodec.decode(header + strip(b"\x00", header), limits=limits)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x01\x01\x01", "ends within"),
        (b"\x01\x01\x01\x80", "ends within"),
        (b"\x01\x01\x01\x01\x01", "goes on"),
        (b"\x01\x00\x01\x01", "zero"),
        (b"\x00\x01\x01\x01", "zero"),
        (b"\x02\x02\x01\x01", "lowest terms"),
        (b"\x81\x00\x01\x01\x01", "shortest form"),
    ],
)
def test_a_pixel_density_is_four_numbers_in_lowest_terms(content: bytes, says: str) -> None:
    item = b"\x05" + 2 * bytes([len(content)]) + content
    header = header_bytes(flags=b"\x02", metadata=b"\x01" + item)
    with pytest.raises(FormatError, match=says):
        kmcodec.decode(header + strip(b"\x00", header))


def test_metadata_of_later_versions_is_ignored() -> None:
    items = b"\x02" + b"\x05\x05\x05" + b"\xac\x02\x01\x48\x01" + b"\x06\x03\x03abc"
    header = header_bytes(flags=b"\x02", metadata=items)
    metadata = kmcodec.loads(header + strip(bytes([0b010_101_00]), header)).metadata
    assert metadata == kmcodec.Metadata(dpi=(Fraction(300), Fraction(72)))


def test_the_limit_of_metadata_is_on_what_it_claims_uncompressed(icon: kmcodec.IndexedImage) -> None:
    with pytest.raises(LimitError, match="metadata"):
        kmcodec.loads(kmcodec.dumps(icon), limits=Limits(metadata_bytes=10))


def test_no_limit_is_no_limit() -> None:
    header = header_bytes()
    none = Limits(pixels=None, file_bytes=None, metadata_bytes=None)
    assert kmcodec.decode(header + strip(b"\x00", header), limits=none).shape == (2, 3, 3)


@pytest.mark.parametrize("value", [0, -1, 1.5, "9"])
def test_a_limit_is_a_positive_integer(value: object) -> None:
    with pytest.raises(ValueError, match="limit pixels must be a positive integer"):
        Limits(pixels=value)  # type: ignore[arg-type]


def test_a_small_picture_has_little_overhead() -> None:
    image = kmcodec.IndexedImage(np.zeros((2, 3), np.uint8), np.zeros((1, 1), np.uint8))
    assert len(kmcodec.dumps(image)) - image.palette.size - 1 <= 24
