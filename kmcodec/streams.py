"""Binary streams read and written whole, even those that move fewer bytes at a time than they are asked to."""

from __future__ import annotations

from typing import BinaryIO


def read_up_to(stream: BinaryIO, count: int) -> bytes:
    """Read `count` bytes, or all there are if those are fewer. A raw stream may give a part of them at a time."""
    data = stream.read(count)
    if len(data) in (0, count):
        return data
    parts = [data]
    missing = count - len(data)
    while missing and (data := stream.read(missing)):
        parts.append(data)
        missing -= len(data)
    return b"".join(parts)


def write_all(stream: BinaryIO, data: bytes) -> None:
    """Write all bytes. A raw stream may take a part of them at a time."""
    rest = memoryview(data)
    while rest:
        written = stream.write(rest)
        rest = rest[len(rest) if written is None else written :]
