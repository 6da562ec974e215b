"""Pictures in blocks of rows: the same files, in memory that does not grow with the height."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

import kmcodec
from kmcodec.errors import ImageError
from kmcodec.format import reader, strips
from kmcodec.format.cores import map_on_cores
from kmcodec.images import read_picture, save_image
from kmcodec.large import images as images_module
from kmcodec.large import tiff as tiff_module
from kmcodec.large.decode import decode_rows
from kmcodec.large.images import ImageRows, image_size
from kmcodec.large.metadata import read_extras
from kmcodec.large.spool import Spool
from kmcodec.metrics import psnr_db
from kmcodec.quantizer import ColorCounter, counting, histogram

SRGB_PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.fixture
def picture(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """The photograph nearly twice, with alpha in places, in four strips, which are read one or two at a time."""
    monkeypatch.setattr(strips, "MOST_STRIP_PIXELS", 1 << 15)
    monkeypatch.setattr(reader, "BLOCK_PIXELS", 1 << 14)
    pixels = np.concatenate([photo, photo[::-1]])[:500]
    alpha = np.full((500, 256), 255, np.uint8)
    alpha[100:140] = np.arange(256)
    return np.dstack([pixels, alpha])


def in_blocks(pixels: np.ndarray) -> list[np.ndarray]:
    """A picture in blocks that suit nobody."""
    return [pixels[:1], pixels[1:200], pixels[200:203], pixels[203:]]


def written(blocks: Any, *arguments: Any, **options: Any) -> bytes:
    file = BytesIO()
    kmcodec.write_rows(file, blocks, *arguments, **options)
    return file.getvalue()


# --- encoding


@pytest.mark.parametrize(
    "options",
    [
        {"colors": 16},
        {"colors": 300, "effort": 6},
        {"colors": 1},
        {"colors": 20, "coding": "plain"},
        {"colors": 20, "effort": 1},
        {"colors": 20, "space": "oklab", "rare": 0.2},
        {"colors": 20, "keep": ["#ff000080", "#00ff00"]},
        {"colors": 12, "dither": "ordered"},
        {"colors": 12, "dither": "floyd-steinberg", "dither_strength": 0.8},
        {"colors": 12, "dither": "floyd-steinberg", "dither_strength": 0},
        {"palette": np.array([[0, 0, 0], [255, 255, 255], [200, 40, 60]], np.uint8)},
        {"palette": np.array([[0, 0, 0, 0], [255, 255, 255, 255], [200, 40, 60, 99]], np.uint8)},
    ],
    ids=str,
)
@pytest.mark.parametrize("channels", [3, 4])
def test_blocks_of_rows_give_the_same_bytes_as_the_whole(
    options: dict[str, Any], channels: int, picture: np.ndarray
) -> None:
    pixels = picture[..., :channels]
    assert written(in_blocks(pixels), **options) == kmcodec.encode(pixels, **options)


def test_grey_blocks_and_metadata_give_the_same_bytes_without_loss(picture: np.ndarray) -> None:
    metadata = kmcodec.Metadata(icc=SRGB_PROFILE, text=(("Author", "nobody"),))
    grey = picture[..., 0]
    data = written(in_blocks(grey), lossless=True, metadata=metadata)
    assert data == kmcodec.encode(grey, lossless=True, metadata=metadata)
    assert (kmcodec.decode(data)[..., 0] == grey).all()


def test_a_file_by_path_is_there_whole_or_not_at_all(tmp_path: Path, picture: np.ndarray) -> None:
    path = tmp_path / "a.kmc"
    kmcodec.write_rows(path, in_blocks(picture), 8)
    assert path.read_bytes() == kmcodec.encode(picture, 8)
    path.unlink()
    with pytest.raises(ValueError, match="lossless needs at most 65536"):
        kmcodec.write_rows(
            path, [np.arange(3 << 18, dtype=np.uint32).view(np.uint8).reshape(-1, 1024, 3)], lossless=True
        )
    assert list(tmp_path.iterdir()) == []


def test_a_url_is_written_to(picture: np.ndarray) -> None:
    kmcodec.write_rows("memory://large/a.kmc", in_blocks(picture), 8)
    assert (kmcodec.read("memory://large/a.kmc") == kmcodec.decode(kmcodec.encode(picture, 8))).all()


def test_no_more_strips_are_begun_than_two_a_thread_and_one() -> None:
    begun: list[int] = []
    results = map_on_cores(lambda item: item, (begun.append(item) or item for item in range(100)), 3)
    assert next(results) == 0
    assert len(begun) <= 2 * 3 + 1
    assert list(results) == list(range(1, 100))


def test_an_iterator_is_refused_since_rows_are_read_twice(picture: np.ndarray) -> None:
    with pytest.raises(TypeError, match="must give the rows twice"):
        written(iter(in_blocks(picture)))


class Fickle:
    """Rows that are others the second time."""

    def __init__(self) -> None:
        self._value = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        self._value += 1
        yield np.full((4, 4, 3), self._value, np.uint8)


@pytest.mark.parametrize(
    ("blocks", "kind", "message"),
    [
        ([], ValueError, "at least one row"),
        ([np.zeros((2, 3, 3), np.uint8), np.zeros((2, 4, 3), np.uint8)], ValueError, "one width"),
        ([np.zeros((2, 3, 3), np.uint8), np.zeros((2, 3, 4), np.uint8)], ValueError, "as many channels"),
        ([np.zeros((2, 3, 3), np.uint16)], TypeError, "uint8"),
        (["rows"], TypeError, "uint8 arrays, not str"),
        (Fickle(), ValueError, "other rows the second time"),
    ],
)
def test_blocks_that_make_no_picture_are_refused(blocks: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        written(blocks)


def test_options_are_checked_before_any_row_is_read() -> None:
    with pytest.raises(ValueError, match="effort must be"):
        written([None], effort=10)


# --- colours in bounded memory


def counted(pixels: np.ndarray, rows: int) -> Any:
    counter = ColorCounter(pixels.shape[2])
    for top in range(0, len(pixels), rows):
        counter.add(pixels[top : top + rows])
    return counter.histogram()


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_are_counted_exactly(channels: int, picture: np.ndarray) -> None:
    expected, found = histogram(picture[..., :channels]), counted(picture[..., :channels], 50)
    np.testing.assert_array_equal(found.keys, expected.keys)
    np.testing.assert_array_equal(found.counts, expected.counts)
    assert found.is_exact


@pytest.fixture
def translucent(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Many translucent colours, and an opaque and a transparent row, where a thousand may be counted."""
    monkeypatch.setattr(counting, "MOST_TRANSLUCENT", 1000)
    pixels = np.random.default_rng(2).integers(100, 120, (99, 99, 4), np.uint8)
    pixels[-2, :, 3], pixels[-1, :, 3] = 255, 0
    return pixels


