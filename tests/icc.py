"""ICC profiles made by hand, for tests of what is done with them (ICC.1:2001-04)."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence

_D50 = (0.9642, 1.0, 0.8249)


def grey_profile(gamma: float = 1.8) -> bytes:
    """Of grey pixels, on a device of this gamma."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma), b"wtpt": _xyz(_D50)})


def wide_profile(gamma: float = 2.2) -> bytes:
    """Of RGB pixels with primaries near to those of ProPhoto RGB."""
    columns = {b"rXYZ": (0.7977, 0.2880, 0.0), b"gXYZ": (0.1352, 0.7119, 0.0), b"bXYZ": (0.0313, 0.0001, 0.8249)}
    curves = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), _curve(gamma))
    return _profile(b"RGB ", b"XYZ ", {name: _xyz(value) for name, value in columns.items()} | curves)


def cmyk_profile() -> bytes:
    """Of CMYK pixels, by a table of the Lab colours of all combinations of full and no ink."""
    table = bytearray()
    for cyan, magenta, yellow, black in itertools.product((0, 1), repeat=4):
        light = (1 - 0.9 * black) * (1 - 0.35 * cyan) * (1 - 0.4 * magenta) * (1 - 0.08 * yellow)
        strength = 1 - 0.8 * black
        a, b = strength * (65 * magenta - 40 * cyan), strength * (80 * yellow - 50 * cyan)
        table += bytes([round(255 * light), round(128 + a), round(128 + b)])
    identity = bytes(range(256))
    matrix = b"".join(map(_fixed, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + 4 * identity + bytes(table) + 3 * identity
    return _profile(b"CMYK", b"Lab ", {b"A2B0": lut, b"wtpt": _xyz(_D50)}, kind=b"prtr")


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr") -> bytes:
    tags = {b"desc": _description("made by hand"), **tags}
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        padded = data + bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += padded
    header = struct.pack(">I4sI", offset + len(body), b"\0\0\0\0", 0x02400000) + kind + space + connection
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(_fixed, _D50))
    return header.ljust(128, b"\0") + table + body


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def _xyz(value: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(_fixed, value))


def _curve(gamma: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))


def _description(text: str) -> bytes:
    return b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text.encode() + bytes(1 + 8 + 3 + 67)
