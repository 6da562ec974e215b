"""The public names: encode, decode, read, write, open, quantize, dumps, loads."""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

import kmcodec
from kmcodec import expand
from kmcodec.errors import DecodeError, FormatError, KmcError, LimitError, TruncatedError, UnsupportedError
from kmcodec.format.strips import strip_height_for
from tests.icc import wide_profile


def indexed_images() -> st.SearchStrategy[kmcodec.IndexedImage]:
    def image(count: int, channels: int, height: int, width: int, seed: int) -> kmcodec.IndexedImage:
        rng = np.random.default_rng(seed)
        return kmcodec.IndexedImage(
            rng.integers(0, 256, (count, channels), np.uint8), rng.integers(0, count, (height, width))
        )

    counts = st.one_of(st.integers(1, 300), st.sampled_from([4096, 65535, 65536]))
    return st.builds(image, counts, st.sampled_from([3, 4]), st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))


@given(image=indexed_images(), effort=st.integers(1, 9))
def test_loads_inverts_dumps(image: kmcodec.IndexedImage, effort: int) -> None:
    data = kmcodec.dumps(image, effort=effort)  # plain below 3, predicted from there on
    again = kmcodec.loads(data)
    np.testing.assert_array_equal(again.palette, image.palette)
    np.testing.assert_array_equal(again.labels, image.labels)
    assert again.labels.dtype == image.labels.dtype
    assert kmcodec.dumps(again, effort=effort) == data


@given(image=indexed_images())
def test_decoding_is_looking_up_labels_in_the_palette(image: kmcodec.IndexedImage) -> None:
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.dumps(image)), image.palette[image.labels])


@given(pixels=hnp.arrays(np.uint8, st.tuples(st.integers(1, 16), st.integers(1, 16), st.sampled_from([3, 4]))))
def test_a_picture_of_few_colours_comes_back_exactly(pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(pixels)), pixels)


def test_a_photo_comes_back_nearly(photo: np.ndarray) -> None:
    decoded = kmcodec.decode(kmcodec.encode(photo, 64))
    assert decoded.shape == photo.shape
    assert decoded.dtype == np.uint8
    assert np.square(decoded.astype(int) - photo).mean() < 50


def test_a_decoded_picture_may_be_written_to(photo: np.ndarray) -> None:
    kmcodec.decode(kmcodec.encode(photo, 4))[0, 0] = 1


def test_metadata_is_kept_exactly() -> None:
    metadata = kmcodec.Metadata(
        icc=b"\0icc" * 100,
        exif=b"II*\0",
        xmp=b"<xmp>\xc3\xa9</xmp>",
        text=(("Title", "Über"), ("Title", ""), ("", "x")),
        dpi=(Fraction(300), Fraction(1499997, 5000)),
    )
    image = kmcodec.IndexedImage(np.zeros((1, 3), np.uint8), np.zeros((2, 2), np.uint8), metadata)
    assert kmcodec.loads(kmcodec.dumps(image)).metadata == metadata


def test_empty_metadata_is_kept_apart_from_none() -> None:
    image = kmcodec.IndexedImage(np.zeros((1, 3), np.uint8), np.zeros((2, 2), np.uint8), kmcodec.Metadata(icc=b""))
    assert kmcodec.loads(kmcodec.dumps(image)).metadata == kmcodec.Metadata(icc=b"")


