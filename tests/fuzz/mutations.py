"""Ways to damage a file, at random but always the same for the same seed."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from random import Random

from tests.fuzz.seeds import Seed

Change = Callable[[Random, bytearray], None]

_MOST_CHANGES = 4
_CHECK_BYTES = 4
_EDGES = (b"\x00", b"\x7f", b"\x80\x01", b"\xff\x7f", b"\xff\xff\x03", b"\x80\x80\x04", b"\xff\xff\xff\xff\x0f")
"""Integers in LEB128 where something ends: 0, 127, 128, 16383, 65535, 65536, 2³² − 1."""


def mutate(random: Random, seed: Seed, other: Seed) -> bytes:
    """
    A damaged copy.

    Args:
        random: Decides what is done.
        seed: The file.
        other: One to take pieces from.
    """
    data = bytearray(seed.data)
    for _ in range(random.randint(1, _MOST_CHANGES)):
        if random.random() < 0.1:
            _splice(random, data, other.data)
        else:
            random.choice(_CHANGES)(random, data)
    return bytes(data)


def mutate_header(random: Random, seed: Seed, other: Seed) -> bytes:
    """A damaged copy whose header has a check that fits: what a decoder sees when somebody means harm."""
    header = bytearray(seed.data[: seed.header_bytes - _CHECK_BYTES])
    for _ in range(random.randint(1, _MOST_CHANGES)):
        random.choice(_CHANGES)(random, header)
    body = seed.data if random.random() < 0.9 else other.data
    return bytes(header) + zlib.crc32(header).to_bytes(_CHECK_BYTES, "little") + body[seed.header_bytes :]


def mutate_strips(random: Random, seed: Seed, other: Seed) -> bytes:
    """A copy with an intact header, and as long as it says, but with damaged strips."""
    strips = bytearray(seed.data[seed.header_bytes :])
    length = len(strips)
    for _ in range(random.randint(1, _MOST_CHANGES)):
        if random.random() < 0.1:
            _splice(random, strips, other.data[other.header_bytes :])
        else:
            random.choice(_CHANGES)(random, strips)
    return seed.data[: seed.header_bytes] + bytes(strips[:length]).ljust(length, b"\0")


def _flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _insert(random: Random, data: bytearray) -> None:
    place = random.randint(0, len(data))
    data[place:place] = random.randbytes(random.randint(1, 4))


def _delete(random: Random, data: bytearray) -> None:
    place = random.randint(0, len(data))
    del data[place : place + random.randint(1, 8)]


def _repeat(random: Random, data: bytearray) -> None:
    place = random.randint(0, len(data))
    data[place:place] = data[place : place + random.randint(1, 16)]


def _truncate(random: Random, data: bytearray) -> None:
    del data[random.randint(0, len(data)) :]


def _extend(random: Random, data: bytearray) -> None:
    data += random.randbytes(random.randint(1, 8))


def _put_edge(random: Random, data: bytearray) -> None:
    place = random.randint(0, len(data))
    data[place : place + random.randint(0, 2)] = random.choice(_EDGES)


def _splice(random: Random, data: bytearray, other: bytes) -> None:
    start, stop = sorted((random.randint(0, len(other)), random.randint(0, len(other))))
    place = random.randint(0, len(data))
    data[place : place + random.randint(0, stop - start)] = other[start:stop]


_CHANGES: tuple[Change, ...] = (_flip, _flip, _set, _set, _insert, _delete, _repeat, _truncate, _extend, _put_edge)
