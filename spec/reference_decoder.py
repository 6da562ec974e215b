#!/usr/bin/env python3
"""
Reference decoder of .kmc files: kmc.md as a program, in its order and with its section numbers.

    python reference_decoder.py FILE > PICTURE

writes a PPM file, or a PAM file where the picture has alpha. Python and the zstandard package are all it needs. It is
made to be read, and to tell right from wrong; it takes a millisecond a pixel.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import gcd, isqrt
from pathlib import Path

import zstandard

# 2 Conventions: errors (2.6), sizes (2.3), stored data (2.5)


class DecodeError(ValueError):
    """No picture can be had from these bytes."""


class FormatError(DecodeError):
    """They break a rule of the format."""


class TruncatedError(FormatError):
    """They end too early."""


class UnsupportedError(DecodeError):
    """They may be right, but for a later version of the format."""


class LimitError(DecodeError):
    """They ask for more than this decoder will do."""


MOST_PIXELS = 1 << 28
MOST_METADATA = 1 << 26
MOST_WINDOW = 1 << 27


def require(condition: bool, rule: str) -> None:
    if not condition:
        raise FormatError(rule)


class Source:
    """Bytes, read one after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.position

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise TruncatedError(f"R1: {count} bytes at {self.position}, where {self.left} are left")
        self.position += count
        return self.data[self.position - count : self.position]

    def u8(self) -> int:
        return self.take(1)[0]

    def size(self) -> int:
        value = 0
        for i in range(5):
            byte = self.u8()
            value += (byte & 127) << 7 * i
            if byte < 128:
                require(byte > 0 or i == 0, "R2: a size in its shortest form")
                require(value < 1 << 32, "R3: a size below 2^32")
                return value
        raise FormatError("R3: a size of at most 5 bytes")


def unstore(stored: bytes, n: int) -> bytes:
    require(len(stored) <= n, "R4: stored data is not longer than the data")
    if len(stored) == n:
        return stored
    require(len(stored) > 0 and stored[0] & 0x1F == 0, "R5: no dictionary, no checksum, no other bits")
    magicless = zstandard.FORMAT_ZSTD1_MAGICLESS
    try:
        frame = zstandard.get_frame_parameters(stored, format=magicless)
        require(frame.content_size == n, "R6: the content size is that of the data")
        require(stored[0] & 0x20 != 0 or frame.window_size <= MOST_WINDOW, "R7: a window of at most 128 MiB")
        return zstandard.ZstdDecompressor(format=magicless).decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FormatError(f"R7, R8: one whole zstd frame and nothing else ({error})") from None


# 3 File


@dataclass
class Picture:
    width: int
    height: int
    colors: int = 0
    channels: int = 3
    coding: int = 0
    parameter: int = 0
    strip_height: int = 0
    palette: list[tuple[int, ...]] = field(default_factory=list)
    strip_bytes: list[int] = field(default_factory=list)
    metadata: dict[int, bytes] = field(default_factory=dict)
    check: bytes = b""
    labels: list[list[int]] = field(default_factory=list)

    def samples(self) -> bytes:
        return b"".join(bytes(self.palette[label]) for row in self.labels for label in row)


def decode(data: bytes) -> Picture:
    source = Source(data)
    picture = decode_header(source)
    require(source.left <= sum(picture.strip_bytes), "R29: nothing follows the last strip")
    if picture.colors == 1:
        picture.labels = [[0] * picture.width] * picture.height
    for number, count in enumerate(picture.strip_bytes):
        rows = min(picture.strip_height, picture.height - number * picture.strip_height)
        picture.labels += decode_strip(picture, number, rows, source.take(count))
    return picture


