"""
The model of predicted coding (spec §8.3–8.12) in plain Python, one node at a time; predict.c gives the same flags.

Meant for reading, and for installations made without a compiler: it takes 100 to 300 µs a pixel of a photo, 2000 times
as long. predict.c predicts all nodes of a step at once, because vectors make that cheaper; only the nodes on the path
matter, and those are computed here.

A label is coded bit by bit, the most significant first, as a walk down a binary tree. Steps of 3 or 4 bits share a line
of each context's table: a logit and a learning rate for every node of the step. A node's logit is the sum of those of
its lines, weighted; its sign is the guess, its size the confidence, which decides the stream of the flag.

Fixed-point scales: a line's logit 4096 = 1; rate 65 536 = 1; weight 16 384 = 1; mixed logit 1024 = 1; error 32 768 = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from kmcodec.errors import FormatError
from kmcodec.format.prediction.parameters import ContextSet, Parameters
from kmcodec.indexed import Labels, Palette

STREAMS = 8

_MULTIPLIERS = (
    0x9E3779B1,
    0x85EBCA6B,
    0xC2B2AE35,
    0x27D4EB2F,
    0x165667B1,
    0x2545F491,
    0x9FB21C65,
    0xD6E8FEB9,
    0xA0761D65,
    0xE7037ED1,
    0x8EBC6AF1,
    0x589965CD,
    0x1D8E4E27,
    0xEB44ACCB,
    0x3C6EF373,
    0xBB67AE85,
    0xCC9E2D51,
    0x1B873593,
    0xE6546B65,
    0x38B34AE5,
)
_MASK = 0xFFFFFFFF
_MIXED_LIMIT = 8191
_SURE = 7423  # a flat flag surer than this, and right, teaches nothing
_COLOR_LIMIT = 2047
_COLOR_WEIGHT = 4096
_CONFIDENCES = (7, 17, 28, 41, 57, 79, 111)  # of streams, 16 = 1
_SPARSE_CONFIDENCES = (12, 31)
_MARGIN = 8

_COLOR_INPUT = "colour input"  # the one input that has no table
_CONTEXTS = {
    ContextSet.SMOOTH: ("W", "N", "NE", "NW", _COLOR_INPUT),
    ContextSet.MIDDLE: ("W WW", "N NN", "W N NW NE", _COLOR_INPUT),
    ContextSet.RICH: ("colour of 5 bits", "NE", "NW", "W WW", "N NN", _COLOR_INPUT),
    ContextSet.DEEP: ("colour of 5 bits", "W", "N", "NE", "NW", "W WW", "N NN", _COLOR_INPUT),
    ContextSet.GRAPHICS: ("colour of 4 bits", "W WW", "N NN", "W N NW NE", "template of 10", "template of 19"),
}
_PLACES = {"W": (-1, 0), "N": (0, -1), "NW": (-1, -1), "NE": (1, -1), "WW": (-2, 0), "NN": (0, -2), "NNE": (1, -2)}
_TEMPLATE_19 = (
    (0, -1),
    (0, -2),
    (-1, -1),
    (1, -1),
    (1, -2),
    (-2, -1),
    (2, -1),
    (-1, -2),
    (0, -3),
    (-3, -1),
    (3, -1),
    (-2, -2),
    (2, -2),
    (-1, -3),
    (1, -3),
    (-1, 0),
    (-2, 0),
    (-3, 0),
    (-4, 0),
)
_TEMPLATE_10 = (0, 1, 2, 3, 4, 5, 6, 7, 15, 16)  # these of the 19

Transfer = Callable[[int, int], int]
"""Moves a flag: from its stream and the guess, the bit."""


def encode(labels: Labels, palette: Palette, parameters: Parameters) -> list[tuple[bytes, int]]:
    """Packed flags and their number, of eight streams."""
    model = Model(labels.shape[1], palette, parameters)
    streams: list[list[int]] = [[] for _ in range(STREAMS)]
    rows = labels.tolist()

    def code_pixel(x: int, y: int) -> int:
        label: int = rows[y][x]

        def put(stream: int, guess: int, bit: int) -> int:
            streams[stream].append(bit ^ guess)
            return bit

        if model.flat and model.flat_flag(lambda stream, guess: put(stream, guess, int(label == model.W))):
            return label
        bits = iter(f"{label:0{model.bits}b}")
        return model.label(lambda stream, guess: put(stream, guess, int(next(bits))))

    _scan(model, len(rows), code_pixel)
    return [(np.packbits(np.array(stream, np.uint8), bitorder="little").tobytes(), len(stream)) for stream in streams]


def decode(
    streams: Sequence[bytes], shape: tuple[int, int], palette: Palette, parameters: Parameters
) -> npt.NDArray[np.int64]:
    """Labels, from eight streams; after its end a stream goes on as zeros. Raises FormatError."""
    height, width = shape
    model = Model(width, palette, parameters)
    flags = [np.unpackbits(np.frombuffer(stream, np.uint8), bitorder="little").tolist() for stream in streams]
    used = [0] * STREAMS
    labels = np.zeros(shape, np.int64)

    def get(stream: int, guess: int) -> int:
        position = used[stream]
        used[stream] += 1
        wrong: int = flags[stream][position] if position < len(flags[stream]) else 0
        return guess ^ wrong

    def code_pixel(x: int, y: int) -> int:
        label = model.W if model.flat and model.flat_flag(get) else model.label(get)
        labels[y, x] = label
        return label

    _scan(model, height, code_pixel)
    if any(any(stream[position:]) or len(stream) >= position + 8 for stream, position in zip(flags, used, strict=True)):
        raise FormatError("its flags do not fit the picture")
    return labels


def _scan(model: Model, height: int, code_pixel: Callable[[int, int], int]) -> None:
    """Pixel after pixel, row after row; outside of the picture every label is 0."""
    rows = [[0] * (model.width + 2 * _MARGIN) for _ in range(4)]
    for y in range(height):
        rows = [[0] * (model.width + 2 * _MARGIN), *rows[:3]]
        for x in range(model.width):
            model.look(rows, x)
            rows[0][x + _MARGIN] = code_pixel(x, y)


class Table:
    """The lines of one context: one for every key where there is room, else hashed."""

    def __init__(self, order: int, model: Model, table_bits: int) -> None:
        colors, lanes = len(model.palette), 1 << model.step
        steps = -(-model.bits // model.step)
        lines = colors**order * (1 if steps == 1 else 1 + lanes)
        self.direct = order > 0 and steps <= 2 and lines <= 1 << table_bits
        self.places = [colors**i for i in range(order)] if self.direct else list(_MULTIPLIERS[:4])
        self.lanes, self.keys, self.shift = lanes, colors**order, 32 - table_bits
        self.slots: dict[tuple[int, int], list[int]] = {}

    def key(self, labels: Sequence[int]) -> int:
        """The key of the labels of a context."""
        return sum(label * place for label, place in zip(labels, self.places, strict=False)) & _MASK

    def line(self, key: int, prefix: int) -> int:
        """The line of a step; the prefix is a one, then the bits of the steps before."""
        if self.direct:
            return key if prefix == 1 else self.keys + key * self.lanes + prefix - self.lanes
        if prefix > 1:
            key = (key + prefix * _MULTIPLIERS[4]) & _MASK
        return ((key ^ key >> 15) * _MULTIPLIERS[2] & _MASK) >> self.shift

    def slot(self, line: int, node: int, rate: int) -> list[int]:
        """Logit and rate of a node of a line, to be changed in place; at first 0 and `rate`."""
        return self.slots.setdefault((line, node), [0, rate])


class Model:
    """What both directions share: look, predict, learn."""

    def __init__(self, width: int, palette: Palette, parameters: Parameters) -> None:
        self.width = width
        self.bits = (len(palette) - 1).bit_length()
        self.step = 3 if self.bits in (1, 2, 3, 5, 6, 9) else 4
        self.palette = _premultiplied(palette)
        inputs = _CONTEXTS[parameters.context_set]
        self.contexts = [name for name in inputs if name != _COLOR_INPUT]
        self.has_color_input = _COLOR_INPUT in inputs
        self.confidences = _SPARSE_CONFIDENCES if parameters.sparse else _CONFIDENCES
        self.rate, self.least_rate, self.weight_shift = (10000, 1000, 4) if self.has_color_input else (20000, 1600, 3)
        self.tables: list[Table] = [Table(_order(name), self, parameters.table_bits) for name in self.contexts]
        graphics = parameters.context_set is ContextSet.GRAPHICS
        weight = (65536 if graphics else 40960) // len(self.tables)
        self.first_weights = [weight] * len(self.tables) + [_COLOR_WEIGHT] * self.has_color_input
        self.weights: dict[tuple[int, int], list[int]] = {}
        self.flat_tables = [Table(0, self, min(parameters.table_bits, 16)) for _ in range(4 if graphics else 3)]
        self.flat_weights = [[40960 // len(self.flat_tables)] * len(self.flat_tables) for _ in range(8)]
        if self.has_color_input:
            self.planes = _dividing_planes(self.palette, self.bits)

    # Neighbourhood

    def look(self, rows: list[list[int]], x: int) -> None:
        """Take in what is around a pixel; rows[0] is its row, rows[i] the i-th above, with margins on both sides."""
        self.rows, self.x = rows, x + _MARGIN
        self.W, self.N, self.NW, self.NE = (self.at(*_PLACES[name]) for name in ("W", "N", "NW", "NE"))
        self.agreement = (self.W == self.N) + 2 * (self.N == self.NE) + 4 * (self.W == self.NW)
        self.flat = self.agreement == 7

    def at(self, dx: int, dy: int) -> int:
        """The label there."""
        return self.rows[-dy][self.x + dx]

    def named(self, names: str) -> list[int]:
        """The labels at named places."""
        return [self.at(*_PLACES[name]) for name in names.split()]

    def template(self, places: Sequence[int]) -> int:
        """Hash of the labels at some places of the template."""
        return sum(self.at(*_TEMPLATE_19[i]) * _MULTIPLIERS[i] for i in places) & _MASK

    def look_at_color(self) -> None:
        """Four times the colour that the neighbours suggest, and how much they differ."""
        self.four: list[int] = []
        difference = 0
        for w, n, nw, ne in zip(*(self.palette[label] for label in (self.W, self.N, self.NW, self.NE)), strict=True):
            median = min(max(w + n - nw, min(w, n)), max(w, n))
            self.four.append(2 * median + w + ne)
            difference += abs(w - nw) + abs(n - nw) + abs(n - ne)
        self.activity = min(difference, 2047).bit_length()

    # Contexts

    def key(self, name: str, table: Table) -> int:
        """What a context looks up."""
        match name:
            case "colour of 4 bits":
                red, green, blue = (value >> 6 for value in self.four)
                return red | green << 4 | blue << 8 | self.activity << 12
            case "colour of 5 bits":
                red, green, blue = (value >> 5 for value in self.four)
                return red | green << 5 | blue << 10 | self.activity >> 1 << 15
            case "template of 10":
                return self.template(_TEMPLATE_10)
            case "template of 19":
                return self.template(range(19))
            case _:
                return table.key(self.named(name))

    def weight_set(self, step: int, prefix: int) -> int:
        """Which weights mix a step: by what is around the pixel, later also by the bits before."""
        activity = self.activity if self.has_color_input else 0
        if step == 0:
            return activity if self.has_color_input else self.agreement
        return 16 + ((step - 1) * 16 + prefix % 16) * 3 + (activity > 6) + (activity > 4)

    def color_logit(self, node: int) -> int:
        """On which side of a node's dividing plane the suggested colour lies, and how far from it."""
        axis, middle = self.planes[node]
        side = sum(a * (32 * value) >> 16 for a, value in zip(axis, self.four, strict=True)) - middle
        return _clamp(side, _COLOR_LIMIT) * 16

    # Coding

    def label(self, transfer: Transfer) -> int:
        """Code the bits of a label. Raises FormatError if they lead past the palette."""
        self.look_at_color()
        keys = [self.key(name, table) for name, table in zip(self.contexts, self.tables, strict=True)]
        prefix = 1
        for step, done in enumerate(range(0, self.bits, self.step)):
            lines = [table.line(key, prefix) for table, key in zip(self.tables, keys, strict=True)]
            weight_set = self.weight_set(step, prefix)
            node = 1
            for depth in range(done, min(done + self.step, self.bits)):
                whole = prefix << depth - done | node ^ 1 << depth - done  # a one, then all bits so far
                slots = [table.slot(line, node, self.rate) for table, line in zip(self.tables, lines, strict=True)]
                logits = [slot[0] for slot in slots] + ([self.color_logit(whole)] if self.has_color_input else [])
                weights = self.weights.setdefault((weight_set, node), list(self.first_weights))
                mixed = self.mix(logits, weights, whole, self.bits - depth - 1)
                bit = transfer(*self.stream_and_guess(mixed))
                self.learn(_error(mixed, bit), slots, logits, weights)
                node = 2 * node + bit
            prefix = whole << 1 | bit
        label = prefix ^ 1 << self.bits
        if label >= len(self.palette):
            raise FormatError("its flags lead past the palette")
        return label

    def mix(self, logits: Sequence[int], weights: Sequence[int], whole: int, bits_below: int) -> int:
        """The weighted sum, in 16 bits at every addition; where bit 1 would lead past the palette, surely 0."""
        mixed = logits[0] * weights[0] >> 16
        for logit, weight in zip(logits[1:], weights[1:], strict=True):
            mixed = _saturate(mixed + (logit * weight >> 16))
        first_right = ((2 * whole + 1) << bits_below) - (1 << self.bits)
        highest = _MIXED_LIMIT if first_right < len(self.palette) else -_MIXED_LIMIT
        return max(min(mixed, highest), -_MIXED_LIMIT)

    def stream_and_guess(self, mixed: int) -> tuple[int, int]:
        """Which stream a flag goes to, by confidence, and what is guessed."""
        return sum(abs(mixed) >> 6 > limit for limit in self.confidences), int(mixed >= 0)

    def learn(self, error: int, slots: list[list[int]], logits: Sequence[int], weights: list[int]) -> None:
        """Move weights, logits and rates of a node after its bit is known."""
        rounding = 1 << self.weight_shift - 1
        for i, logit in enumerate(logits):
            weights[i] = _saturate(weights[i] + ((logit * error >> 16) + rounding >> self.weight_shift))
        for slot in slots:
            logit, rate = slot
            slot[:] = _saturate(logit + (error * rate >> 16)), rate - (rate * (rate - self.least_rate) >> 16)

    def flat_flag(self, transfer: Transfer) -> int:
        """Where all neighbours are equal, code first whether the label is too."""
        west = self.W
        two_west, two_north, two_north_east = self.named("WW NN NNE")
        times = _MULTIPLIERS
        keys = [
            west * times[0] + two_west * times[1] + two_north * times[2] + two_north_east * times[3],
            west * times[0] + two_west * times[1],
            west * times[0] + two_north * times[2],
        ]
        if len(self.flat_tables) > len(keys):
            keys.append(self.template(range(19)))
        slots = [t.slot(t.line(key & _MASK, 1), 0, 20000) for t, key in zip(self.flat_tables, keys, strict=True)]
        weights = self.flat_weights[(two_west == west) + 2 * (two_north == west) + 4 * (two_north_east == west)]
        mixed = _clamp(sum(s[0] * w >> 16 for s, w in zip(slots, weights, strict=True)), _MIXED_LIMIT)
        bit = transfer(*self.stream_and_guess(mixed))
        if bit == (mixed >= 0) and abs(mixed) > _SURE:
            return bit
        error = _error(mixed, bit)
        for i, slot in enumerate(slots):
            logit, rate = slot
            weights[i] = _clamp(weights[i] + ((logit * error >> 16) + 4 >> 3), 32767)
            slot[:] = _clamp(logit + (error * rate >> 16), 32767), rate - (rate * (rate - 1600) >> 16)
        return bit


