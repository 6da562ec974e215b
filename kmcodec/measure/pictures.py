"""Which pictures are measured: files, folders, patterns, and arrays."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from kmcodec.files import FileName, is_url, open_binary
from kmcodec.folders import image_endings
from kmcodec.images import read_picture
from kmcodec.indexed import Pixels
from kmcodec.limits import DEFAULT_LIMITS
from kmcodec.pixels import as_pixels


@dataclass(frozen=True, eq=False)
class NamedPicture:
    """
    A picture that is in memory, or the bytes of its file.

    Attributes:
        name: To be shown.
        content: A uint8 array as of `kmcodec.encode`; or an image file.
    """

    name: str
    content: Pixels | bytes


Source: TypeAlias = FileName | NamedPicture
"""A path, a URL (through fsspec), or a picture in memory."""


@dataclass(frozen=True, eq=False)
class LoadedPicture:
    """
    Attributes:
        name: To be shown.
        sha256: Of its file, or of its pixels and their shape where there is none.
        pixels: uint8, shape (height, width, 3 or 4).
    """

    name: str
    sha256: str
    pixels: Pixels


def samples() -> list[NamedPicture]:
    """The pictures that come with kmcodec."""
    entries = sorted(files("kmcodec.samples").iterdir(), key=lambda entry: entry.name)
    return [NamedPicture(entry.name, entry.read_bytes()) for entry in entries if entry.name.endswith(".png")]


def expand(names: Iterable[str]) -> list[str]:
    """
    The files that names stand for, each once.

    A folder stands for the images in it and below, by their endings; a pattern such as "*.png" or "photos/**/*.jpg" for
    what it matches; anything else, also a URL, for itself.
    """
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys(_files_of(name))
    return list(found)


def name_of(source: Source) -> str:
    """As it is shown."""
    return source.name if isinstance(source, NamedPicture) else os.fspath(source)


def sha256_of(source: Source) -> str:
    """
    Of the file, or of pixels and shape.

    Raises:
        OSError: It cannot be read.
        ImportError: A URL, and fsspec is not installed.
    """
    content = _content_of(source)
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()


def load(source: Source, *, max_pixels: int | None = DEFAULT_LIMITS.pixels) -> LoadedPicture:
    """
    Read a picture, without its metadata; of an animation, the first frame.

    Raises:
        ImageError: It is no image, damaged, or has too many pixels.
        TypeError, ValueError: It is an array of another type or shape.
        OSError: It cannot be read.
        ImportError: A URL, and fsspec is not installed.
    """
    content = _content_of(source)
    pixels = read_picture(content, max_pixels=max_pixels).pixels if isinstance(content, bytes) else as_pixels(content)
    return LoadedPicture(name_of(source), sha256_of(NamedPicture("", content)), pixels)


def _content_of(source: Source) -> Pixels | bytes:
    if isinstance(source, NamedPicture):
        return source.content
    with open_binary(source) as file:
        return file.read()


def _files_of(name: str) -> Iterator[str]:
    if is_url(name):
        yield name
    elif Path(name).is_dir():
        yield from _images_below(name)
    elif glob.has_magic(name) and not Path(name).exists():
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207  # as in a shell, also of absolute paths
        yield from (match for match in matches if not Path(match).is_dir())
        if not matches:
            yield name
    else:
        yield name


def _images_below(folder: str) -> Iterator[str]:
    endings = image_endings()
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in endings and path.is_file())
    yield from map(str, paths)
    if not paths:
        yield folder