def test_translucent_colours_are_counted_by_cells_when_they_are_too_many(translucent: np.ndarray) -> None:
    found = counted(translucent, 10)
    alpha = found.colors[:, 3]
    assert np.count_nonzero(alpha < 255) <= 1000
    assert found.counts.sum() == 99 * 99
    assert found.counts[alpha == 0].sum() == np.count_nonzero(translucent[..., 3] == 0)
    opaque = {tuple(color) for color in translucent[translucent[..., 3] == 255].tolist()}
    assert {tuple(color) for color in found.colors[alpha == 255].tolist()} == opaque
    assert not found.is_exact


def test_cells_do_not_depend_on_the_order_in_which_colours_come(translucent: np.ndarray) -> None:
    one, other = counted(translucent, 7), counted(translucent[::-1], 99)
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.counts, other.counts)


def test_a_palette_fitted_to_cells_is_as_good(translucent: np.ndarray) -> None:
    of_cells, of_colors = kmcodec.decode(written([translucent], 64)), kmcodec.decode(kmcodec.encode(translucent, 64))
    assert psnr_db(translucent, of_cells) > psnr_db(translucent, of_colors) - 1


# --- memory

PEAK = """
import resource, sys
import numpy as np
import kmcodec

class Rows:
    def __iter__(self):
        rng = np.random.default_rng(0)
        x = np.arange(4096)
        for top in range(0, int(sys.argv[1]), 256):
            y = np.arange(top, top + 256)[:, None] % 1024  # so that no colours are added below
            noise = rng.integers(0, 8, (256, 4096), np.uint8)
            yield np.dstack(np.broadcast_arrays(x // 16 ^ noise, y // 16 % 256, (x + y) // 32 % 256)).astype(np.uint8)

kmcodec.write_rows(sys.argv[2], Rows(), 16, effort=3, threads=2)
if len(sys.argv) > 3:
    from kmcodec.large.decode import decode_rows
    with kmcodec.open(sys.argv[2], threads=2) as file:
        for part in decode_rows(file, sys.argv[3], file.metadata, folder=None):
            pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_peak_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    peaks = {}
    for height in (1536, 5120):
        command = [sys.executable, "-c", PEAK, str(height), str(tmp_path / "a.kmc"), ".png"]
        peaks[height] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    grown_pixels = (5120 - 1536) * 4096
    assert (peaks[5120] - peaks[1536]) * 1e6 < grown_pixels / 2


# --- reading


def test_row_blocks_are_all_rows_in_whole_strips(picture: np.ndarray) -> None:
    with kmcodec.open(BytesIO(kmcodec.encode(picture, 8)), threads=2) as file:
        whole = file.read()
        rows = [row for block in file.row_blocks() for row in block]
        assert rows == list(range(500))
        found = [file.read_rows(block.start, block.stop) for block in file.row_blocks()]
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_labels_of_some_rows_are_those_of_the_whole(picture: np.ndarray) -> None:
    with kmcodec.open(BytesIO(kmcodec.encode(picture, 8))) as file:
        np.testing.assert_array_equal(file.read_labels(77, 300), file.labels()[77:300])


# --- PNG and TIFF out

METADATA = kmcodec.Metadata(
    icc=SRGB_PROFILE, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", text=(("Author", "nobody"),)
)


def both_ways(pixels: np.ndarray, colors: int, ending: str) -> tuple[bytes, bytes]:
    """An image written of blocks of rows, and whole."""
    data = kmcodec.encode(pixels, colors, metadata=METADATA)
    with kmcodec.open(BytesIO(data), threads=1) as file:
        return b"".join(decode_rows(file, ending, file.metadata, folder=None)), save_image(kmcodec.loads(data), ending)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("colors", [2, 3, 16, 100, 300])
@pytest.mark.parametrize("channels", [3, 4])
def test_an_image_of_blocks_is_that_of_the_whole(channels: int, colors: int, ending: str, picture: np.ndarray) -> None:
    of_blocks, of_whole = both_ways(picture[:, :251, :channels], colors, ending)
    with Image.open(BytesIO(of_blocks)) as found, Image.open(BytesIO(of_whole)) as expected:
        assert (found.mode, found.format) == (expected.mode, expected.format)
        np.testing.assert_array_equal(np.asarray(found.convert("RGBA")), np.asarray(expected.convert("RGBA")))
    assert read_picture(of_blocks).metadata == read_picture(of_whole).metadata
    assert read_picture(of_blocks).metadata.icc == SRGB_PROFILE
    assert len(of_blocks) < 1.1 * len(of_whole) + 1000


def test_other_decoders_read_it_too(picture: np.ndarray) -> None:
    for ending in (".png", ".tif"):
        data, _ = both_ways(picture, 100, ending)
        np.testing.assert_array_equal(pyvips.Image.new_from_buffer(data, "").numpy(), read_picture(data).pixels)


def test_beyond_4_gigabytes_a_tiff_is_a_bigtiff(picture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_module, "_MOST_CLASSIC_BYTES", 1000)
    data, whole = both_ways(picture, 16, ".tif")
    assert data[:4] == b"II\x2b\0"
    found, expected = read_picture(data), read_picture(whole)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.metadata == expected.metadata


def test_exif_is_in_the_png(picture: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    metadata = kmcodec.Metadata(exif=exif.tobytes().removeprefix(b"Exif\0\0"))
    with kmcodec.open(BytesIO(kmcodec.encode(picture, 4, metadata=metadata))) as file:
        data = b"".join(decode_rows(file, ".png", file.metadata, folder=None))
    assert read_picture(data).metadata.exif == metadata.exif


def test_a_format_that_is_not_written_in_rows_is_named(picture: np.ndarray) -> None:
    with kmcodec.open(BytesIO(kmcodec.encode(picture, 4))) as file, pytest.raises(ImageError, match=r"not as \.webp"):
        decode_rows(file, ".webp", file.metadata, folder=None)


# --- images in


def vips_bytes(samples: np.ndarray, kind: str, suffix: str, **options: Any) -> bytes:
    data: bytes = pyvips.Image.new_from_array(samples, interpretation=kind).write_to_buffer(suffix, **options)
    return data


def pil_bytes(image: Image.Image, name: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def small_images() -> dict[str, bytes]:
    """Images of all kinds that are read in rows."""
    rng = np.random.default_rng(4)
    rgba = rng.integers(0, 256, (37, 53, 4), np.uint8)
    rgb, grey = np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 0])
    wide = rng.integers(0, 65536, (37, 53, 4)).astype(np.uint16)
    color, opaque = Image.fromarray(rgb), Image.fromarray(np.dstack([rgb, np.full_like(grey, 255)]))
    indexed = color.quantize(13)
    found = {
        "opaque rgba.png": pil_bytes(opaque, "PNG"),
        "grey.png": pil_bytes(Image.fromarray(grey), "PNG"),
        "grey alpha.png": pil_bytes(Image.fromarray(rgba).convert("LA"), "PNG"),
        "grey transparency.png": pil_bytes(Image.fromarray(grey), "PNG", transparency=int(grey[0, 0])),
        "palette.png": pil_bytes(indexed, "PNG"),
        "palette transparency.png": pil_bytes(indexed, "PNG", transparency=3),
        "bilevel.png": pil_bytes(color.convert("1"), "PNG"),
        "grey 16.png": vips_bytes(wide[..., 0], "grey16", ".png"),
        "rgb 16.png": vips_bytes(wide[..., :3], "rgb16", ".png"),
        "rgba 16.png": vips_bytes(wide, "rgb16", ".png"),
        "profile.png": pil_bytes(color, "PNG", icc_profile=SRGB_PROFILE),
        "palette.tif": pil_bytes(indexed, "TIFF"),
        "bilevel.tif": pil_bytes(color.convert("1"), "TIFF", compression="group4"),
        "rgba lzw.tif": pil_bytes(Image.fromarray(rgba), "TIFF", compression="tiff_lzw"),
        "jpeg.tif": pil_bytes(color, "TIFF", compression="jpeg"),
        "cmyk.tif": pil_bytes(color.convert("CMYK"), "TIFF"),
        "rgb 16.tif": vips_bytes(wide[..., :3], "rgb16", ".tif"),
        "tiles.tif": vips_bytes(rgb, "srgb", ".tif", tile=True, tile_width=16, tile_height=16, bigtiff=True),
        "two pages.tif": pil_bytes(color, "TIFF", save_all=True, append_images=[indexed.convert("RGB")]),
        "rgb.jpg": pil_bytes(color, "JPEG", icc_profile=SRGB_PROFILE),
        "grey.jpg": pil_bytes(Image.fromarray(grey), "JPEG"),
        "cmyk.jpg": pil_bytes(color.convert("CMYK"), "JPEG"),
    }
    exif = Image.Exif()
    exif[0x0112] = 6
    return found | {"turned.jpg": pil_bytes(color, "JPEG", exif=exif), "turned.png": pil_bytes(color, "PNG", exif=exif)}


IMAGES = small_images()


def rows_of(source: str | bytes) -> ImageRows:
    size = image_size(source)
    assert size is not None
    return ImageRows(source, size)


@pytest.mark.parametrize("name", IMAGES)
def test_rows_and_extras_of_an_image_are_those_of_the_whole(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images_module, "BLOCK_PIXELS", 500)
    expected = read_picture(IMAGES[name])
    path = tmp_path / f"[{name}"  # brackets begin options, to libvips
    path.write_bytes(IMAGES[name])
    for source in (str(path), IMAGES[name]):
        rows = rows_of(source)
        for _ in range(2):
            blocks = list(rows)
            assert len(blocks) > 3
            np.testing.assert_array_equal(np.concatenate(blocks), expected.pixels)
        extras = read_extras(source)
        assert (extras.metadata, extras.frames) == (expected.metadata, expected.frames)


def test_text_behind_the_pixels_of_a_png_is_kept() -> None:
    data = IMAGES["grey.png"]
    text = b"tEXtAuthor\0nobody"
    added = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    assert read_extras(data[:-12] + added + data[-12:]).metadata.text == (("Author", "nobody"),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (vips_bytes(np.zeros((9, 9, 3), np.uint8), "srgb", ".png", interlace=True), "interlaced or progressive"),
        (pil_bytes(Image.new("RGB", (99, 99)), "JPEG", progressive=True), "interlaced or progressive"),
        (pil_bytes(Image.new("F", (9, 9)), "TIFF"), "samples of type float"),
        (pil_bytes(Image.new("RGB", (9, 9)), "WEBP"), "WEBP cannot be read row by row"),
    ],
    ids=["png", "jpeg", "float", "webp"],
)
def test_what_cannot_be_read_in_rows_says_why(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        rows_of(data)


def with_tag(tiff: bytes, tag: int, value: int) -> bytes:
    """A little-endian TIFF with another value of a tag that is one SHORT."""
    entry = struct.pack("<HHI", tag, 3, 1)
    assert tiff.count(entry) == 1
    place = tiff.index(entry) + len(entry)
    return tiff[:place] + struct.pack("<H", value) + tiff[place + 2 :]


def misread_tiffs() -> dict[str, bytes]:
    """TIFFs of which libvips makes other pixels than Pillow."""
    rgba = np.random.default_rng(5).integers(0, 256, (9, 9, 4), np.uint8)
    image = Image.fromarray(rgba)
    with_alpha = {mode: pil_bytes(image.convert(mode), "TIFF") for mode in ("RGBA", "LA")}
    grey_16 = vips_bytes(np.arange(81, dtype=np.uint16).reshape(9, 9) * 800, "grey16", ".tif")
    return {
        "YCbCr": pil_bytes(image.convert("YCbCr"), "TIFF"),
        "YCbCr lzw": pil_bytes(image.convert("YCbCr"), "TIFF", compression="tiff_lzw"),
        "white is zero 16": with_tag(grey_16, 262, 0),
        **{f"{mode} {kind}": with_tag(data, 338, kind) for mode, data in with_alpha.items() for kind in (0, 1)},
    }


@pytest.mark.parametrize("data", misread_tiffs().values(), ids=misread_tiffs())
def test_a_tiff_that_libvips_misreads_is_not_read_in_rows(data: bytes) -> None:
    assert read_picture(data).pixels.shape[:2] == (9, 9)
    with pytest.raises(ImageError, match="this kind of TIFF cannot be read row by row"):
        rows_of(data)


@pytest.mark.parametrize("name", ["opaque rgba.png", "palette.png", "rgba lzw.tif", "tiles.tif", "rgb.jpg"])
def test_an_image_cut_short_is_damaged(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    data = IMAGES[name]
    with pytest.raises(ImageError, match=r"damaged(?: image|, or of a kind that cannot be read row by row) \("):
        list(ImageRows(data[: len(data) * 2 // 3], image_size(data)))
    assert capfd.readouterr() == ("", "")


def test_a_flipped_bit_in_a_png_is_found() -> None:
    data = bytearray(IMAGES["palette.png"])
    data[data.index(b"IDAT") + 400] ^= 4
    with pytest.raises(ImageError, match="damaged image"):
        list(rows_of(bytes(data)))


# --- temporary files


def test_a_spool_gives_back_what_was_put_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for data in (b"one", b"", b"three"):
        spool.append(data)
    assert (list(spool), spool[-1], spool[:2], spool.size) == ([b"one", b"", b"three"], b"three", [b"one", b""], 8)
    del spool
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_names_the_folder_of_temporary_files(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="temporary file: No such file or directory") as raised:
        Spool(tmp_path / "missing")
    assert raised.value.filename == str(tmp_path / "missing")


# --- on the command line

COMMAND = """
import sys
from kmcodec.batch import large
from kmcodec.cli import main
large.LARGE_PIXELS, large.IN_MEMORY_PIXELS = 1000, int(sys.argv.pop(1))
{}
main(sys.argv[1:])
"""


def large_run(
    *arguments: object, cwd: Path, in_memory: int = 1000, before: str = "", **options: Any
) -> subprocess.CompletedProcess[str]:
    """The command, to which a picture of more than 1000 pixels is large."""
    command = [sys.executable, "-c", COMMAND.format(before), str(in_memory), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, **options)


@pytest.fixture
def folder(tmp_path: Path, picture: np.ndarray) -> Path:
    """A folder with a.png in it."""
    image = Image.fromarray(picture)
    image.info["Author"] = "nobody"
    image.save(tmp_path / "a.png", icc_profile=SRGB_PROFILE)
    return tmp_path


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def encoded_by_pillow(folder: Path, colors: int) -> bytes:
    """What `kmcodec encode` makes of a.png as a whole."""
    found = read_picture((folder / "a.png").read_bytes())
    return kmcodec.encode(found.pixels, colors, metadata=found.metadata)


def test_a_large_picture_is_encoded_and_decoded_as_any_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # strips of the usual size, as in the process of the command
    run = large_run("encode", "a.png", "-k", 40, cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert re.fullmatch(r"a\.kmc: K 40, \d+ -> \d+ bytes \(.*%\), .* bits/px, \d\d\.\d\d dB, .* s\n", run.stdout)
    assert (folder / "a.kmc").read_bytes() == encoded_by_pillow(folder, 40)
    run = large_run("decode", "a.kmc", "-o", "b.tif", cwd=folder)
    assert (run.returncode, run.stderr) == (0, "")
    assert re.fullmatch(r"b\.tif: 256 x 500, K 40, \d+ -> \d+ bytes, .* s\n", run.stdout)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "b.tif")), kmcodec.read(folder / "a.kmc"))
    assert names_in(folder) == {"a.png", "a.kmc", "b.tif"}


def test_what_a_tiff_cannot_hold_is_left_out_and_that_is_said(folder: Path) -> None:
    metadata = kmcodec.Metadata(text=(("Author", "nobody"),))
    kmcodec.write(folder / "a.kmc", np.zeros((99, 99, 3), np.uint8), metadata=metadata)
    said = "kmcodec: warning: b.tif: .tif cannot hold text of the keyword 'Author'; left out\n"
    for more, expected in (((), said), (("--strip",), "")):
        run = large_run("decode", "a.kmc", "-o", "b.tif", "--overwrite", *more, cwd=folder)
        assert (run.returncode, run.stderr) == (0, expected)


def test_a_pipe_works_at_both_ends(folder: Path) -> None:
    command = [sys.executable, "-c", COMMAND.format(""), "1000"]
    script = '"$@" encode - -k 7 <a.png | "$@" decode - >b.png'
    run = subprocess.run(["bash", "-c", script, "_", *command], cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(Image.open(folder / "b.png").getcolors()) == 7


NO_VIPS = "sys.modules['pyvips'] = None"


def test_without_pyvips_a_picture_that_fits_is_taken_whole(folder: Path) -> None:
    run = large_run("encode", "a.png", cwd=folder, in_memory=1 << 20, before=NO_VIPS)
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "before", "message"),
    [
        (
            ["encode", "a.png"],
            NO_VIPS,
            "pictures of this size need pyvips; install it with: pip install 'kmcodec[large]'",
        ),
        (
            ["encode", "a.png", "--max-pixels", 5000],
            "",
            "a.png: 256 x 500 pixels, over the limit of 5000; --max-pixels raises it",
        ),
        (
            ["encode", "a.png", "--rdo", 20],
            "",
            "a.png: RDO, and a target of quality, PSNR or bytes, need the whole picture in memory, and take up to 1000"
            " pixels, not 256 x 500; a number of colours alone takes it",
        ),
        (["encode", "a.png", "--lossless"], "", "a.png: has n colours; lossless needs at most 65536"),
        (
            ["decode", "a.kmc", "-o", "a.webp"],
            "",
            "a.kmc: pictures of this size can be written as .png or .tif, not as .webp",
        ),
    ],
    ids=["no pyvips", "limit", "rdo", "lossless", "webp"],
)
def test_what_cannot_be_done_is_one_sentence(folder: Path, arguments: list[Any], before: str, message: str) -> None:
    if arguments[-1] == "--lossless":
        pixels = np.arange(3 << 17, dtype=np.uint32).view(np.uint8).reshape(-1, 512, 3)
        Image.fromarray(pixels).save(folder / "a.png")
    if arguments[0] == "decode":
        kmcodec.write(folder / "a.kmc", np.zeros((99, 99, 3), np.uint8))
    before_names = names_in(folder)
    run = large_run(*arguments, cwd=folder, before=before)
    assert run.returncode == 1
    assert re.sub(r"\d+ colours", "n colours", run.stderr) == f"kmcodec: error: {message}\n"
    assert names_in(folder) == before_names


def test_a_full_disk_leaves_nothing_behind(folder: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    run = large_run("encode", "a.png", cwd=folder, before=limit)
    assert run.returncode == 1
    assert run.stderr == f"kmcodec: error: {folder}: temporary file: File too large\n"
    assert names_in(folder) == {"a.png"}


INTERRUPT = """
import os, signal
from kmcodec.large.spool import LabelSpool
append = LabelSpool.append
signal.signal(signal.SIGINT, signal.default_int_handler)
LabelSpool.append = lambda self, strip: (append(self, strip), os.kill(os.getpid(), signal.SIGINT))
"""


def test_ctrl_c_leaves_nothing_behind(folder: Path) -> None:
    run = large_run("encode", "a.png", cwd=folder, before=INTERRUPT)
    assert (run.returncode, run.stderr.strip()) == (130, "kmcodec: error: interrupted")
    assert names_in(folder) == {"a.png"}


def test_a_terminal_shows_how_far_it_is(folder: Path) -> None:
    shown = "from kmcodec.cli import console; console.show_step = lambda text: print(text, file=sys.stderr)"
    run = large_run("encode", "a.png", cwd=folder, before=shown)
    steps = list(dict.fromkeys(re.findall(r"a\.png: (.*), 100%", run.stderr)))
    assert steps[:3] == ["counting colours", "labelling", "coding"]


def test_only_the_first_of_several_frames_is_kept_and_said_so(folder: Path) -> None:
    (folder / "a.tif").write_bytes(IMAGES["two pages.tif"])
    run = large_run("encode", "a.tif", cwd=folder)
    assert (run.returncode, run.stderr) == (0, "kmcodec: warning: a.tif: only the first of its 2 frames is kept\n")


@pytest.mark.parametrize("in_memory", [1000, 1 << 20], ids=["in rows", "whole"])
@pytest.mark.parametrize("size", [20, 99], ids=["small", "large"])
def test_what_pillow_warns_of_is_said_once_and_of_which_file(size: int, in_memory: int, tmp_path: Path) -> None:
    data = pil_bytes(Image.new("RGB", (size, size)), "TIFF", dpi=(300, 300))
    unit = struct.pack("<HHI", 296, 3, 1)
    assert data.count(unit) == 1
    (tmp_path / "a.tif").write_bytes(data.replace(unit, struct.pack("<HHI", 296, 3, 2)))
    run = large_run("encode", "a.tif", cwd=tmp_path, in_memory=in_memory)
    said = "a.tif: damaged, but readable: Metadata Warning, tag 296 had too many entries: 2, expected 1"
    assert (run.returncode, run.stderr) == (0, f"kmcodec: warning: {said}\n")
