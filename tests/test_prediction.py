"""Predicted coding: the model, its two forms, the streams, and what comes of it."""

from __future__ import annotations

import contextlib
import warnings
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import kmcodec
from kmcodec.errors import FormatError
from kmcodec.format.frames import compress_symbols, expand_symbols
from kmcodec.format.predicted import decode_predicted, encode_predicted
from kmcodec.format.prediction import kernel, model
from kmcodec.format.prediction.choice import all_parameters, fast_parameters, largest_parameters, likely_parameters
from kmcodec.format.prediction.kernel import Flags, decode_flags, encode_flags
from kmcodec.format.prediction.parameters import ContextSet, Parameters, parse_parameters
from kmcodec.format.prediction.streams import Form, join_streams, split_streams
from kmcodec.images import save_image
from kmcodec.quantizer.order import tree_order
from tests.conftest import sample_pixels

parameters = st.builds(Parameters, st.sampled_from(ContextSet), st.integers(8, 14), st.booleans())


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the package had been built without a compiler."""
    monkeypatch.setattr(kernel, "_compiled", None)
    kernel._warn_that_it_is_slow.cache_clear()


def picture(colors: int, shape: tuple[int, int], seed: int, channels: int = 3) -> kmcodec.IndexedImage:
    """Labels with some structure: smooth, blocky or noisy, by the seed."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, colors, shape)
    if seed % 3 == 0:
        labels = np.cumsum(rng.integers(-1, 2, shape), axis=1) % colors
    elif seed % 3 == 1:
        labels = np.repeat(np.repeat(labels, 3, axis=0), 4, axis=1)[: shape[0], : shape[1]]
    palette = rng.integers(0, 256, (colors, channels), np.uint8)
    return kmcodec.IndexedImage(palette[tree_order(palette)] if seed % 2 else palette, labels)


pictures = st.builds(
    picture,
    st.sampled_from([2, 3, 4, 5, 8, 9, 16, 17, 30, 64, 100, 256, 257, 700, 5000, 65536]),
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.integers(0, 30),
    st.sampled_from([3, 4]),
)


@given(image=pictures, chosen=parameters)
def test_decoding_inverts_encoding(image: kmcodec.IndexedImage, chosen: Parameters) -> None:
    payload = encode_predicted(image.labels, image.palette, chosen)
    decoded = decode_predicted(payload, image.labels.shape, image.palette, chosen, what="strip")
    assert decoded.dtype == image.labels.dtype
    np.testing.assert_array_equal(decoded, image.labels)


@settings(max_examples=30)
@given(image=pictures, chosen=parameters)
def test_the_compiled_model_and_the_readable_one_make_the_same_flags(
    image: kmcodec.IndexedImage, chosen: Parameters
) -> None:
    compiled = encode_flags(image.labels, image.palette, chosen)
    readable = [Flags(*stream) for stream in model.encode(image.labels, image.palette, chosen)]
    assert compiled == readable
    packed = [flags.packed for flags in compiled]
    np.testing.assert_array_equal(model.decode(packed, image.labels.shape, image.palette, chosen), image.labels)


@pytest.mark.parametrize("context_set", ContextSet)
@pytest.mark.parametrize("colors", [16, 64, 256])
def test_both_models_agree_on_a_photo(context_set: ContextSet, colors: int) -> None:
    image = kmcodec.quantize(sample_pixels("caps.png")[60:100, 60:120], colors)
    chosen = Parameters(context_set, 11)
    readable = [Flags(*stream) for stream in model.encode(image.labels, image.palette, chosen)]
    assert encode_flags(image.labels, image.palette, chosen) == readable