@pytest.mark.parametrize(
    ("fields", "error", "says"),
    [
        ({"text": (("a\0", "b"),)}, ValueError, "NUL"),
        ({"text": (("a",),)}, TypeError, "pairs of strings"),
        ({"text": (("a", 1),)}, TypeError, "pairs of strings"),
        ({"dpi": (300, 300)}, TypeError, "two fractions"),
        ({"dpi": (Fraction(300),)}, TypeError, "two fractions"),
        ({"dpi": (Fraction(0), Fraction(300))}, ValueError, "from 1 to"),
        ({"dpi": (Fraction(-1), Fraction(300))}, ValueError, "from 1 to"),
        ({"dpi": (Fraction(1 << 32), Fraction(300))}, ValueError, "from 1 to"),
        ({"dpi": (Fraction(300), Fraction(1, 1 << 32))}, ValueError, "from 1 to"),
        ({"icc": "profile"}, TypeError, "metadata icc must be bytes or None, not str"),
    ],
)
def test_metadata_is_checked(fields: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        kmcodec.Metadata(**fields)  # type: ignore[arg-type]


OWN_PROFILE = wide_profile()


def test_encode_takes_metadata_in_place_of_the_images_own() -> None:
    image = Image.new("RGB", (2, 2))
    image.info["icc_profile"] = OWN_PROFILE
    own = kmcodec.loads(kmcodec.encode(image)).metadata
    given_ = kmcodec.loads(kmcodec.encode(image, metadata=kmcodec.Metadata(icc=b"given"))).metadata
    assert (own.icc, given_.icc) == (OWN_PROFILE, b"given")


@pytest.mark.parametrize(
    ("width", "height", "count"),
    [
        (1, 1, 1),
        (1646, 1062, 1),
        (2560, 1737, 2),
        (3000, 2000, 2),
        (4000, 3000, 4),
        (10_000, 10_000, 32),
        (1 << 24, 3, 3),
    ],
)
def test_strips_are_a_power_of_two_of_up_to_three_megapixels(width: int, height: int, count: int) -> None:
    assert -(-height // strip_height_for(width, height)) == count


def test_strips_cover_the_picture(striped: kmcodec.IndexedImage) -> None:
    data = kmcodec.dumps(striped, effort=1)
    header = kmcodec.KmcFile(BytesIO(data)).header
    assert header.strip_count == 4
    assert len(header.rows_of_strip(3)) < header.strip_height
    np.testing.assert_array_equal(kmcodec.loads(data).labels, striped.labels)


@pytest.mark.parametrize("effort", [1, 5])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bytes_and_pixels_do_not_depend_on_threads(striped: kmcodec.IndexedImage, threads: int, effort: int) -> None:
    data = kmcodec.dumps(striped, effort=effort, threads=threads)
    assert data == kmcodec.dumps(striped, effort=effort)
    np.testing.assert_array_equal(kmcodec.decode(data, threads=threads), striped.to_pixels())


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 377), (374, 379), (700, 1501), (1500, 1501), (0, 1501)])
@pytest.mark.parametrize("effort", [1, 3])
def test_read_rows_gives_those_rows(striped: kmcodec.IndexedImage, start: int, stop: int, effort: int) -> None:
    with kmcodec.open(BytesIO(kmcodec.dumps(striped, effort=effort))) as file:
        np.testing.assert_array_equal(file.read_rows(start, stop), striped.to_pixels()[start:stop])


def test_read_rows_reads_no_strip_that_it_does_not_need(striped: kmcodec.IndexedImage) -> None:
    data = bytearray(kmcodec.dumps(striped, effort=1))
    data[-10] ^= 1  # in the last strip
    with kmcodec.open(BytesIO(data)) as file:
        file.read_rows(0, 1000)
        with pytest.raises(FormatError, match="strip 3"):
            file.read_rows(1000, 1501)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (4, 3), (0, 10)])
def test_read_rows_refuses_rows_that_are_not_there(icon: kmcodec.IndexedImage, start: int, stop: int) -> None:
    with kmcodec.open(BytesIO(kmcodec.dumps(icon))) as file, pytest.raises(ValueError, match="of 9 rows"):
        file.read_rows(start, stop)


def test_one_colour_stores_no_labels() -> None:
    data = kmcodec.encode(np.full((3000, 3000, 3), 7, np.uint8))
    assert len(data) < 32
    with kmcodec.open(BytesIO(data)) as file:
        assert (file.read_rows(5, 7) == 7).all()


def test_an_open_file_shows_what_it_is(tmp_path: Path, icon: kmcodec.IndexedImage) -> None:
    path = tmp_path / "icon.kmc"
    kmcodec.write(path, icon)
    with kmcodec.open(path) as file:
        header = file.header
        assert (header.width, header.height, header.colors, header.channels) == (7, 9, 5, 4)
        assert header.coding is kmcodec.Coding.PLAIN
        assert header.file_bytes == path.stat().st_size
        assert file.metadata == icon.metadata
        np.testing.assert_array_equal(file.palette, icon.palette)
        np.testing.assert_array_equal(file.labels(), icon.labels)


