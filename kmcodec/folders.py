"""Folders, on disk or behind a URL: which files of them are meant, one folder at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from kmcodec.files import FileName, is_url, url_errors

_LEADING_OUT = frozenset({"", ".", ".."})
"""Names of folders, where a store takes any: of what is below, the copy would be somewhere else."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """
    A folder's own files.

    Attributes:
        folder: Its name.
        below: Its name within the folder that the walk began at, parts between slashes; empty for that one.
        names: Of its files that are meant, without the folder; sorted.
        others: How many other files there are, and links to folders, which are not followed.
    """

    folder: str
    below: str
    names: list[str]
    others: int


def image_endings() -> frozenset[str]:
    """Endings of the image formats that Pillow reads, such as ".png"; not of those that it only identifies."""
    from PIL import Image, ImageFile

    formats = Image.registered_extensions()
    readable = {
        name
        for name, (factory, _) in Image.OPEN.items()
        if not (isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile))
    }
    return frozenset(ending for ending, name in formats.items() if name in readable - {"MPEG", "KMC"})


def is_folder(name: str, endings: Collection[str]) -> bool:
    """
    Whether a name is that of a folder. The server of a URL is not asked if that ends as the files do that are meant.

    Args:
        name: Path or URL.
        endings: Of the files that are meant, in lower case.
    """
    if not is_url(name):
        return os.path.isdir(name)  # noqa: PTH112  # Path("") is the current folder
    if name.endswith("/"):
        return True
    if ending_of(name) in endings:
        return False
    try:
        with url_errors(name):
            system, path = _system_of(name)
            return bool(system.isdir(path))
    except (OSError, ImportError):
        return False  # whoever reads it will say so


def walk(folder: FileName, endings: Collection[str], *, recursive: bool) -> Iterator[Listing | OSError]:
    """
    List a folder, then those below it, by name.

    Links to files are files; links to folders are not followed, but for the folder that is given.

    Args:
        folder: Path or URL.
        endings: Of the files that are meant, in lower case.
        recursive: Whether folders below are listed too.

    Yields:
        Listings, and the error of a folder that cannot be listed, in its place.

    Raises:
        ImportError: It is a URL, and what fsspec needs for it is not installed.
    """
    waiting = [(os.fspath(folder), "")]
    while waiting:
        place, below = waiting.pop()
        try:
            listing, folders = (_list_url if is_url(place) else _list_path)(place, below, endings)
        except OSError as error:
            yield error
            continue
        yield listing
        if not recursive:
            continue
        for name in _LEADING_OUT & set(folders):
            yield OSError(errno.EINVAL, "its name leads out of its folder", joined(place, name))
            folders.remove(name)
        waiting += [(joined(place, name), f"{below}{name}/") for name in sorted(folders, reverse=True)]


def joined(folder: str, name: str) -> str:
    """The name of a file in a folder, of path or URL; name may have slashes itself."""
    if is_url(folder):
        return f"{folder}{'' if folder.endswith('/') else '/'}{name}"
    return os.path.join(folder, name)  # noqa: PTH118  # keeps "./"


def ending_of(name: str) -> str:
    """The ending of a file name, in lower case."""
    return PurePath(name).suffix.lower()


def _list_path(folder: str, below: str, endings: Collection[str]) -> tuple[Listing, list[str]]:
    names, folders, others = [], [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif ending_of(entry.name) in endings and _may_be_read(entry):
                names.append(entry.name)
            else:
                others += 1
    return Listing(folder=folder, below=below, names=sorted(names), others=others), folders


def _may_be_read(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file; or a link to nothing, which is no picture either, but shall not go unnoticed."""
    return entry.is_file() or (entry.is_symlink() and not os.path.exists(entry.path))  # noqa: PTH110


def _list_url(folder: str, below: str, endings: Collection[str]) -> tuple[Listing, list[str]]:
    names, folders, others = [], [], 0
    with url_errors(folder):
        system, path = _system_of(folder)
        entries = system.ls(path, detail=True)
        system.invalidate_cache(path)  # a listing of every folder would take memory
    for entry in entries:
        name = entry["name"].rstrip("/")[len(path.rstrip("/")) :].lstrip("/")
        if not name:  # the mark of a folder that is otherwise empty
            continue
        if entry["type"] == "directory":
            folders.append(name)
        elif ending_of(name) in endings:
            names.append(name)
        else:
            others += 1
    return Listing(folder=folder, below=below, names=sorted(names), others=others), folders


def _system_of(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path within."""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(url)
    return system, path