@given(image=pictures, chosen=parameters, seed=st.integers(0, 1000))
def test_damaged_flags_give_labels_of_the_palette_or_a_format_error(
    image: kmcodec.IndexedImage, chosen: Parameters, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    streams = [bytearray(flags.packed) for flags in encode_flags(image.labels, image.palette, chosen)]
    for stream in streams:
        if rng.random() < 0.5:
            stream[rng.integers(len(stream) + 1) :] = rng.bytes(rng.integers(0, 40))
    packed = [bytes(stream) for stream in streams]
    results = []
    for decode in (decode_flags, model.decode):
        try:
            results.append(decode(packed, image.labels.shape, image.palette, chosen).tolist())
        except FormatError:
            results.append(None)
    assert results[0] == results[1]
    assert results[0] is None or max(map(max, results[0])) < len(image.palette)


@given(payload=st.binary(max_size=60), chosen=parameters)
def test_arbitrary_payloads_raise_only_format_errors(payload: bytes, chosen: Parameters) -> None:
    image = picture(9, (5, 6), 1)
    with contextlib.suppress(FormatError):
        decode_predicted(payload, image.labels.shape, image.palette, chosen, what="strip 3")


@given(
    shares=st.lists(st.sampled_from([0, 0.001, 0.02, 0.1, 0.2, 0.3, 0.5, 1]), min_size=3, max_size=3),
    count=st.integers(0, 3000),
    seed=st.integers(0, 5),
)
def test_splitting_streams_inverts_joining(shares: list[float], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    flags = [(rng.random(count) < share).astype(np.uint8) for share in shares]
    packed = [np.packbits(stream, bitorder="little").tobytes() for stream in flags]
    joined = join_streams([Flags(stream, count) for stream in packed])
    assert split_streams(joined, len(packed), len(packed) * count) == [stream.rstrip(b"\0") for stream in packed]


def test_every_form_of_a_stream_is_used_where_it_is_smallest() -> None:
    rng = np.random.default_rng(0)
    used = set()
    for count in (30, 400, 20_000, 400_000):
        for share in (0, 0.0005, 0.003, 0.006, 0.01, 0.04, 0.12, 0.3, 0.5):
            flags = (rng.random(count) < share).astype(np.uint8)
            used.add(join_streams([Flags(np.packbits(flags, bitorder="little").tobytes(), count)])[0])
    assert used == set(Form)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "cut off"),
        (b"\x80", "cut off"),
        (b"\x80\x00\x00", "shortest form"),
        (b"\x00", "table of streams"),
        (b"\x00\x09", "table of streams"),
        (b"\x10\x00", "end early"),
        (b"\x00\x00x", "an empty stream has bytes"),
        (b"\x00\x01", "a packed stream"),
        (b"\x00\x01\x01\x00", "a packed stream"),
        (b"\x00\x01" + b"\x01" * 99, "a packed stream"),
        (b"\x00\x02abc", "zstd blocks"),
        (b"\x00\x03\xff", "stream of gaps is damaged"),
        (b"\x00\x03\x80\x00", "stream of gaps is damaged"),
        (b"\x00\x03\xc8\x01", "stream of gaps is damaged"),
        (b"\x00\x03" + bytes(201), "a stream of gaps has flags"),
        (b"\x00\x02" + compress_symbols(b"\x20" * 9, matches=False), "above 31"),
        (b"\x00\x02" + compress_symbols(b"\x01\x00", matches=False), "a stream of fives"),
        (b"\x00\x02" + compress_symbols(b"\x01" * 41, matches=False), "a stream of fives"),
        (b"\x00\x04" + compress_symbols(b"\x20" * 9, matches=False), "gaps is damaged"),
    ],
)
@pytest.mark.parametrize("form", ["compiled", "numpy"])
def test_damaged_streams_are_named(data: bytes, says: str, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if form == "numpy":
        monkeypatch.setattr(kernel, "_compiled", None)
    with pytest.raises(FormatError, match=says):
        split_streams(data, 2, 200)


def test_streams_share_the_flags_that_a_strip_can_have() -> None:
    two_of_200_flags = b"\x13\x03" + b"\xc7\x01" * 2  # each a gap of 199, and a wrong guess
    assert [len(stream) for stream in split_streams(two_of_200_flags, 2, 400)] == [25, 25]
    with pytest.raises(FormatError, match="gaps is damaged"):
        split_streams(two_of_200_flags, 2, 350)


@pytest.mark.parametrize("label", [4, 5, 65535])
def test_a_label_past_the_palette_is_not_encoded(label: int) -> None:
    labels = np.array([[0, 1], [2, label]], np.uint16)
    with pytest.raises(ValueError, match="out of range"):
        kernel.encode_flags(labels, np.arange(12, dtype=np.uint8).reshape(4, 3), Parameters(ContextSet.DEEP, 8))


def test_symbols_that_expand_beyond_the_limit_are_refused() -> None:
    bomb = compress_symbols(bytes(1 << 20), matches=True)
    assert len(bomb) < 200
    with pytest.raises(FormatError, match="hold too much"):
        expand_symbols(bomb, 1000)


@given(image=pictures)
def test_without_a_compiler_files_are_the_same(image: kmcodec.IndexedImage) -> None:
    data = kmcodec.dumps(image, coding="predicted", effort=3)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        patch.setattr(kernel, "_compiled", None)
        np.testing.assert_array_equal(kmcodec.loads(data).labels, image.labels)


@pytest.mark.usefixtures("no_compiler")
def test_without_a_compiler_one_warning_says_so() -> None:
    image = picture(5, (20, 20), 3)
    with pytest.warns(RuntimeWarning, match="without a C compiler"):
        data = kmcodec.dumps(image)
    with warnings.catch_warnings(action="error"):
        kmcodec.loads(data)


@pytest.mark.parametrize("byte", [int(Parameters(s, b, p)) for s in ContextSet for b in (8, 18) for p in (False, True)])
def test_parameters_are_a_byte(byte: int) -> None:
    assert int(parse_parameters(byte)) == byte


@pytest.mark.parametrize("byte", [0x06, 0x0F, 0xB0, 0xFF])
def test_a_byte_that_no_parameters_have_is_an_error(byte: int) -> None:
    with pytest.raises(FormatError, match="do not exist"):
        parse_parameters(byte)


@pytest.mark.parametrize(("bits", "pixels"), [(8, 1), (9, 512), (18, 1 << 18)])
def test_tables_have_no_more_lines_than_a_strip_has_pixels(bits: int, pixels: int) -> None:
    assert Parameters(ContextSet.DEEP, bits).fit(pixels)
    assert bits == 8 or not Parameters(ContextSet.DEEP, bits).fit(pixels - 1)


@pytest.mark.parametrize("colors", [2, 5, 64, 256, 65536])
@pytest.mark.parametrize("pixels", [1, 255, 256, 300, 511, 1000, 1 << 14, (1 << 14) + 1, 1 << 18, 3 << 20])
def test_every_choice_of_the_encoder_fits_its_strip(pixels: int, colors: int) -> None:
    choices = [all_parameters, fast_parameters, likely_parameters, largest_parameters]
    assert all(parameters.fit(pixels) for choice in choices for parameters in choice(pixels, colors))


@pytest.mark.parametrize("colors", [4, 16, 64, 256])
def test_predicted_coding_is_smaller_than_png_and_webp(sample: np.ndarray, colors: int) -> None:
    image = kmcodec.quantize(sample[100:228, 60:188], colors)
    webp = BytesIO()
    Image.fromarray(image.to_pixels()).save(webp, "WEBP", lossless=True, quality=100, method=6)
    size = len(kmcodec.dumps(image))
    assert size < 0.9 * len(save_image(image, ".png"))
    assert size < webp.tell()


def icons() -> list[kmcodec.IndexedImage]:
    """A 16 × 16 sprite of 8 colours and a 64 × 64 logo of 30."""
    rows, columns = np.mgrid[0:16, 0:16]
    sprite = (np.hypot(rows - 8, columns - 8) // 2 + (rows * 5 + columns * 3) % 11 // 9).astype(int) % 8
    rows, columns = np.mgrid[0:64, 0:64]
    logo = (np.abs(rows - columns) // 9 * 3 + (rows // 8 + columns // 8) % 3 * 5) % 30
    logo[20:44, 20:44] = (np.hypot(rows - 32, columns - 32).astype(int) % 30)[20:44, 20:44]
    palettes = [np.random.default_rng(count).integers(0, 256, (count, 3), np.uint8) for count in (8, 30)]
    return [kmcodec.IndexedImage(*pair) for pair in zip(palettes, (sprite, logo), strict=True)]


@pytest.mark.parametrize("icon", icons(), ids=["16x16", "64x64"])
def test_icons_are_smaller_than_png_and_webp(icon: kmcodec.IndexedImage) -> None:
    webp = BytesIO()
    Image.fromarray(icon.to_pixels()).save(webp, "WEBP", lossless=True, quality=100, method=6)
    size = len(kmcodec.dumps(icon))
    assert size < len(save_image(icon, ".png"))
    assert size < webp.tell()


def test_plain_coding_is_used_where_it_is_smaller() -> None:
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, (256, 3), np.uint8)
    tile = rng.integers(0, 256, (100, 130))
    for labels in (rng.integers(0, 256, (300, 300)), np.tile(tile, (5, 4)), rng.integers(0, 256, (9, 9))):
        data = kmcodec.dumps(kmcodec.IndexedImage(palette, labels))
        assert kmcodec.KmcFile(BytesIO(data)).header.coding is kmcodec.Coding.PLAIN
        assert len(data) <= len(kmcodec.dumps(kmcodec.IndexedImage(palette, labels), coding="plain"))


def test_more_effort_is_not_larger_by_more_than_noise(photo: np.ndarray) -> None:
    image = kmcodec.quantize(photo, 64)
    sizes = [len(kmcodec.dumps(image, effort=effort)) for effort in range(1, 10)]
    assert all(later <= 1.001 * earlier for earlier, later in pairwise(sizes))
    assert sizes[8] < 0.8 * sizes[0]


@pytest.mark.filterwarnings("ignore:kmcodec was installed without a C compiler")
def test_both_models_agree_on_guesses_that_are_too_sure_to_learn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (Path(__file__).parents[1] / "spec/vectors/valid/predicted-sure.kmc").read_bytes()
    compiled = kmcodec.decode(data)
    monkeypatch.setattr(kernel, "_compiled", None)
    np.testing.assert_array_equal(kmcodec.decode(data), compiled)
