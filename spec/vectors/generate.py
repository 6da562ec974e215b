#!/usr/bin/env python3
"""
Writes the vectors: `python generate.py FOLDER` makes valid/, invalid/ and manifest.json in FOLDER.

Bytes are made by hand, field by field, not by an encoder of .kmc files; only the model of predicted coding is that of
the reference decoder beside this folder. zstd frames are made by hand too, of raw and RLE blocks, so that the bytes do
not depend on the version of zstd; the few with compressed blocks are kept in frames.json. What is here is not written
over what is committed unless someone does so, and a test compares the two.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from pathlib import Path
from types import MappingProxyType
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import reference_decoder as reference  # noqa: E402

FRAMES: dict[str, str] = json.loads((HERE / "frames.json").read_text()) if (HERE / "frames.json").exists() else {}
MOST_PICTURE_BYTES = 4096
BY_HAND = "bytes by hand"
FROM_ZSTD = "bytes by hand around frames that zstd 1.5.7 compressed, kept in frames.json"

Rows = list[list[int]]
Palette = Sequence[tuple[int, ...]]


# Pieces, in the order of the specification


def size(value: int) -> bytes:
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def raw_block(data: bytes, *, last: bool = True) -> bytes:
    return (last | len(data) << 3).to_bytes(3, "little") + data


def rle_block(byte: int, count: int, *, last: bool = True) -> bytes:
    return (last | 2 | count << 3).to_bytes(3, "little") + bytes([byte])


def runs(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Bytes and how often they are repeated: single ones as one, or a byte that is there at least eight times."""
    start = 0
    for run in re.finditer(rb"(.)\1{7,131071}", data, re.DOTALL):
        if start < run.start():
            yield data[start : run.start()], 1
        yield run[1], len(run[0])
        start = run.end()
    if start < len(data):
        yield data[start:], 1


def blocks(data: bytes, *, ending: bool = False) -> bytes:
    """zstd blocks, raw or RLE; the last may be an empty one."""
    pieces = [*runs(data), *[(b"", 1)] * (ending or not data)]
    made = b""
    for i, (piece, count) in enumerate(pieces):
        last = i == len(pieces) - 1
        made += raw_block(piece, last=last) if count == 1 else rle_block(piece[0], count, last=last)
    return made


def frame(data: bytes, *, size_bytes: int = 0, window: int | None = None, ending: bool = False) -> bytes:
    """
    A zstd frame without magic number.

    Args:
        data: The content.
        size_bytes: In how many bytes the content size is stored, 1 (not with a window), 2, 4 or 8; 0 for the fewest.
        window: A window descriptor; None for a single segment.
        ending: Whether an empty block is the last.
    """
    fewest = 1 if len(data) < 256 and window is None else 2 if 256 <= len(data) < 65792 else 4
    flag = {1: 0, 2: 1, 4: 2, 8: 3}[size_bytes or fewest]
    content_size = (len(data) - 256 * (flag == 1)).to_bytes(size_bytes or fewest, "little")
    descriptor = bytes([flag << 6 | (window is None) << 5])
    return descriptor + (b"" if window is None else bytes([window])) + content_size + blocks(data, ending=ending)


def stored(data: bytes) -> bytes:
    return min(data, frame(data), key=len)


def match_block(literals: bytes, offset: int) -> bytes:
    """A compressed block of zstd: up to 15 literals, and 34 bytes copied from `offset` bytes back, at most 60."""
    code = (offset + 3).bit_length() - 1
    sequences = b"\x01\x54" + bytes([len(literals), code, 31, offset + 3])  # one; its codes are RLE; then extra bits
    content = bytes([len(literals) << 3]) + literals + sequences
    return (1 | 2 << 1 | len(content) << 3).to_bytes(3, "little") + content


def compressed(name: str, data: bytes, *, instead: Callable[[bytes], bytes] = bytes) -> bytes:
    """A frame that zstd made, from frames.json."""
    WANTED[name] = data
    if name not in FRAMES:
        return instead(data)
    return bytes.fromhex(FRAMES[name])


WANTED: dict[str, bytes] = {}
"""What `compressed` was asked for, for those who make frames.json."""


def deltas(palette: Palette) -> bytes:
    planes = list(zip(*palette, strict=True))
    return bytes((value - before) % 256 for plane in planes for value, before in zip(plane, (0, *plane), strict=False))


def header(
    *,
    width: int,
    height: int,
    palette: Palette,
    coding: int,
    parameter: int,
    strips: list[int],
    strip_height: int = 0,
    metadata: bytes = b"",
    changes: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """A header, of which some fields may be replaced by other bytes."""
    colors = len(palette)
    fields = {
        "signature": b"\x89KMC",
        "version": b"\x01",
        "flags": bytes([(len(palette[0]) == 4) | bool(metadata) << 1]),
        "coding": bytes([coding]),
        "parameter": bytes([parameter]),
        "width": size(width),
        "height": size(height),
        "last_color": size(colors - 1),
        "strip_height": size(strip_height or height),
        "palette_bytes": b"",
        "stored_palette": stored(deltas(palette)),
        "strip_bytes": b"".join(map(size, strips)),
        "metadata": metadata,
    }
    assert changes.keys() <= fields.keys() | {"check"}
    fields |= {name: value for name, value in changes.items() if name != "check"}
    fields["palette_bytes"] = fields["palette_bytes"] or size(len(fields["stored_palette"]))
    body = b"".join(fields.values())
    return body + changes.get("check", u32(zlib.crc32(body)))


def item(kind: int, content: bytes, stored_content: bytes | None = None) -> bytes:
    in_file = stored(content) if stored_content is None else stored_content
    return bytes([kind]) + size(len(content)) + size(len(in_file)) + in_file


def items(*those: bytes) -> bytes:
    return size(len(those)) + b"".join(those)


def pack(labels: list[int], width: int) -> bytes:
    bits = "".join(f"{label:0{width}b}" for label in labels)
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))


def predict(rows: Rows, palette: Palette, parameter: int) -> list[list[int]]:
    """Flags of every stream. A last label that is K or more is tried too, for files that are wrong on purpose."""
    model = reference.Model(len(rows[0]), palette, parameter)
    streams: list[list[int]] = [[] for _ in range(3 if parameter & 8 else 8)]

    def at(x: int, y: int) -> int:
        return rows[y][x] if 0 <= x < len(rows[0]) and y >= 0 else 0

    before = ""
    starts = ends = [0] * len(streams)
    for y, row in enumerate(rows):
        if y > 3 and row == rows[y - 1] == rows[y - 2] == rows[y - 3] == rows[y - 4]:
            learned = repr((model.lines, model.weights, model.flat_lines, model.flat_weights))
            if learned == before:  # the row before taught nothing, so this one, which is the same, has the same flags
                for stream, start, end in zip(streams, starts, ends, strict=True):
                    stream += stream[start:end]
                continue
            before = learned
        starts = [len(stream) for stream in streams]
        for x in model.next_row():
            w = at(x - 1, y)
            is_flat = w == at(x, y - 1) == at(x - 1, y - 1) == at(x + 1, y - 1)
            bits = [int(row[x] == w)] if is_flat else []
            if not is_flat or row[x] != w:
                bits += [row[x] >> i & 1 for i in range(model.b - 1, -1, -1)]
            rest = iter(bits)

            def transfer(stream: int, guess: int, rest: Iterator[int] = rest) -> int:
                bit = next(rest)
                streams[stream].append(bit ^ guess)
                return bit

            if row[x] < len(palette):
                assert model.code(x, transfer) == row[x]
            else:
                try:
                    model.code(x, transfer)
                except reference.FormatError:
                    return streams
        ends = [len(stream) for stream in streams]
    return streams


def gaps_of(flags: list[int]) -> list[int]:
    places = [-1] + [i for i, flag in enumerate(flags) if flag]
    return [here - before - 1 for before, here in pairwise(places)]