def _order(name: str) -> int:
    """Of how many labels a context's key is made; 0 if it is a hash of something else."""
    return 0 if name.startswith(("colour", "template")) else len(name.split())


def _premultiplied(palette: Palette) -> list[list[int]]:
    return [
        [value * (color[3] if len(color) == 4 else 255) // 255 for value in color[:3]] for color in palette.tolist()
    ]


def _dividing_planes(palette: list[list[int]], bits: int) -> list[tuple[list[int], int]]:
    """
    Of every node of the tree of labels, the plane halfway between the mean colours below its two children.

    Node 1 is the root, the children of node i are 2i and 2i + 1. A plane is its axis, 16 384 = 1, and its middle; of
    a node with no colour below its right child it is such that the left one is certain.
    """
    leaves = 1 << bits
    missing = leaves - len(palette)
    count = [0] * leaves + [1] * len(palette) + [0] * missing
    total = [[0, 0, 0]] * leaves + palette + [[0, 0, 0]] * missing
    planes = [([0, 0, 0], _COLOR_LIMIT)] * leaves
    for node in range(leaves - 1, 0, -1):
        left, right = 2 * node, 2 * node + 1
        count[node] = count[left] + count[right]
        total[node] = [a + b for a, b in zip(total[left], total[right], strict=True)]
        if count[left] and count[right]:
            low = [16 * value // count[left] for value in total[left]]
            high = [16 * value // count[right] for value in total[right]]
            planes[node] = _plane_between(low, high)
    return planes


def _plane_between(low: list[int], high: list[int]) -> tuple[list[int], int]:
    axis = [b - a for a, b in zip(low, high, strict=True)]
    length = _root(sum(a * a for a in axis))
    unit = [_toward_zero(16384 * a, length) if length else 0 for a in axis]
    return unit, sum(u * 4 * (a + b) for u, a, b in zip(unit, low, high, strict=True)) // 65536


def _error(mixed: int, bit: int) -> int:
    """The bit less the chance of a 1. The chance of the unlikely bit is taken as (1 − |mixed| / 8)⁴ / 2."""
    chance = 65535 - 8 * abs(mixed)
    chance = chance * chance >> 16
    chance = chance * chance >> 16
    chance >>= 1
    if bit != (mixed >= 0):
        chance = 65535 - chance
    return chance >> 1 if bit else -(chance >> 1)


def _clamp(value: int, limit: int) -> int:
    return max(-limit, min(value, limit))


def _saturate(value: int) -> int:
    return max(-32768, min(value, 32767))


def _toward_zero(a: int, b: int) -> int:
    return a // b if a >= 0 else -(-a // b)


def _root(value: int) -> int:
    """Integer square root, at most 65 535."""
    result = 0
    for bit in (1 << shift for shift in range(15, -1, -1)):
        if (result + bit) ** 2 <= value:
            result += bit
    return result