def test_files_by_path_name_and_stream(tmp_path: Path, photo: np.ndarray) -> None:
    expected = kmcodec.decode(kmcodec.encode(photo, 8))
    kmcodec.write(tmp_path / "a.kmc", photo, 8)
    kmcodec.write(str(tmp_path / "b.kmc"), photo, 8)
    with (tmp_path / "c.kmc").open("wb") as stream:
        kmcodec.write(stream, photo, 8)
    for name in "abc":
        np.testing.assert_array_equal(kmcodec.read(tmp_path / f"{name}.kmc"), expected)
    with (tmp_path / "a.kmc").open("rb") as stream:
        np.testing.assert_array_equal(kmcodec.read(stream), expected)
        assert not stream.closed


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("count", [3, 256, 700])
def test_colours_are_looked_up_the_same_without_a_compiler(
    channels: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    image = kmcodec.IndexedImage(rng.integers(0, 256, (count, channels), np.uint8), rng.integers(0, count, (9, 7)))
    compiled = image.to_pixels()
    monkeypatch.setattr(expand, "_compiled", None)
    np.testing.assert_array_equal(image.to_pixels(), compiled)
    np.testing.assert_array_equal(compiled, image.palette[image.labels])


def test_files_by_url(photo: np.ndarray) -> None:
    pytest.importorskip("fsspec")
    kmcodec.write("memory://folder/photo.kmc", photo, 8)
    np.testing.assert_array_equal(kmcodec.read("memory://folder/photo.kmc"), kmcodec.decode(kmcodec.encode(photo, 8)))


def test_a_stream_that_cannot_seek_is_read_whole(icon: kmcodec.IndexedImage) -> None:
    class Pipe(BytesIO):
        def seekable(self) -> bool:
            return False

    data = kmcodec.dumps(icon)
    np.testing.assert_array_equal(kmcodec.read(Pipe(data)), icon.to_pixels())
    with pytest.raises(LimitError):
        kmcodec.read(Pipe(data), limits=kmcodec.Limits(file_bytes=10))


def test_a_file_that_fails_to_open_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "bad.kmc"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(FormatError):
        kmcodec.open(path)  # an unclosed file would be a ResourceWarning, and so an error


def test_streams_that_move_few_bytes_at_a_time_are_read_and_written_whole(photo: np.ndarray) -> None:
    class Raw(BytesIO):
        def seekable(self) -> bool:
            return False

        def read(self, count: int | None = -1) -> bytes:
            return super().read(1000 if count is None or count < 0 else min(count, 1000))

        def write(self, data: object) -> int:
            return super().write(memoryview(data)[:1000])  # type: ignore[call-overload]

    stream = Raw()
    kmcodec.write(stream, photo, 8)
    assert stream.getvalue() == kmcodec.encode(photo, 8)
    stream.seek(0)
    np.testing.assert_array_equal(kmcodec.read(stream), kmcodec.decode(kmcodec.encode(photo, 8)))


def test_labels_changed_behind_an_images_back_harm_nobody() -> None:
    labels = np.zeros((4, 4), np.uint16)
    image = kmcodec.IndexedImage(np.zeros((300, 3), np.uint8), labels)
    with pytest.raises(ValueError, match="read-only"):
        image.labels[0, 0] = 1
    labels[:] = 9000
    with pytest.raises(ValueError, match="label 9000 in a palette of 300"):
        image.to_pixels()
    for coding in kmcodec.Coding:
        with pytest.raises(ValueError, match="changed after it was made"):
            kmcodec.dumps(image, coding=coding)


@pytest.mark.parametrize("coding", kmcodec.Coding)
def test_labels_of_a_file_may_be_written_to(icon: kmcodec.IndexedImage, coding: kmcodec.Coding) -> None:
    kmcodec.KmcFile(BytesIO(kmcodec.dumps(icon, coding=coding))).labels()[0, 0] = 1


@pytest.mark.parametrize("data", [bytes, bytearray, memoryview])
def test_loads_takes_any_bytes(icon: kmcodec.IndexedImage, data: type) -> None:
    np.testing.assert_array_equal(kmcodec.loads(data(kmcodec.dumps(icon))).labels, icon.labels)


def test_a_label_mask_goes_straight_into_the_format() -> None:
    mask = np.arange(300, dtype=np.int64).reshape(20, 15)
    palette = np.zeros((300, 3), np.uint8)
    again = kmcodec.loads(kmcodec.dumps(kmcodec.IndexedImage(palette, mask)))
    assert again.labels.dtype == np.uint16
    np.testing.assert_array_equal(again.labels, mask)


@pytest.mark.parametrize(
    ("palette", "labels", "error", "says"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2), np.uint8), TypeError, "palette must be a uint8 array, not float64 array"),
        ([[0, 0, 0]], np.zeros((2, 2), np.uint8), TypeError, "palette must be a uint8 array, not list"),
        (np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), ValueError, r"\(K, 3\) or \(K, 4\)"),
        (np.zeros((0, 3), np.uint8), np.zeros((2, 2), np.uint8), ValueError, "1 ≤ K"),
        (np.zeros((65537, 3), np.uint8), np.zeros((2, 2), np.uint8), ValueError, "K ≤ 65536"),
        (np.zeros((2, 3), np.uint8), np.zeros((2, 2)), TypeError, "labels must be an array of integers"),
        (np.zeros((2, 3), np.uint8), np.zeros((0, 2), np.uint8), ValueError, "both ≥ 1"),
        (np.zeros((2, 3), np.uint8), np.zeros(4, np.uint8), ValueError, r"\(height, width\)"),
        (np.zeros((2, 3), np.uint8), np.full((2, 2), 2), ValueError, "from 0 to 1"),
        (np.zeros((2, 3), np.uint8), np.full((2, 2), -1), ValueError, "found -1"),
    ],
)
def test_an_indexed_image_is_checked(palette: object, labels: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        kmcodec.IndexedImage(palette, labels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"effort": 0}, ValueError, "effort"),
        ({"effort": 10}, ValueError, "effort"),
        ({"coding": "zip"}, ValueError, "'predicted', 'plain' or None, not 'zip'"),
        ({"threads": 0}, ValueError, "threads"),
        ({"colors": 0}, ValueError, "colors must be from 1 to 65536, not 0"),
        ({"colors": 65537}, ValueError, "65537"),
        ({"colors": 2.5}, TypeError, "integer"),
        ({"colors": True}, TypeError, "integer"),
    ],
)
def test_options_out_of_range_are_refused(arguments: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        kmcodec.encode(np.zeros((2, 2, 3), np.uint8), **arguments)  # type: ignore[arg-type]


def test_dumps_takes_an_indexed_image_only() -> None:
    with pytest.raises(TypeError, match="IndexedImage, not ndarray"):
        kmcodec.dumps(np.zeros((2, 2, 3), np.uint8))  # type: ignore[arg-type]


def test_errors_are_one_tree() -> None:
    assert issubclass(DecodeError, KmcError)
    assert issubclass(DecodeError, ValueError)
    assert issubclass(TruncatedError, FormatError)
    for error in (FormatError, UnsupportedError, LimitError):
        assert issubclass(error, DecodeError)


def test_every_public_name_is_there() -> None:
    for name in kmcodec.__all__:
        assert getattr(kmcodec, name) is not None
        assert name in dir(kmcodec)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        kmcodec.nothing  # noqa: B018


def test_a_file_is_opened_for_one_thread_at_least(icon: kmcodec.IndexedImage) -> None:
    with pytest.raises(ValueError, match="threads must be at least 1"):
        kmcodec.KmcFile(BytesIO(kmcodec.dumps(icon)), threads=0)


def test_blocks_of_rows_of_one_colour_are_all_rows() -> None:
    one = kmcodec.IndexedImage(np.zeros((1, 3), np.uint8), np.zeros((5, 7), np.uint8))
    file = kmcodec.KmcFile(BytesIO(kmcodec.dumps(one)))
    assert [row for rows in file.row_blocks() for row in rows] == list(range(5))