def decode_header(source: Source) -> Picture:
    require(source.take(4) == b"\x89KMC", "R9: the signature")
    version = source.u8()
    if version != 1:
        raise UnsupportedError(f"R10: version {version}")
    flags, coding, parameter = source.u8(), source.u8(), source.u8()
    width, height, colors, strip_height = source.size(), source.size(), source.size() + 1, source.size()
    picture = Picture(width, height, colors, 3 + (flags & 1), coding, parameter, strip_height)
    require(flags < 4, "R11: the other flags are zero")
    require(coding <= 1, "R12: the coding exists")
    require(width > 0 and height > 0, "R16: width and height are not zero")
    if width * height > MOST_PIXELS:
        raise LimitError(f"R43: {width * height} pixels")
    require(colors <= 65536, "R17: at most 65 536 colours")
    require(1 <= strip_height <= height, "R18: strips are of 1 to all rows")
    pixels = strip_height * width
    if colors == 1:
        require(strip_height == height, "R19: a picture of one colour has no strips")
    else:
        require(strip_height >= height or pixels >= 1 << 14, "R20: strips are not too small")
        require(strip_height == 1 or pixels <= 1 << 22, "R21: strips are not too large")
    if coding == 0:
        require(parameter in widths(colors), "R13: a width that fits the number of colours")
    else:
        require(colors > 1, "R14: no predicted coding of one colour")
        require(parameter & 7 <= 4 and parameter >> 4 <= 10, "R15: a context set and table bits that exist")
        require(1 << (parameter >> 4) + 8 <= max(256, pixels), "R22: tables are not too large")
    picture.palette = decode_palette(stored_bytes(source, colors * picture.channels), colors)
    if colors > 1:
        picture.strip_bytes = [source.size() for _ in range(-(-height // strip_height))]
    if flags & 2:
        picture.metadata = decode_metadata(source)
    expected = zlib.crc32(source.data[: source.position])
    picture.check = source.take(4)
    require(int.from_bytes(picture.check, "little") == expected, "R28: the header's check")
    return picture


def stored_bytes(source: Source, n: int) -> bytes:
    """Stored data of n bytes after its own length."""
    count = source.size()
    require(count <= n, "R4: stored data is not longer than the data")
    return unstore(source.take(count), n)


# 4 Palette


def decode_palette(deltas: bytes, colors: int) -> list[tuple[int, ...]]:
    planes = []
    for start in range(0, len(deltas), colors):
        plane, value = [], 0
        for delta in deltas[start : start + colors]:
            value = (value + delta) % 256
            plane.append(value)
        planes.append(plane)
    return list(zip(*planes, strict=True))


# 5 Metadata


def decode_metadata(source: Source) -> dict[int, bytes]:
    count = source.size()
    require(1 <= count <= 255, "R23: 1 to 255 items")
    metadata: dict[int, bytes] = {}
    last = total = 0
    for _ in range(count):
        kind = source.u8()
        require(kind > last, "R24: kinds ascend from 1")
        if kind > 127:
            raise UnsupportedError(f"R25: metadata of kind {kind}")
        last, size = kind, source.size()
        total += size
        if total > MOST_METADATA:
            raise LimitError(f"R43: {total} bytes of metadata")
        if kind <= 5:
            metadata[kind] = stored_bytes(source, size)
            check_metadata(kind, metadata[kind])
        else:
            count = source.size()
            require(count <= size, "R4: stored data is not longer than the data")
            source.take(count)
    return metadata


def check_metadata(kind: int, content: bytes) -> None:
    try:
        if kind == 4:
            require(content.decode().count("\0") % 2 == 1, "R26: a text for each keyword")
        if kind == 5:
            source = Source(content)
            terms = [source.size() for _ in range(4)]
            require(source.left == 0, "R27: four sizes")
            require(all(terms) and gcd(*terms[:2]) == gcd(*terms[2:]) == 1, "R27: fractions in lowest terms")
    except UnicodeDecodeError:
        raise FormatError("R26: text is UTF-8") from None
    except TruncatedError:
        raise FormatError("R27: four sizes") from None


# 6 Strips


def decode_strip(picture: Picture, number: int, rows: int, strip: bytes) -> list[list[int]]:
    require(len(strip) >= 4, "R30: a strip has a check")
    payload, check = strip[:-4], strip[-4:]
    covered = picture.check + number.to_bytes(4, "little") + payload
    if picture.coding == 0:
        labels = decode_plain(payload, picture.width * rows, picture.parameter, picture.colors)
    else:
        labels = decode_predicted(payload, rows, picture)
        covered += b"".join(label.to_bytes(1 if picture.colors <= 256 else 2, "little") for label in labels)
    require(int.from_bytes(check, "little") == zlib.crc32(covered), "R30: the strip's check")
    return [labels[start : start + picture.width] for start in range(0, len(labels), picture.width)]


# 7 Plain coding


def widths(colors: int) -> set[int]:
    bits = (colors - 1).bit_length()
    return {bits, min(width for width in (0, 1, 2, 4, 8, 16) if width >= bits)}


def decode_plain(payload: bytes, count: int, bits: int, colors: int) -> list[int]:
    packed = unstore(payload, (count * bits + 7) // 8)
    padding = -count * bits % 8
    require(packed[-1] % (1 << padding) == 0, "R31: padding is zero")
    labels = []
    for i in range(count):
        start, end = i * bits, (i + 1) * bits  # of the label, counted in bits
        covering = packed[start // 8 : (end + 7) // 8]
        labels.append((int.from_bytes(covering, "big") >> -end % 8) % (1 << bits))
    require(max(labels) < colors, "R32: labels are below K")
    return labels


# 8 Predicted coding: streams (8.2)


def decode_predicted(payload: bytes, rows: int, picture: Picture) -> list[int]:
    model = Model(picture.width, picture.palette, picture.parameter)
    try:
        flags = decode_streams(Source(payload), 3 if model.sparse else 8, picture.width * rows * (model.b + 1))
    except TruncatedError as error:
        raise FormatError(f"R33, R37: {error}") from None
    used = [0] * len(flags)

    def transfer(stream: int, guess: int) -> int:
        wrong = used[stream] in flags[stream]
        used[stream] += 1
        return guess ^ wrong

    labels = [model.code(x, transfer) for _ in range(rows) for x in model.next_row()]
    require(
        all(max(ones, default=-1) < count for ones, count in zip(flags, used, strict=True)),
        "R41: no wrong guess is left",
    )
    return labels


def decode_streams(source: Source, count: int, most_flags: int) -> list[set[int]]:
    """For each stream the places of its ones."""
    table = []
    for _ in range(count - 1):
        value = source.size()
        table.append((value % 8, value // 8))
    last_form = source.u8()
    require(last_form < 8, "R33: the last form exists")
    table.append((last_form, source.left - sum(length for _, length in table)))
    require(table[-1][1] >= 0, "R33: the streams fill the payload")
    return [decode_stream(form, source.take(length), most_flags) for form, length in table]


def decode_stream(form: int, data: bytes, most_flags: int) -> set[int]:
    if form == 0:
        require(not data, "R34: no bytes")
        return set()
    if form == 1:
        require(len(data) > 0 and data[-1] > 0, "R35: the last byte is not zero")
        return ones_of(data, 8)
    if form == 2:
        fives = expand(data, most_flags // 5 + 1, "R36, R41")
        require(len(fives) > 0 and fives[-1] > 0 and max(fives) < 32, "R36: bytes of five flags, the last not zero")
        return ones_of(fives, 5)
    gaps = []
    if form == 3:
        require(len(data) > 0, "R37: at least one gap")
        source = Source(data)
        while source.left:
            gaps.append(source.size())
    else:
        longest = (1 << form + 1) - 1
        symbols = expand(data, most_flags // 3 + 1, "R39")
        require(len(symbols) > 0 and max(symbols) <= longest and symbols[-1] < longest, "R38: gaps")
        gap = 0
        for symbol in symbols:
            gap += symbol
            if symbol < longest:
                gaps.append(gap)
                gap = 0
    ones, place = set(), -1
    for gap in gaps:
        place += gap + 1
        ones.add(place)
    return ones


def ones_of(data: bytes, flags_a_byte: int) -> set[int]:
    return {i * flags_a_byte + j for i, byte in enumerate(data) for j in range(flags_a_byte) if byte >> j & 1}


def expand(blocks: bytes, most: int, rule: str) -> bytes:
    """Byte by byte, for libzstd would neither stop at a limit nor say where the frame ends."""
    decompressor = zstandard.ZstdDecompressor(format=zstandard.FORMAT_ZSTD1_MAGICLESS, max_window_size=1 << 20)
    frame = decompressor.decompressobj()
    data = bytearray()
    try:
        for byte in b"\x00\x50" + blocks:
            require(not frame.eof, "R40: nothing follows the last block")
            data += frame.decompress(bytes([byte]))
            require(len(data) <= most, f"{rule}: no more bytes than flags allow")
    except zstandard.ZstdError as error:
        raise FormatError(f"R40: undamaged blocks ({error})") from None
    require(frame.eof, "R40: a last block")
    return bytes(data)


# The model: labels (8.3), neighbours (8.4)

M = (
    *(0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 0x27D4EB2F, 0x165667B1, 0x2545F491, 0x9FB21C65, 0xD6E8FEB9, 0xA0761D65),
    *(0xE7037ED1, 0x8EBC6AF1, 0x589965CD, 0x1D8E4E27, 0xEB44ACCB, 0x3C6EF373, 0xBB67AE85, 0xCC9E2D51, 0x1B873593),
    0xE6546B65,
)
W, N, NW, NE, WW, NN, NNE = (-1, 0), (0, -1), (-1, -1), (1, -1), (-2, 0), (0, -2), (1, -2)
T19 = (
    *((0, -1), (0, -2), (-1, -1), (1, -1), (1, -2), (-2, -1), (2, -1), (-1, -2), (0, -3), (-3, -1), (3, -1)),
    *((-2, -2), (2, -2), (-1, -3), (1, -3), (-1, 0), (-2, 0), (-3, 0), (-4, 0)),
)
T10 = (0, 1, 2, 3, 4, 5, 6, 7, 15, 16)
Context = str | tuple[tuple[int, int], ...]
CONTEXT_SETS: tuple[tuple[Context, ...], ...] = (
    ((W,), (N,), (NE,), (NW,)),
    ((W, WW), (N, NN), (W, N, NW, NE)),
    ("colour5", (NE,), (NW,), (W, WW), (N, NN)),
    ("colour5", (W,), (N,), (NE,), (NW,), (W, WW), (N, NN)),
    ("colour4", (W, WW), (N, NN), (W, N, NW, NE), "template10", "template19"),
)


def limit(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))


def sat(value: int) -> int:
    return limit(value, -32768, 32767)


@dataclass
class Cell:
    """Logit and rate of a node in a line (8.7)."""

    logit: int
    rate: int

    def learn(self, error: int, least_rate: int, lowest: int = -32768) -> None:  # 8.11
        self.logit = limit(self.logit + (error * self.rate >> 16), lowest, 32767)
        self.rate -= self.rate * (self.rate - least_rate) >> 16


class Model:
    def __init__(self, width: int, palette: Sequence[tuple[int, ...]], parameter: int) -> None:
        self.width, self.K = width, len(palette)
        self.set, self.sparse, self.table_bits = parameter & 7, parameter >> 3 & 1, (parameter >> 4) + 8
        self.b = (self.K - 1).bit_length()
        self.s = 3 if self.b in (1, 2, 3, 5, 6, 9) else 4
        self.colors = [[c * (color[3] if len(color) == 4 else 255) // 255 for c in color[:3]] for color in palette]
        self.rows = [[0] * (width + 7) for _ in range(4)]
        self.contexts = CONTEXT_SETS[self.set]
        self.color_input = self.set < 4
        self.rates, self.shift = ((10000, 1000), 4) if self.color_input else ((20000, 1600), 3)
        self.lines: dict[tuple[int, int, int], Cell] = {}
        self.weights: dict[tuple[int, int], list[int]] = {}
        self.flat_tables = 3 if self.color_input else 4
        self.flat_lines: dict[tuple[int, int], Cell] = {}
        self.flat_weights = [[40960 // self.flat_tables] * self.flat_tables for _ in range(8)]
        self.planes = dividing_planes(self.colors, self.b) if self.color_input else []

    def next_row(self) -> range:
        self.rows = [[0] * (self.width + 7), *self.rows[:3]]
        return range(self.width)

    def at(self, place: tuple[int, int]) -> int:
        return self.rows[-place[1]][self.x + 4 + place[0]]

    def code(self, x: int, transfer: Callable[[int, int], int]) -> int:
        """Decode the label at x of the current row; `transfer` gives the bit for a stream and a guess."""
        self.x = x
        w, n, nw, ne = (self.at(place) for place in (W, N, NW, NE))
        self.agreement = (w == n) + 2 * (n == ne) + 4 * (w == nw)
        label = w if self.agreement == 7 and self.code_flat(w, transfer) else self.code_label(transfer)
        self.rows[0][x + 4] = label
        return label

    # Colour (8.5), keys (8.6), lines (8.7)

    def look_at_colors(self) -> None:
        difference = 0
        self.four: list[int] = []
        for w, n, nw, ne in zip(*(self.colors[self.at(place)] for place in (W, N, NW, NE)), strict=True):
            self.four.append(2 * sorted((w, n, w + n - nw))[1] + w + ne)
            difference += abs(w - nw) + abs(n - nw) + abs(n - ne)
        self.activity = min(2047, difference).bit_length()

    def key(self, context: Context) -> int:
        if context == "colour4":
            return sum((four >> 6) << 4 * i for i, four in enumerate(self.four)) + (self.activity << 12)
        if context == "colour5":
            return sum((four >> 5) << 5 * i for i, four in enumerate(self.four)) + (self.activity >> 1 << 15)
        if isinstance(context, str):
            return self.template(T10 if context == "template10" else range(19))
        factors: Sequence[int] = [self.K**i for i in range(4)] if self.is_direct(context) else M
        return sum(self.at(place) * factor for place, factor in zip(context, factors, strict=False)) & 0xFFFFFFFF

    def template(self, entries: range | tuple[int, ...]) -> int:
        return sum(self.at(T19[i]) * M[i] for i in entries) & 0xFFFFFFFF

    def is_direct(self, context: Context) -> bool:
        keys = self.K ** len(context)
        lines = keys if self.b <= self.s else keys * (1 + (1 << self.s))
        return not isinstance(context, str) and self.b <= 2 * self.s and lines <= 1 << self.table_bits

    def line(self, context: Context, prefix: int) -> int:
        key = self.key(context)
        if self.is_direct(context):
            keys: int = self.K ** len(context)
            return key if prefix == 1 else keys + (key - 1 << self.s) + prefix
        return hashed(key if prefix == 1 else key + prefix * M[4], self.table_bits)

    # Colour input (8.8), mixing (8.9), the flag (8.10)

    def color_logit(self, node: int) -> int:
        units, middle = self.planes[node]
        side = sum(unit * 32 * four >> 16 for unit, four in zip(units, self.four, strict=True)) - middle
        return 16 * limit(side, -2047, 2047)

    def weight_set(self, step: int, prefix: int) -> int:
        if step == 0:
            return self.activity if self.color_input else self.agreement
        level = (self.activity > 4) + (self.activity > 6) if self.color_input else 0
        return 16 + ((step - 1) * 16 + prefix % 16) * 3 + level

    def code_label(self, transfer: Callable[[int, int], int]) -> int:
        self.look_at_colors()
        prefix = 1
        for step, first in enumerate(range(0, self.b, self.s)):
            lines = [self.line(context, prefix) for context in self.contexts]
            weight_set, node, whole = self.weight_set(step, prefix), 1, prefix
            for depth in range(first, min(first + self.s, self.b)):
                places = [(table, line, node) for table, line in enumerate(lines)]
                cells = [self.lines.setdefault(place, Cell(0, self.rates[0])) for place in places]
                logits = [cell.logit for cell in cells]
                if self.color_input:
                    logits.append(self.color_logit(whole))
                weights = self.weights.setdefault((weight_set, node), self.first_weights())
                d = logits[0] * weights[0] >> 16
                for logit, weight in zip(logits[1:], weights[1:], strict=True):
                    d = sat(d + (logit * weight >> 16))
                d = limit(d, -8191, 8191)
                if ((2 * whole + 1) << self.b - depth - 1) - (1 << self.b) >= self.K:
                    d = -8191
                bit = transfer(self.stream(d), int(d >= 0))
                e = error(d, bit)
                for i, logit in enumerate(logits):
                    weights[i] = sat(weights[i] + ((logit * e >> 16) + (1 << self.shift - 1) >> self.shift))
                for cell in cells:
                    cell.learn(e, self.rates[1])
                node, whole = 2 * node + bit, 2 * whole + bit
            prefix = whole
        label = prefix - (1 << self.b)
        require(label < self.K, "R42: labels are below K")
        return label

    def first_weights(self) -> list[int]:
        tables = len(self.contexts)
        return [(40960 if self.color_input else 65536) // tables] * tables + [4096] * self.color_input

    def stream(self, d: int) -> int:
        limits = (12, 31) if self.sparse else (7, 17, 28, 41, 57, 79, 111)
        return sum(abs(d) >> 6 > most for most in limits)

    # Flat (8.12)

    def code_flat(self, w: int, transfer: Callable[[int, int], int]) -> int:
        ww, nn, nne = self.at(WW), self.at(NN), self.at(NNE)
        keys = [w * M[0] + ww * M[1] + nn * M[2] + nne * M[3], w * M[0] + ww * M[1], w * M[0] + nn * M[2]]
        if self.flat_tables == 4:
            keys.append(self.template(range(19)))
        lines = [hashed(key, min(self.table_bits, 16)) for key in keys]
        cells = [self.flat_lines.setdefault((i, line), Cell(0, 20000)) for i, line in enumerate(lines)]
        weights = self.flat_weights[(ww == w) + 2 * (nn == w) + 4 * (nne == w)]
        d = sum(cell.logit * weight >> 16 for cell, weight in zip(cells, weights, strict=True))
        d = limit(d, -8191, 8191)
        bit = transfer(self.stream(d), int(d >= 0))
        if bit != (d >= 0) or abs(d) <= 7423:
            e = error(d, bit)
            for i, cell in enumerate(cells):
                weights[i] = limit(weights[i] + ((cell.logit * e >> 16) + 4 >> 3), -32767, 32767)
                cell.learn(e, 1600, -32767)
        return bit


def hashed(key: int, table_bits: int) -> int:
    key &= 0xFFFFFFFF
    return ((key ^ key >> 15) * M[2] & 0xFFFFFFFF) >> 32 - table_bits


def dividing_planes(colors: list[list[int]], b: int) -> list[tuple[list[int], int]]:
    """Unit and middle of every node of the tree of labels (8.8)."""
    leaves = 1 << b
    count = [0] * leaves + [1] * len(colors) + [0] * (leaves - len(colors))
    total = [[0, 0, 0]] * leaves + colors + [[0, 0, 0]] * (leaves - len(colors))
    planes = [([0, 0, 0], 2047)] * leaves
    for node in range(leaves - 1, 0, -1):
        left, right = 2 * node, 2 * node + 1
        count[node] = count[left] + count[right]
        total[node] = [a + b for a, b in zip(total[left], total[right], strict=True)]
        if count[right]:
            low = [16 * value // count[left] for value in total[left]]
            high = [16 * value // count[right] for value in total[right]]
            axis = [h - l for l, h in zip(low, high, strict=True)]
            length = isqrt(sum(a * a for a in axis))
            units = [(1 if a > 0 else -1) * (16384 * abs(a) // length) if length else 0 for a in axis]
            planes[node] = units, sum(u * 4 * (l + h) for u, l, h in zip(units, low, high, strict=True)) // 65536
    return planes


def error(d: int, bit: int) -> int:  # 8.11
    u = 65535 - 8 * abs(d)
    u = u * u >> 16
    u = u * u >> 16
    u >>= 1
    if bit != (d >= 0):
        u = 65535 - u
    return u >> 1 if bit else -(u >> 1)


def netpbm(picture: Picture) -> bytes:
    size = f"{picture.width} {picture.height}"
    if picture.channels == 3:
        return f"P6\n{size}\n255\n".encode() + picture.samples()
    header = f"P7\nWIDTH {picture.width}\nHEIGHT {picture.height}\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"
    return header.encode() + picture.samples()


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: reference_decoder.py FILE > PICTURE", file=sys.stderr)
        return 2
    try:
        picture = decode(Path(sys.argv[1]).read_bytes())
    except (DecodeError, OSError) as problem:
        print(f"{sys.argv[1]}: {type(problem).__name__}: {problem}", file=sys.stderr)
        return 1
    sys.stdout.buffer.write(netpbm(picture))
    return 0


if __name__ == "__main__":
    sys.exit(main())