def symbols_of(flags: list[int], form: int) -> bytes:
    """What forms 2 and 4 to 7 compress."""
    if form == 2:
        padded = flags[: len(flags) - flags[::-1].index(1)] + [0] * 4
        return bytes(sum(padded[i + j] << j for j in range(5)) for i in range(0, len(padded) - 4, 5))
    longest = (32, 64, 128, 256)[form - 4] - 1
    return b"".join(bytes([longest] * (gap // longest) + [gap % longest]) for gap in gaps_of(flags))


def store_stream(flags: list[int], form: int, squeeze: Callable[[bytes], bytes] = blocks) -> tuple[int, bytes]:
    if 1 not in flags:
        return 0, b""
    if form == 1:
        last = len(flags) - flags[::-1].index(1)
        return 1, bytes(sum(flag << j for j, flag in enumerate(flags[i : min(i + 8, last)])) for i in range(0, last, 8))
    if form == 3:
        return 3, b"".join(map(size, gaps_of(flags)))
    return form, squeeze(symbols_of(flags, form))


def join(streams: list[tuple[int, bytes]]) -> bytes:
    table = b"".join(size(form + 8 * len(data)) for form, data in streams[:-1]) + bytes([streams[-1][0]])
    return table + b"".join(data for _, data in streams)


def smallest(flags: list[int]) -> tuple[int, bytes]:
    """Of the forms 1 to 3, which need no zstd, and RLE blocks of gaps."""
    return min((store_stream(flags, form) for form in (1, 2, 3, 4)), key=lambda stream: len(stream[1]))


def predicted(rows: Rows, palette: Palette, parameter: int) -> bytes:
    return join([smallest(flags) for flags in predict(rows, palette, parameter)])


def check(header_bytes: bytes, number: int, payload: bytes, rows: Rows | None = None, colors: int = 0) -> bytes:
    covered = header_bytes[-4:] + u32(number) + payload
    if rows is not None:
        labels = [label for row in rows for label in row]
        covered += bytes(labels) if colors <= 256 else b"".join(label.to_bytes(2, "little") for label in labels)
    return u32(zlib.crc32(covered))


def file(
    rows: Rows,
    palette: Palette,
    *,
    coding: int = 0,
    parameter: int | None = None,
    strip_height: int = 0,
    payloads: list[bytes] | None = None,
    metadata: bytes = b"",
    changes: Mapping[str, bytes] = MappingProxyType({}),
) -> bytes:
    """A whole file. Without `payloads` the labels are packed and stored raw, or predicted."""
    colors, height = len(palette), len(rows)
    if parameter is None:
        parameter = 0 if coding else (colors - 1).bit_length()
    strips = [rows[top : top + (strip_height or height)] for top in range(0, height, strip_height or height)]
    if colors == 1:
        strips = []
    if payloads is None and coding == 0:
        payloads = [stored(pack([label for row in strip for label in row], parameter)) for strip in strips]
    elif payloads is None:
        payloads = [predicted(strip, palette, parameter) for strip in strips]
    head = header(
        width=len(rows[0]),
        height=height,
        palette=palette,
        coding=coding,
        parameter=parameter,
        strips=[len(payload) + 4 for payload in payloads],
        strip_height=strip_height,
        metadata=metadata,
        changes=changes,
    )
    checks = [
        check(head, number, payload, strip if coding else None, colors)
        for number, (payload, strip) in enumerate(zip(payloads, strips, strict=True))
    ]
    data = head + b"".join(payload + ending for payload, ending in zip(payloads, checks, strict=True))
    PICTURES[data] = rows, palette
    return data


PICTURES: dict[bytes, tuple[Rows, Palette]] = {}
"""What each file was made of."""


# Pictures


class Dice:
    """Pseudo-random numbers that are the same everywhere and for ever (of Numerical Recipes' multiplier)."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, limit: int) -> int:
        self.state = (self.state * 1664525 + 1013904223) % 2**32
        return (self.state >> 8) % limit


def grey(colors: int) -> Palette:
    return [(255 * i // max(1, colors - 1),) * 3 for i in range(colors)]


def numbered(colors: int, channels: int = 3) -> Palette:
    """Colours that count upwards, which raw and RLE blocks store in few bytes."""
    return [(i % 256, i // 256, 7, 255 - i % 4)[:channels] for i in range(colors)]


def mixed(colors: int, channels: int, seed: int) -> Palette:
    dice = Dice(seed)
    return [tuple(dice.below(256) for _ in range(channels)) for _ in range(colors)]


def noise(width: int, height: int, colors: int, seed: int = 1) -> Rows:
    dice = Dice(seed)
    return [[dice.below(colors) for _ in range(width)] for _ in range(height)]


def shapes(width: int, height: int, colors: int, seed: int) -> Rows:
    """Bars, a few specks and a slope: flat ground, edges and surprises. First and last label are there."""
    dice = Dice(seed)
    rows = [[(x // 4 + y // 3) * (colors // 5 + 1) % colors for x in range(width)] for y in range(height)]
    for _ in range(width * height // 10):
        rows[dice.below(height)][dice.below(width)] = dice.below(colors)
    for x in range(width // 2):
        rows[height - 1][x] = x * (colors - 1) // max(1, width // 2 - 1)
    rows[height // 2][width // 2] = colors - 1
    return rows


def specks(width: int, height: int, colors: int, seed: int, every: int) -> Rows:
    """Label 0, and here and there another: long runs of right guesses, and then a wrong one."""
    dice = Dice(seed)
    rows = [[0] * width for _ in range(height)]
    for _ in range(width * height // every):
        rows[dice.below(height)][dice.below(width)] = dice.below(colors)
    return rows


def blank(width: int, height: int) -> Rows:
    return [[0] * width for _ in range(height)]


# Valid files: name, what is covered, bytes, provenance

ICC, EXIF, XMP = b"not a profile, which is nobody's business here", b"II*\0\x08\0\0\0\0\0", b"<x:xmpmeta/>"
TEXT = "Title\0Ein Bild\0Author\0\0\0空".encode()
DENSITY = size(300) + size(1) + size(5000) + size(127)


def valid() -> Iterator[tuple[str, str, bytes, str]]:
    for name, covers, data in (
        *examples(),
        *plain(),
        *stored_data(),
        *with_metadata(),
        *strips(),
        *predictions(),
        *stream_forms(),
    ):
        yield name, covers, data, FROM_ZSTD if "zstd's" in covers else BY_HAND


def examples() -> Iterator[tuple[str, str, bytes]]:
    rows = [[0, 1, 1, 3], [0, 1, 2, 3]]
    palette = [(0, 0, 0), (90, 80, 70), (180, 160, 140), (255, 240, 225)]
    density = items(item(5, 2 * (size(300) + size(1))))
    yield "example-plain", "the example of section 15.1", file(rows, palette, metadata=density)
    yield "example-predicted", "the example of sections 8.13 and 15.2", file(rows, palette, coding=1)


def plain() -> Iterator[tuple[str, str, bytes]]:
    yield "plain-k1", "K = 1: no strips", file(blank(3, 2), [(1, 2, 3)])
    yield "plain-k1-alpha", "K = 1 with alpha, and a large picture in few bytes", file(blank(300, 200), [(9, 8, 7, 0)])
    least = {1: 2, 2: 3, 3: 5, 4: 9, 5: 17, 6: 33, 7: 65, 8: 129, 9: 257, 10: 513, 11: 1025, 12: 2049, 13: 4097}
    least |= {14: 8193, 15: 16385, 16: 32769}
    for bits, colors in least.items():
        rows = noise(5, 3, colors, bits)
        for width in sorted({bits, next(whole for whole in (1, 2, 4, 8, 16) if whole >= bits)}):
            covers = f"labels of {width} bits, K = {colors}" + (", padding" if width % 8 else "")
            yield f"plain-{width}-bits-k{colors}", covers, file(rows, numbered(colors), parameter=width)
    for colors in (255, 256, 65536):
        rows = noise(4, 3, colors, colors)
        rows[0][0] = colors - 1
        yield f"plain-k{colors}", f"K = {colors}, with its last label", file(rows, numbered(colors))
    yield "plain-alpha", "alpha, colours of alpha 0", file(noise(5, 5, 6), [*mixed(6, 4, 1), (255, 0, 0, 0)])
    yield "plain-1x1", "one pixel of two colours", file([[1]], grey(2))
    yield "plain-1x65535", "a column", file([[y // 200 % 2] for y in range(65535)], grey(2))
    yield "plain-65535x1", "a row", file([[x // 300 % 3 for x in range(65535)]], grey(3))
    same = [(5, 5, 5), (5, 5, 5), (0, 0, 0)]
    yield "plain-equal-colours", "a colour that is there twice, one without pixels", file([[0, 1, 1, 0]], same)


def stored_data() -> Iterator[tuple[str, str, bytes]]:
    rows = [[(y // 8 + (x > 59 and y > 35)) % 2 for x in range(64)] for y in range(40)]
    packed = pack([label for row in rows for label in row], 1)
    forms = {
        "content-size-2": ("a content size in two bytes", frame(packed, size_bytes=2)),
        "content-size-4": ("a content size in four bytes", frame(packed, size_bytes=4)),
        "content-size-8": ("a content size in eight bytes", frame(packed, size_bytes=8)),
        "window": ("a window descriptor", frame(packed, window=0x00)),
        "window-least-odd": ("a window descriptor with a mantissa", frame(packed, window=0x07)),
        "window-128mib": ("the largest window", frame(packed, window=17 << 3)),
        "compressed": ("zstd's compressed block, labels", compressed("labels", packed)),
        "empty-block": ("an empty last block", frame(packed, ending=True)),
    }
    copied = b"\x20\x2a" + match_block(LITERALS, len(LITERALS))
    yield "stored-match", "a match that begins at the first byte", file(match_rows(), grey(2), payloads=[copied])
    for name, (covers, payload) in forms.items():
        yield f"stored-{name}", covers, file(rows, grey(2), payloads=[payload])
    few = [[0] * 20, [1] * 12 + [0] * 8]
    short = pack([label for row in few for label in row], 8)
    yield (
        "stored-content-size-1",
        "a content size in one byte",
        file(few, grey(129), parameter=8, payloads=[frame(short)]),
    )
    zeros = blank(16, 16)
    yield "stored-rle", "one RLE block", file(zeros, grey(2), payloads=[frame(bytes(32))])
    ramp: Palette = [(i * 5 % 256, i * i % 256, i // 3) for i in range(100)]
    rows = noise(4, 4, 100)
    yield "palette-raw", "a palette stored as it is", file(rows, ramp, changes={"stored_palette": deltas(ramp)})
    yield (
        "palette-rle",
        "a palette in RLE blocks",
        file(rows, numbered(100), changes={"stored_palette": frame(deltas(numbered(100)))}),
    )
    covers = "a palette in zstd's compressed block"
    yield (
        "palette-compressed",
        covers,
        file(rows, ramp, changes={"stored_palette": compressed("palette", deltas(ramp))}),
    )


LITERALS = bytes(range(1, 9))


def match_rows() -> Rows:
    """The bits of 8 literals and 34 bytes that repeat them."""
    bits = [byte >> i & 1 for byte in (6 * LITERALS)[:42] for i in range(7, -1, -1)]
    return [bits[i : i + 21] for i in range(0, len(bits), 21)]


def with_metadata() -> Iterator[tuple[str, str, bytes]]:
    rows, palette = noise(3, 2, 3), mixed(3, 3, 3)
    kinds = {"icc": (1, ICC), "exif": (2, EXIF), "xmp": (3, XMP), "text": (4, TEXT), "density": (5, DENSITY)}
    for name, (kind, content) in kinds.items():
        yield f"metadata-{name}", f"metadata of kind {kind}", file(rows, palette, metadata=items(item(kind, content)))
    every = [item(kind, content) for kind, content in kinds.values()]
    covers = "all kinds of metadata, of which kinds 6 and 127 are to be ignored"
    unknown = [item(6, b"anything"), item(127, bytes(90), b"no zstd frame")]
    yield "metadata-all", covers, file(rows, palette, metadata=items(*every, *unknown))
    for kind in (6, 127):
        yield f"metadata-{kind}", f"kind {kind}, to be ignored", file(rows, palette, metadata=items(item(kind, b"?!")))
    empty = items(*(item(kind, b"") for kind in (1, 2, 3)), item(4, b"\0"), item(6, b""))
    yield "metadata-empty", "empty contents; an empty text of an empty keyword", file(rows, palette, metadata=empty)
    covers = "K = 1 with metadata, compressed (one RLE block)"
    yield "metadata-k1", covers, file(blank(2, 2), [(1, 2, 3, 4)], metadata=items(item(1, b"\xaa" * 99)))
    covers = "metadata in zstd's compressed block"
    text = "\0".join(f"Key {i}\0Words and words, {i} of them" for i in range(9)).encode()
    packed = items(item(4, text, compressed("text", text)))
    yield "metadata-compressed", covers, file(rows, palette, metadata=packed)
    largest = items(item(5, size(2**32 - 1) + size(1) + size(2**32 - 1) + size(2**32 - 2)))
    yield "metadata-density-largest", "a density of the largest numbers", file(rows, palette, metadata=largest)


def strips() -> Iterator[tuple[str, str, bytes]]:
    rows = specks(128, 300, 5, 3, 900)
    covers = "three strips, the last shorter"
    yield "strips-plain", f"plain coding: {covers}", file(rows, grey(5), strip_height=128)
    one_row = [[(x // 99 + y) % 2 for x in range(16384)] for y in range(3)]
    yield "strips-of-one-row", "strips of one row and the fewest pixels", file(one_row, grey(2), strip_height=1)
    for name, width, height in (("largest", 2048, 2048), ("longer-row", 2**22 + 8, 1)):
        covers = f"a strip of {width} x {height} pixels, {'more than others may have' if height == 1 else 'the most'}"
        zeros = frame(bytes(width * height // 8))
        yield f"strips-{name}", covers, file([[0] * width] * height, grey(2), payloads=[zeros])
    rows = specks(128, 135, 5, 4, 700)
    rows[128][:9] = [4, 4, 4, 0, 0, 1, 2, 3, 4]
    for context_set, table_bits in ((0, 8), (4, 14)):
        data = file(rows, grey(5), coding=1, parameter=context_set | table_bits - 8 << 4, strip_height=128)
        covers = f"predicted coding, set {context_set}, table bits {table_bits}: two strips, the last shorter"
        yield f"strips-predicted-set{context_set}", covers, data


def predictions() -> Iterator[tuple[str, str, bytes]]:
    for context_set, sparse, channels in product(range(5), (0, 1), (3, 4)):
        colors = 6 + 5 * context_set
        data = file(
            shapes(13, 11, colors, context_set),
            mixed(colors, channels, context_set),
            coding=1,
            parameter=context_set | sparse << 3,
        )
        words = ("dense", "sparse")[sparse] + ("-alpha" if channels == 4 else "")
        covers = f"context set {context_set}, {3 if sparse else 8} streams, K = {colors}, {channels} channels"
        yield f"predicted-set{context_set}-{words}", covers, data
    counts = (2, 3, 4, 5, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 255, 256, 257, 512, 513, 1025, 2049, 4097, 8193)
    for i, colors in enumerate((*counts, 16385, 32769, 65536)):
        bits = (colors - 1).bit_length()
        parameter = (0, 4, 1, 3, 2)[i % 5]
        data = file(shapes(12, 9, colors, colors), numbered(colors), coding=1, parameter=parameter)
        covers = f"labels of {bits} bits, K = {colors}, set {parameter}"
        if colors & colors - 1:
            covers += "; where bit 1 leads past K"
        yield f"predicted-k{colors}", covers, data
    tables = {
        "ring": (1, 11, shapes(64, 32, 6, 1), 6, "6⁴ direct lines of four labels"),
        "ring-hashed": (1, 10, shapes(64, 32, 6, 1), 6, "the same, hashed: 6⁴ are more than 2^10"),
        "two-steps": (1, 12, specks(80, 52, 17, 2, 30), 17, "two labels and two steps: 17² · 9 direct lines"),
        "two-steps-hashed": (1, 11, specks(80, 52, 17, 2, 30), 17, "the same, hashed: 17² · 9 are more than 2^11"),
        "graphics": (4, 13, specks(128, 64, 4, 5, 60), 4, "set 4, 4⁴ direct lines beside hashed ones"),
        "largest": (3, 12, specks(64, 64, 3, 6, 100), 3, "as many lines as pixels"),
        "full": (1, 8, shapes(18, 16, 16, 4), 16, "16² direct lines, as many as there may be"),
        "full-two-steps": (0, 8, shapes(18, 16, 28, 5), 28, "28 · 9 direct lines"),
        "two-steps-too-many": (0, 8, shapes(18, 16, 29, 5), 29, "hashed: 29 · 9 are more than 2^8"),
        "two-whole-steps": (0, 9, shapes(26, 20, 33, 6), 33, "two steps of 3 bits each, 33 · 9 direct lines"),
        "three-steps": (0, 12, specks(64, 64, 257, 3, 12), 257, "three steps are hashed, however few the lines"),
    }
    for table_bits, context_set in {15: 1, 16: 2, 17: 4, 18: 0}.items():
        rows = with_meeting_keys(128, 2**table_bits // 128)
        covers = "hashed lines" + "; those of flat flags have 16 bits" * (table_bits > 16)
        tables[f"{table_bits}-bits"] = (context_set, table_bits, rows, 1024, covers)
    for name, (context_set, table_bits, rows, colors, covers) in tables.items():
        parameter = context_set | table_bits - 8 << 4
        yield (
            f"tables-{name}",
            f"{covers}; table bits {table_bits}",
            file(rows, (grey if colors < 1024 else numbered)(colors), coding=1, parameter=parameter),
        )
    yield "predicted-blank", "no guess is wrong", file(blank(9, 7), grey(2), coding=1)
    yield "predicted-1x1", "one pixel", file([[2]], grey(3), coding=1)
    yield (
        "predicted-1x4000",
        "a column",
        file(specks(1, 4000, 2, 7, 1500), grey(2), coding=1),
    )
    yield "predicted-4000x1", "a row", file(specks(4000, 1, 2, 8, 1500), grey(2), coding=1, parameter=4)
    dark: Palette = [(0, 0, 0), (1, 1, 1), (255, 255, 255), (0, 255, 0), (255, 0, 255)]
    covers = "planes between colours one apart, and equal ones"
    yield (
        "predicted-planes",
        covers,
        file(shapes(14, 10, 5, 9), [dark[i] for i in (0, 1, 2, 2, 4)], coding=1, parameter=2),
    )
    clear = [
        (c, 255 - c, c // 2, alpha)
        for c, alpha in zip((0, 60, 120, 180, 240, 255), (0, 1, 128, 254, 255, 0), strict=True)
    ]
    yield "predicted-clear", "colours are multiplied by alpha", file(shapes(14, 10, 6, 4), clear, coding=1, parameter=3)
    rows = noise(20, 20, 8, 12)
    yield "predicted-noise", "noise: the least sure streams, wrong half the time", file(rows, mixed(8, 3, 2), coding=1)
    yield "predicted-saturated", "logits at their limit, by wrong guesses on purpose", in_turns(16, 100, 29_600)
    covers = "flat flags so sure that nothing is learned from them, by wrong guesses on purpose"
    yield "predicted-sure", covers, in_turns(60, 150, 12_000)
    stripes = [[(x % 2) * 3 for x in range(60)] for _ in range(40)]
    for opposed, which in ((False, "largest"), (True, "least")):
        covers = f"weights at their {which}, by labels that are no picture"
        yield f"predicted-weights-{which}", covers, by_one_context(opposed=opposed)
    covers = "stripes: guesses as sure as can be, rates as low as they fall"
    yield "predicted-stripes", covers, file(stripes, grey(4), coding=1, parameter=1)
    yield "predicted-stripes-set4", covers, file(stripes, grey(4), coding=1, parameter=4)


MEETING = ((99, 898), (20, 33), (29, 1014), (571, 780))
"""
Labels W and WW whose second key of the flat flag meets key 0 in tables of 16 bits, but not of 17 or more; the first
meets it in tables of 15 bits, but not of 16.
"""


def with_meeting_keys(width: int, height: int) -> Rows:
    """Label 0, noise of 1024 labels, and flat pixels where keys meet."""
    rows = blank(width, height)
    for y, row in enumerate(noise(40, 18, 1024, 5)):
        rows[height - 20 + y][:40] = row
    for i, (w, ww) in enumerate(MEETING):
        left = 50 + 10 * i
        rows[height - 2][left : left + 6] = [w] * 6
        rows[height - 1][left : left + 6] = [ww, w, w, w, w, w]
    return rows


def rows_of(width: int, height: int, palette: Palette, parameter: int, ones: list[set[int]]) -> Rows:
    """The picture of some flags, of which the places of the ones are given, stream by stream."""
    model = reference.Model(width, palette, parameter)
    used = [0] * len(ones)

    def transfer(stream: int, guess: int) -> int:
        used[stream] += 1
        return guess ^ (used[stream] - 1 in ones[stream])

    return [[model.code(x, transfer) for x in model.next_row()] for _ in range(height)]


def in_turns(width: int, stretch: int, count: int) -> bytes:
    """So many bits are guessed rightly, as many wrongly, and so on: values grow as no picture makes them."""
    parameter, asked = 4, 0
    model = reference.Model(width, grey(2), parameter)
    streams: list[list[int]] = [[] for _ in range(8)]

    def transfer(stream: int, guess: int) -> int:
        nonlocal asked
        asked += 1
        wrong = asked // stretch % 2
        streams[stream].append(wrong)
        return guess ^ wrong

    rows = []
    while asked < count:
        rows.append([model.code(x, transfer) for x in model.next_row()])
    payload = join(
        [min((store_stream(flags, form) for form in (1, 2, 3)), key=lambda s: len(s[1])) for flags in streams]
    )
    return file(rows, grey(2), coding=1, parameter=parameter, payloads=[payload])


def by_one_context(*, opposed: bool) -> bytes:
    """Most bits are what one of the contexts says, or the opposite: its weights go to their limit."""
    width, height, palette, parameter = 64, 128, grey(4), 4 | 2 << 4
    model = reference.Model(width, palette, parameter)
    streams: list[list[int]] = [[] for _ in range(8)]
    dice = Dice(5)
    node = 0

    def transfer(stream: int, guess: int) -> int:
        nonlocal node
        if node == 0 and model.agreement == 7:
            node, bit = 1, int(dice.below(256) < 60)
        else:
            node = node or 1
            cell = model.lines.get((5, model.line(model.contexts[5], 1), node))
            says = cell is not None and cell.logit > 0
            follows = dice.below(256) < 250
            bit = int((says == follows) != opposed)
            node = 2 * node + bit
        streams[stream].append(bit ^ guess)
        return bit

    rows = []
    for _ in range(height):
        row = []
        for x in model.next_row():
            node = 0
            row.append(model.code(x, transfer))
        rows.append(row)
    payload = join([smallest(flags) for flags in streams])
    return file(rows, palette, coding=1, parameter=parameter, payloads=[payload])


def stream_forms() -> Iterator[tuple[str, str, bytes]]:
    rows, palette, parameter = specks(64, 50, 4, 11, 30), grey(4), 0
    streams = predict(rows, palette, parameter)
    for form in range(1, 8):
        payload = join([store_stream(flags, form) for flags in streams])
        covers = f"streams of form {form}, and of form 0 where no flag is 1"
        yield f"form-{form}", covers, file(rows, palette, coding=1, parameter=parameter, payloads=[payload])
    for form in (2, 4, 5, 6, 7):
        counter = iter(range(8))

        def squeeze(data: bytes, form: int = form, counter: Iterator[int] = counter) -> bytes:
            return compressed(f"form {form}, stream {next(counter)}", data, instead=blocks)

        payload = join([store_stream(flags, form, squeeze) for flags in streams])
        covers = f"streams of form {form} in zstd's compressed blocks"
        yield f"form-{form}-compressed", covers, file(rows, palette, coding=1, parameter=parameter, payloads=[payload])
    for form, longest in ((4, 31), (5, 63), (6, 127), (7, 255)):
        for length in sorted({longest, 300 // longest * longest}):
            sparse_rows, sparse_streams = with_gap(length)
            payload = join([store_stream(flags, form) for flags in sparse_streams])
            covers = f"form {form}: {length} zeros, a multiple of {longest}"
            yield (
                f"form-{form}-{length}-zeros",
                covers,
                file(sparse_rows, grey(2), coding=1, parameter=8, payloads=[payload]),
            )
    payload = join([store_stream(flags, (1, 2, 3, 4, 5, 6, 7, 1)[i]) for i, flags in enumerate(streams)])
    yield "form-mixed", "every stream in another form", file(rows, palette, coding=1, parameter=0, payloads=[payload])
    payload = join([store_stream(flags, 4, split_blocks) for flags in streams])
    covers = "blocks: several raw ones, and an empty last one"
    yield "form-4-blocks", covers, file(rows, palette, coding=1, parameter=0, payloads=[payload])
    yield "form-2-largest-block", "form 2 with a block of 128 KiB", with_large_block(1 << 17)
    yield "form-4-most", "form 4 with 7 bytes, the most that 2 · 9 flags allow", with_wrong_guesses(7)
    payload = join([(1, b"\x03"), (0, b""), (0, b"")])
    covers = "a flat flag that says no, and then the label W all the same"
    yield "flat-and-yet-w", covers, file([[0]], grey(2), coding=1, parameter=4 | 8, payloads=[payload])


def with_wrong_guesses(count: int) -> bytes:
    """Of 2 pixels, so many bits are guessed wrongly, the first ones of stream 0, which has form 4."""
    palette, parameter = numbered(256), 4 | 8
    model = reference.Model(2, palette, parameter)
    streams: list[list[int]] = [[], [], []]

    def transfer(stream: int, guess: int) -> int:
        wrong = int(stream == 0 and len(streams[0]) < count)
        streams[stream].append(wrong)
        return guess ^ wrong

    rows = [[model.code(x, transfer) for x in model.next_row()]]
    assert sum(streams[0]) == count
    payload = join([store_stream(flags, 4) for flags in streams])
    return file(rows, palette, coding=1, parameter=parameter, payloads=[payload])


def with_large_block(count: int) -> bytes:
    """Form 2 with so many bytes of 0 in one block, and then others."""
    rows, streams = with_gap(5 * count, 128, 5130)
    fives = symbols_of(streams[-1], 2)
    assert not any(fives[:count])
    large = rle_block(0, count, last=False) + raw_block(fives[count:])
    payload = join([*map(smallest, streams[:-1]), (2, large)])
    return file(rows, grey(2), coding=1, parameter=8, payloads=[payload])


def split_blocks(data: bytes) -> bytes:
    return raw_block(data[:1], last=False) + raw_block(data[1:], last=False) + raw_block(b"")


def with_gap(length: int, width: int = 40, height: int = 10) -> tuple[Rows, list[list[int]]]:
    """A picture, and its flags: in the surest stream so many right guesses precede a wrong one."""
    rows = blank(width, height)
    place = width * height - len(predict(rows, grey(2), 8)[-1]) + length
    rows[place // width][place % width] = 1
    streams = predict(rows, grey(2), 8)
    assert gaps_of(streams[-1])[0] == length
    return rows, streams


# Invalid files: name, rule, error class, what is wrong, bytes


def invalid() -> Iterator[tuple[str, str, str, str, bytes]]:
    truncated = {"R1"}
    unsupported = {"R10", "R25"}
    for rule, name, fault, data in (*of_header(), *of_palette(), *of_metadata(), *of_strips(), *of_streams()):
        error = "FormatError"
        if rule in truncated:
            error = "TruncatedError"
        elif rule in unsupported:
            error = "UnsupportedError"
        elif rule == "R43":
            error = "LimitError"
        yield f"{rule.lower()}-{name}", rule, error, fault, data


Fault = tuple[str, str, str, bytes]
ROWS, PALETTE = [[0, 1, 2], [2, 1, 0]], [(10, 20, 30), (11, 22, 33), (200, 100, 0)]


def plain_with(**changes: bytes) -> bytes:
    return file(ROWS, PALETTE, changes=changes)


def of_header() -> Iterator[Fault]:
    good = plain_with()
    ends = {"empty": 0, "signature": 3, "version": 4, "width": 8, "palette": 15, "check": 24, "strip": len(good) - 1}
    for name, length in ends.items():
        yield "R1", f"ends-{name}", f"the file ends after {length} bytes", good[:length]
    yield "R1", "ends-size", "the file ends within a size", good[:8] + b"\x83"
    yield "R1", "three-bytes", "three bytes that are not those of the signature", b"kmc"
    yield "R1", "no-strip", "the file ends after the header", good[:-6]
    item_of_9 = b"\x01\x01\x09\x09only"
    yield "R1", "ends-metadata", "the file ends within metadata", file(ROWS, PALETTE, metadata=item_of_9)[:-12]
    yield "R2", "long-width", "width 3 in two bytes", plain_with(width=b"\x83\x00")
    yield "R2", "long-zero", "last colour in two bytes", plain_with(last_color=b"\x82\x00")
    yield "R2", "long-strip-bytes", "strip bytes in three bytes", plain_with(strip_bytes=b"\x86\x80\x00")
    yield "R3", "2-to-the-32", "a width of 2^32 + 3", plain_with(width=b"\x83\x80\x80\x80\x10")
    yield "R3", "six-bytes", "2^35 + 2, a size of six bytes", plain_with(height=b"\x82\x80\x80\x80\x80\x01")
    yield "R9", "signature", "the last byte of the signature", plain_with(signature=b"\x89KMD")
    yield "R9", "text", "a text file", b"kmc, or not?\n"
    for version in (0, 2, 255):
        yield "R10", f"version-{version}", f"version {version}", plain_with(version=bytes([version]))
    yield "R10", "version-alone", "version 2, and other bytes", b"\x89KMC\x02"
    for bit in range(2, 8):
        yield "R11", f"flag-{bit}", f"bit {bit} of the flags", plain_with(flags=bytes([1 << bit]))
    for coding in (2, 255):
        for like, good_with in (("plain", plain_with), ("predicted", predicted_with)):
            fault = f"coding {coding}, and else a file of {like} coding"
            yield "R12", f"coding-{coding}-{like}", fault, good_with(coding=bytes([coding]))
    for width in (0, 1, 3, 4, 8, 16):
        rows = [[min(label, (1 << width) - 1) for label in row] for row in ROWS]
        payloads = None if width else [b""]
        data = file(rows, PALETTE, parameter=width, payloads=payloads)
        yield "R13", f"{width}-bits", f"labels of {width} bits, where K = 3 takes 2", data
    of_one = {"width": 2, "height": 2, "palette": [(1, 2, 3)], "strips": []}
    yield "R13", "1-bit-k1", "labels of 1 bit, where K = 1 takes 0", header(coding=0, parameter=1, **of_one)  # type: ignore[arg-type]
    yield "R13", "12-bits", "12 bits, where 9 or 16 are right", file(noise(2, 2, 300), numbered(300), parameter=12)
    yield "R14", "predicted-k1", "predicted coding, K = 1", header(coding=1, parameter=0, **of_one)  # type: ignore[arg-type]
    for context_set in (5, 6, 7):
        yield "R15", f"set-{context_set}", f"context set {context_set}", predicted_with(parameter=bytes([context_set]))
    for bits in (19, 20):
        data = file(blank(256, 2**bits // 256), grey(2), coding=1, parameter=bits - 8 << 4)
        yield "R15", f"table-bits-{bits}", f"table bits {bits}", data
    yield "R15", "table-bits-23", "table bits 23", predicted_with(parameter=b"\xf0")
    yield "R16", "no-width", "width 0, and no labels", file(ROWS, PALETTE, payloads=[b""], changes={"width": b"\x00"})
    yield "R16", "no-height", "height 0", plain_with(height=b"\x00")
    too_many = file([[0, 65536]], numbered(65537), parameter=17)
    yield "R17", "65537-colours", "K = 65 537, and labels of 17 bits", too_many
    yield "R17", "many-colours", "K = 2^32", plain_with(last_color=size(2**32 - 1), parameter=b"\x20")
    yield "R18", "strip-height-0", "strips of 0 rows", plain_with(strip_height=b"\x00")
    yield "R18", "strip-height-3", "strips of 3 rows in a picture of 2", plain_with(strip_height=b"\x03")
    wide = header(width=16384, height=2, palette=[(1, 2, 3)], coding=0, parameter=0, strips=[], strip_height=1)
    yield "R19", "strips-k1", "K = 1, and strips of one row of two", wide
    small = file(blank(127, 258), grey(2), strip_height=129)
    yield "R20", "small-strips", "strips of 127 × 129 = 16 383 pixels", small
    yield "R21", "large-strips", "strips of 2 rows and 4 194 306 pixels", large_strips()
    yield "R22", "tables", "tables of 512 lines for a strip of 6 pixels", predicted_with(parameter=b"\x10")
    rows = blank(90, 91)
    data = file(rows, grey(2), coding=1, parameter=5 << 4)
    yield "R22", "tables-13", "table bits 13 for a strip of 8190 pixels", data
    yield "R28", "check", "another CRC-32 of the header", plain_with(check=bytes(4))
    damaged = bytearray(good)
    damaged[16] ^= 1
    yield "R28", "palette-bit", "a bit of the palette is flipped", bytes(damaged)
    yield "R29", "byte-follows", "a byte follows the last strip", good + b"\x00"
    yield "R29", "byte-follows-k1", "a byte follows the header, K = 1", file(blank(2, 2), [(1, 2, 3)]) + b"\x00"
    vast = header(width=2**32 - 1, height=2**32 - 1, palette=[(1, 2, 3)], coding=0, parameter=0, strips=[])
    yield "R43", "vast", "a valid picture of 1.8 · 10^19 pixels, more than any decoder allows", vast


def large_strips() -> bytes:
    """Two strips, all of label 0."""
    width = 2**21 + 1
    payload = frame(bytes((2 * width + 7) // 8))
    strips = [len(payload) + 4] * 2
    head = header(width=width, height=4, palette=grey(2), coding=0, parameter=1, strips=strips, strip_height=2)
    return head + b"".join(payload + check(head, number, payload) for number in range(2))


def of_palette() -> Iterator[Fault]:
    palette = numbered(100)
    data = deltas(palette)
    good = frame(data)
    rows = noise(4, 2, 100)

    def with_frame(stored_palette: bytes) -> bytes:
        return file(rows, palette, changes={"stored_palette": stored_palette})

    yield "R4", "palette-too-long", "a frame of more than its 300 bytes", with_frame(good[:3] + raw_block(data))
    labels = pack([label for row in ROWS for label in row], 2)
    yield (
        "R4",
        "labels-too-long",
        "2 bytes of labels in a frame of 7",
        plain_with_payload(b"\x20\x02" + raw_block(labels)),
    )
    for name, bit in {"dictionary": 0, "reserved-bit": 3, "unused-bit": 4}.items():
        dictionary = b"\x00" if bit == 0 else b""
        changed = bytes([good[0] | 1 << bit]) + dictionary + good[1:]
        yield "R5", name, f"bit {bit} of the frame's descriptor", with_frame(changed)
    yield (
        "R5",
        "checksum",
        "bit 2 of the frame's descriptor, and a right checksum",
        with_frame(compressed("checksum", data)),
    )
    yield "R5", "no-frame", "no bytes, where 300 are stored", with_frame(b"")
    no_size = b"\x00\x50" + blocks(data)
    yield "R6", "no-content-size", "a frame without content size", with_frame(no_size)
    yield "R6", "less", "a content size of 299", with_frame(frame(data[:-1]))
    yield (
        "R6",
        "claims-more",
        "a content size of 2^40",
        with_frame(b"\xe0" + (2**40).to_bytes(8, "little") + blocks(data)),
    )
    yield "R6", "claims-less", "a content size of 299, but 300 bytes", with_frame(frame(data[:-1])[:3] + blocks(data))
    yield "R7", "window", "a window of 144 MiB", with_frame(frame(data, window=17 << 3 | 1))
    yield "R7", "window-largest", "a window of 3.75 TiB", with_frame(frame(data, window=0xFF))
    yield "R8", "content-missing", "299 of 300 bytes", with_frame(good[:3] + blocks(data[:-1]))
    yield "R8", "content-more", "301 of 300 bytes", with_frame(good[:3] + blocks(data + b"\x01"))
    yield "R8", "ends-early", "the frame ends within a block", with_frame(good[:-1])
    yield "R8", "byte-follows", "a byte follows the frame", with_frame(good + b"\x00")
    yield "R8", "two-frames", "a second, empty frame", with_frame(good + b"\x20\x00\x01\x00\x00")
    yield "R5", "magic-number", "a frame with its magic number", with_frame(b"\x28\xb5\x2f\xfd" + good)
    skippable = b"\x50\x2a\x4d\x18" + u32(0)
    yield "R5", "skippable-frame", "a skippable frame before the frame", with_frame(skippable + good)
    before = b"\x20\x2a" + match_block(LITERALS, len(LITERALS) + 1)
    yield (
        "R8",
        "match-before-start",
        "a match that begins a byte before the first",
        file(match_rows(), grey(2), payloads=[before]),
    )
    yield "R8", "block-type", "a block of the type that is reserved", with_frame(good[:3] + b"\x07\x00\x00")


def plain_with_payload(payload: bytes) -> bytes:
    return file(ROWS, PALETTE, payloads=[payload])


def of_metadata() -> Iterator[Fault]:
    def with_items(count: int, *those: bytes) -> bytes:
        return file(ROWS, PALETTE, metadata=size(count) + b"".join(those))

    yield (
        "R4",
        "item-too-long",
        "a frame of 6 bytes with 1",
        with_items(1, item(1, b"x", b"\x20\x01" + raw_block(b"x"))),
    )
    yield "R4", "unknown-too-long", "2 bytes of content 1, of a kind to be ignored", with_items(1, item(9, b"x", b"xy"))
    yield (
        "R6",
        "item",
        "an ICC profile whose frame claims another size",
        with_items(1, item(1, bytes(50), frame(bytes(51)))),
    )
    yield "R2", "long-item", "an item's size in two bytes", with_items(1, b"\x01\x81\x00\x01x")
    yield "R23", "no-items", "0 items", with_items(0)
    yield "R23", "256-items", "256 items", with_items(256, item(1, b""))
    yield "R24", "kind-0", "kind 0", with_items(1, item(0, b"x"))
    yield "R24", "twice", "kind 1 twice", with_items(2, item(1, b"x"), item(1, b"x"))
    yield "R24", "descending", "kind 3 before kind 2", with_items(2, item(3, b"x"), item(2, b"x"))
    yield "R24", "unknown-twice", "kind 60 twice", with_items(2, item(60, b"x"), item(60, b"x"))
    yield "R25", "kind-128", "kind 128", with_items(1, item(128, b"x"))
    yield "R25", "kind-255", "kind 255 after kind 1", with_items(2, item(1, b"x"), item(255, b"x"))
    yield "R26", "not-utf-8", "a text that is not UTF-8", with_items(1, item(4, b"a\0\xff"))
    yield "R26", "overlong", "a NUL in two bytes", with_items(1, item(4, b"a\0\xc0\x80"))
    yield "R26", "surrogate", "half of a surrogate pair", with_items(1, item(4, b"a\0\xed\xa0\x80"))
    yield "R26", "no-text", "a keyword without its text", with_items(1, item(4, b"a\0b\0c"))
    yield "R26", "empty", "no keyword and no text", with_items(1, item(4, b""))
    densities = {
        "three": (b"\x01\x01\x01", "three numbers"),
        "cut-off": (b"\x01\x01\x01\x80", "the fourth number is cut off"),
        "five": (b"\x01\x01\x01\x01\x01", "five numbers"),
        "numerator-0": (b"\x00\x01\x01\x01", "a numerator of 0"),
        "denominator-0": (b"\x01\x01\x01\x00", "a denominator of 0"),
        "terms": (b"\x02\x04\x01\x01", "2/4"),
        "terms-vertical": (b"\x01\x01\x09\x03", "9/3"),
    }
    for name, (content, fault) in densities.items():
        yield "R27", f"density-{name}", fault, with_items(1, item(5, content))
    yield "R2", "density", "a number of a density in two bytes", with_items(1, item(5, b"\x81\x00\x01\x01\x01"))
    many = b"\x01" + b"\x06" + size(2**32 - 1) + b"\x00"
    yield "R43", "metadata", "metadata of 4 GB, if only claimed", file(ROWS, PALETTE, metadata=many)
    claimed = [bytes([kind]) + size((1 << 25) + 1) + b"\x00" for kind in (6, 7)]
    yield "R43", "ignored", "kinds to be ignored, of 32 MiB and a byte each, if only claimed", with_items(2, *claimed)


def of_strips() -> Iterator[Fault]:
    good = plain_with()
    yield "R30", "check", "another CRC-32 of a strip", good[:-1] + bytes([good[-1] ^ 128])
    yield "R30", "payload-bit", "a bit of the payload is flipped", good[:-5] + bytes([good[-5] ^ 16]) + good[-4:]
    yield "R30", "three-bytes", "a strip of three bytes", plain_with(strip_bytes=b"\x03")[:-6] + bytes(3)
    yield "R30", "no-bytes", "a strip of no bytes", plain_with(strip_bytes=b"\x00")[:-6]
    rows = blank(128, 256)
    two = file(rows, grey(2), strip_height=128)
    half = (len(two) - len(two_header(rows))) // 2
    swapped = two[: -2 * half] + two[-half:] + two[-2 * half : -half]
    yield "R30", "exchanged", "two equal strips exchanged: their numbers do not fit", swapped
    other = file([[2, 1, 0], [0, 1, 2]], PALETTE[::-1])
    yield "R30", "foreign", "a strip of another picture", good[:-6] + other[-6:]
    data = predicted_with()
    yield "R30", "predicted", "another CRC-32 of a predicted strip", data[:-1] + bytes([data[-1] ^ 1])
    head = data[: -len(data_strip())]
    payload = data_strip()[:-4]
    unlabelled = head + payload + check(head, 0, payload)
    yield "R30", "without-labels", "a check that leaves out the labels", unlabelled
    yield "R31", "padding", "the last bit of the padding", plain_with_payload(b"\x18\x61")
    yield "R31", "padding-first", "the first bit of the padding", plain_with_payload(b"\x18\x68")
    labels = [3 if label == 2 else label for row in ROWS for label in row]
    yield "R32", "label-3", "label 3, K = 3", plain_with_payload(pack(labels, 2))
    yield "R32", "label-16-bits", "label 300 in 16 bits, K = 300", file([[300]], numbered(300), parameter=16)
    yield "R42", "label", "the last label is 5, K = 5", file([[0, 1, 2], [3, 4, 5]], grey(5), coding=1)
    yield "R42", "label-first", "the first label is 3, K = 3", file([[3]], grey(3), coding=1)


def two_header(rows: Rows) -> bytes:
    data = file(rows, grey(2), strip_height=128)
    return data[: -2 * (len(stored(pack([0] * 128 * 128, 1))) + 4)]


SIX = [[0, 1, 1], [1, 2, 2]]


def predicted_with(**changes: bytes) -> bytes:
    return file(SIX, PALETTE, coding=1, changes=changes)


def data_strip() -> bytes:
    return predicted_with()[-len(predicted(SIX, PALETTE, 0)) - 4 :]


def of_streams() -> Iterator[Fault]:
    rows, palette = shapes(30, 20, 4, 2), grey(4)
    flags = predict(rows, palette, 8)
    good = [smallest(stream) for stream in flags]
    room = 600 * 3

    def with_payload(payload: bytes) -> bytes:
        return file(rows, palette, coding=1, parameter=8, payloads=[payload])

    def with_stream(form: int, data: bytes, number: int = 0) -> bytes:
        return with_payload(join([*good[:number], (form, data), *good[number + 1 :]]))

    def with_blocks(form: int, symbols: bytes) -> bytes:
        return with_stream(form, blocks(symbols))

    def blank_with(payload: bytes) -> bytes:
        """A picture without a wrong guess: a decoder that takes the stream for an empty one accepts it."""
        return file(blank(30, 20), palette, coding=1, parameter=8, payloads=[payload])

    def blank_with_stream(form: int, data: bytes) -> bytes:
        return blank_with(join([(form, data), (0, b""), (0, b"")]))

    def one_wrong_with(payload: bytes) -> bytes:
        """A picture where the first guess is wrong, and no other."""
        rows = rows_of(30, 20, palette, 8, [{0}, set(), set()])
        return file(rows, palette, coding=1, parameter=8, payloads=[payload])

    def all_wrong_with(fives: bytes) -> bytes:
        """A picture where all guesses of stream 0 are wrong."""
        rows = rows_of(30, 20, palette, 8, [set(range(room)), set(), set()])
        return file(rows, palette, coding=1, parameter=8, payloads=[join([(2, fives), (0, b""), (0, b"")])])

    def zeros_with_blocks(count: int, data: bytes) -> bytes:
        """A picture where so many guesses of stream 0 are wrong, the first ones: gaps of 0."""
        rows = rows_of(30, 20, palette, 8, [set(range(count)), set(), set()])
        return file(rows, palette, coding=1, parameter=8, payloads=[join([(4, data), (0, b""), (0, b"")])])

    def gap_with_stream(gap: int, form: int, begins: bytes) -> bytes:
        """Before the first wrong guess of the last stream so many are right; that stream begins with some bytes."""
        gap_rows, gap_flags = with_gap(gap)
        data = blocks(begins + bytes(gaps_of(gap_flags[-1])[1:]))
        payload = join([*map(smallest, gap_flags[:-1]), (form, data)])
        return file(gap_rows, grey(2), coding=1, parameter=8, payloads=[payload])

    yield "R33", "no-table", "no payload", with_payload(b"")
    yield "R33", "table-cut-off", "the table ends within a size", with_payload(b"\x80")
    yield "R33", "no-last-form", "the table has no last form", with_payload(b"\x00\x00")
    yield "R33", "last-form-8", "the last form is 8", blank_with(b"\x00\x00\x08")
    for form, longest in ((8, 511), (9, 1023)):
        fault = f"the last form is {form}, and the bytes are blocks as with L = {longest}"
        yield "R33", f"last-form-{form}-blocks", fault, gap_with_stream(5, form, b"\x05")
    yield "R33", "streams-cut-off", "a stream of 9 bytes, where 1 follows", one_wrong_with(b"\x49\x00\x00\x01")
    yield "R2", "stream-table", "a size of the table of streams in two bytes", blank_with(b"\x80\x00\x00\x00")
    yield "R3", "stream-table", "a size of the table of streams of 2^32", blank_with(b"\x80\x80\x80\x80\x10\x00\x00")
    yield "R34", "bytes", "form 0 with a byte", blank_with_stream(0, b"\x01")
    yield (
        "R34",
        "last-stream",
        "the last stream has form 0 and a byte",
        blank_with(join([(0, b"")] * 2 + [(0, b"\x01")])),
    )
    yield "R35", "no-bytes", "form 1 without bytes", blank_with_stream(1, b"")
    yield "R35", "last-byte-0", "form 1 whose last byte is 0", with_stream(1, store_stream(flags[0], 1)[1] + b"\x00")
    fives = symbols_of(flags[0], 2)
    yield "R36", "no-bytes", "form 2 without bytes", blank_with_stream(2, blocks(b""))
    yield "R36", "byte-32", "form 2 with a byte of 32", with_blocks(2, bytes([fives[0] | 32]) + fives[1:])
    yield "R36", "last-byte-0", "form 2 whose last byte is 0", with_blocks(2, fives + b"\x00")
    yield "R37", "no-bytes", "form 3 without bytes", blank_with_stream(3, b"")
    yield "R37", "cut-off", "form 3 ends within a size", with_stream(3, store_stream(flags[0], 3)[1] + b"\x80")
    for rule, fault, data in (("R2", "in two bytes", b"\x80\x00"), ("R3", "of 2^32", b"\x80\x80\x80\x80\x10")):
        payload = join([(3, data), (0, b""), (0, b"")])
        yield rule, "gap", f"a number of form 3 {fault}", one_wrong_with(payload)
    for form, longest in ((4, 31), (5, 63), (6, 127), (7, 255)):
        gaps = symbols_of(flags[0], form)
        yield "R38", f"form-{form}-no-bytes", f"form {form} without bytes", blank_with_stream(form, blocks(b""))
        goes_on = f"form {form} whose last byte is {longest}"
        yield "R38", f"form-{form}-goes-on", goes_on, with_blocks(form, gaps + bytes([longest]))
        if longest < 255:
            above = f"form {form} with a byte of {longest + 1}"
            alone = gap_with_stream(longest + 1, form, bytes([longest + 1]))
            yield "R38", f"form-{form}-byte", above, alone
            followed = gap_with_stream(longest + 1, form, bytes([longest + 1, 0]))
            yield "R38", f"form-{form}-byte-goes-on", f"{above}, as if it went on", followed
    yield "R39", "gaps", "form 4 with 8 bytes, where 2 · 9 flags allow 7", with_wrong_guesses(8)
    cut = blocks(fives)[:-1]
    yield "R40", "cut-off", "blocks that are cut off", with_stream(2, cut)
    yield "R40", "byte-follows", "a byte follows the blocks", with_stream(2, blocks(fives) + b"\x00")
    yield "R40", "no-blocks", "form 4 without blocks", blank_with_stream(4, b"")
    yield "R40", "no-last-block", "no block is the last", with_stream(2, raw_block(fives, last=False))
    yield "R40", "block-type", "a block of the type that is reserved", with_stream(2, b"\x07\x00\x00")
    match = match_block(bytes(8), 9)
    yield "R40", "match-before-start", "a match that begins a byte before the first", zeros_with_blocks(42, match)
    yield "R40", "large-block", "a block of 128 KiB and a byte", with_large_block((1 << 17) + 1)
    yield (
        "R41",
        "bomb",
        "blocks of 128 KiB of flags, of which there are 1800 at most",
        all_wrong_with(rle_block(31, 1 << 17)),
    )
    for number in range(3):
        longer = [*flags[number], 1]
        for form in (1, 2, 3, 4):
            made = store_stream(longer, form)
            fault = f"a 1 more in stream {number}, form {form}"
            yield "R41", f"stream-{number}-form-{form}", fault, with_stream(*made, number)
    yield "R41", "far", f"a 1 after {room} flags", blank_with_stream(3, size(room))
    yield "R41", "billions", "a 1 after 2^32 − 1 flags", blank_with_stream(3, size(2**32 - 1))


# Output


def pam(width: int, height: int, channels: int) -> bytes:
    """The header of a picture in Netpbm's PAM."""
    kind = "RGB" if channels == 3 else "RGB_ALPHA"
    return f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {channels}\nMAXVAL 255\nTUPLTYPE {kind}\nENDHDR\n".encode()


LEGEND = {
    "valid": "files that a decoder must decode",
    "invalid": "files that a decoder must reject",
    "name": "the file is NAME.kmc in the folder of the part",
    "covers": "what it is there for",
    "width, height, channels": "of the picture; 3 channels are RGB, 4 are RGBA with straight alpha",
    "samples_sha256": "SHA-256 of the samples: u8, pixel after pixel, row after row, without a header or gaps; where "
    "they take no more than 4096 bytes, NAME.pam beside the file has them",
    "metadata": "contents of the kinds 1 to 5, decompressed and in hexadecimal, by kind; other kinds are not listed",
    "rule, error": "the rule of kmc.md that it breaks, and the class of the error",
    "fault": "in words",
    "also": "rules that it breaks too, because no file, or no small one, breaks the rule alone",
    "limits": "for R43: limits that the file exceeds; give them to the decoder if it has none, or higher ones",
    "provenance": "how the bytes were made",
}
"""What the fields of the manifest mean."""

ALSO = {
    "r15-table-bits-23": ["R22"],
    "r16-no-height": ["R18"],
    "r17-many-colours": ["R6"],
    "r18-strip-height-0": ["R20"],
    "r23-256-items": ["R1"],
    "r40-no-blocks": ["R38"],
}
"""Rules that files break beside their own, where there is no way around it."""

LIMITS = {"pixels": reference.MOST_PIXELS, "metadata_bytes": reference.MOST_METADATA}


def metadata_of(data: bytes) -> dict[int, bytes]:
    return reference.decode_header(reference.Source(data)).metadata


def write(folder: Path) -> None:
    entries: dict[str, list[dict[str, Any]]] = {"valid": [], "invalid": []}
    for name, covers, data, provenance in valid():
        write_new(folder / "valid" / f"{name}.kmc", data)
        rows, palette = PICTURES[data]
        colors = [bytes(color) for color in palette]
        samples = b"".join(colors[label] for row in rows for label in row)
        channels = len(palette[0])
        entry = {
            "name": name,
            "covers": covers,
            "width": len(rows[0]),
            "height": len(rows),
            "channels": channels,
            "samples_sha256": hashlib.sha256(samples).hexdigest(),
            "metadata": {str(kind): content.hex() for kind, content in metadata_of(data).items()},
            "provenance": provenance,
        }
        if len(samples) <= MOST_PICTURE_BYTES:
            write_new(folder / "valid" / f"{name}.pam", pam(len(rows[0]), len(rows), channels) + samples)
        entries["valid"].append(entry)
    for name, rule, error, fault, data in invalid():
        write_new(folder / "invalid" / f"{name}.kmc", data)
        provenance = FROM_ZSTD if name == "r5-checksum" else BY_HAND
        entry = {"name": name, "rule": rule, "error": error, "fault": fault, "provenance": provenance}
        if name in ALSO:
            entry["also"] = ALSO[name]
        if rule == "R43":
            entry["limits"] = LIMITS
        entries["invalid"].append(entry)
    write_new(folder / "manifest.json", one_line_each(entries).encode())


def one_line_each(entries: dict[str, list[dict[str, Any]]]) -> str:
    """The manifest: its legend, and an entry a line."""
    parts = [f'"legend": {json.dumps(LEGEND, ensure_ascii=False, indent=1)}'] + [
        f'"{part}": [\n' + ",\n".join(json.dumps(entry, ensure_ascii=False) for entry in those) + "\n]"
        for part, those in entries.items()
    ]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def write_new(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        stream.write(data)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: generate.py FOLDER (which must not have vectors yet)")
    write(Path(sys.argv[1]))
