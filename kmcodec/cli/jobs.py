"""Which file becomes which: names, folders, standard input and output, and what stands in the way."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import click

from kmcodec.batch.storage import DISK, Disk
from kmcodec.cli.console import flush_stdout
from kmcodec.files import Contents, FileVersion, is_url, local_path, names_folder, open_binary, read_at_most
from kmcodec.folders import Listing, ending_of, is_folder, joined, walk
from kmcodec.limits import DEFAULT_LIMITS
from kmcodec.sentences import printable, sentence_of

STDIO = "-"
_STDIN_PATH = "/dev/stdin"
STDIN_NAME, STDOUT_NAME = "standard input", "standard output"


_Place: TypeAlias = tuple[int, int] | str | None


class Failure(Exception):  # noqa: N818  # it is not shown as an exception
    """Something that is said in one sentence and ends in exit code 1."""


@dataclass(frozen=True)
class Pair:
    """
    One file to read and the one to write; either may be - for standard input or output.

    `error` says why it is not to be written, if so.
    """

    source: str
    target: str
    error: str | None = None


@dataclass(frozen=True)
class Kind:
    """
    What files are made of which.

    Attributes:
        ending: Of the files to write.
        endings: Tells those of the files to read, of a folder.
        what: They are, in the plural.
    """

    ending: str
    endings: Callable[[], frozenset[str]]
    what: str


class Plan:
    """
    Which file becomes which, for files that are named and for folders, which are listed one by one.

    Args:
        inputs: Names of files and folders.
        output: The file to write, if it is named.
        directory: The folder to write to, if it is named; else files are written beside their input.
        kind: What files are made of which.
        recursive: Whether folders below those named are taken as well.
        also_read: Other files that are read, such as one that the palette is taken from.

    Raises:
        click.UsageError: That makes no sense, or two files that are named would become one.
    """

    def __init__(
        self,
        inputs: Sequence[str],
        output: str | None,
        directory: str | None,
        kind: Kind,
        *,
        recursive: bool,
        also_read: Sequence[str] = (),
    ) -> None:
        _check_usage(inputs, output, directory)
        endings = kind.endings() if any(_could_be_folder(name) for name in inputs) else frozenset[str]()
        self.folders = [name for name in inputs if name not in (STDIO, "") and is_folder(name, endings)]
        if output is not None and self.folders:
            raise click.UsageError("-o names a file, and the input is a folder: use -d")
        self._inputs, self._directory, self._kind, self._endings = inputs, directory, kind, endings
        self._recursive, self._also_read = recursive, also_read
        output = STDIO if output == "/dev/stdout" else output
        self._is_named = output is not None
        files = [name for name in inputs if name not in self.folders]
        pairs = [Pair(source, output or _target_of(source, directory, kind.ending)) for source in files]
        self._source_of = _sources_by_target(pairs)
        self._listed = {pair.source: pair for pair in pairs}

    @property
    def total(self) -> int | None:
        """How many files there are; None where folders have to be listed for it."""
        return None if self.folders else len(self._listed)

    def names(self, name: str) -> bool:
        """Whether a file that is named, to be read or written, has this name."""
        sides = [side for pair in self._listed.values() for side in (pair.source, pair.target) if side]
        return _key(name) in map(_key, [*sides, *self._also_read])

    @property
    def uses_stdio(self) -> bool:
        """Whether a file is standard input or output."""
        return any(STDIO in (pair.source, pair.target) for pair in self._listed.values())

    def pairs(self, leave_out: Callable[[int], None] = lambda _: None) -> Iterator[Pair]:
        """
        All files, in the order of the inputs; those of a folder by name.

        Args:
            leave_out: Told how many files of a folder are none to be read.
        """
        sources = _by_place([*self._listed, *self._also_read])
        claims = _Claims(self._source_of, self._endings)
        for name in self._inputs:
            if name in self._listed:
                pair = self._listed[name]
                yield Pair(pair.source, pair.target, self._hindrance(pair, sources))
            else:
                yield from self._in_folder(name, claims, sources, leave_out)

    def _in_folder(
        self, folder: str, claims: _Claims, sources: Collection[_Place], leave_out: Callable[[int], None]
    ) -> Iterator[Pair]:
        is_empty = True
        for listing in walk(folder, self._endings, recursive=self._recursive):
            if isinstance(listing, OSError):
                is_empty = False
                yield Pair(folder, "", sentence_of(listing, printable(folder)))
                continue
            leave_out(listing.others)
            is_empty = is_empty and not listing.names
            into = listing.folder if self._directory is None else joined(self._directory, listing.below)
            for source, target, rival in claims.of(listing, into, self._kind.ending):
                hindrance = _rivalry(source, target, rival) or _link_in_the_way(target)
                if hindrance is None and sources and _place_of(target) in sources:
                    hindrance = _is_input(target)
                yield Pair(source, target, hindrance)
        if is_empty:
            hint = "" if self._recursive else " (--recursive looks into the folders below as well)"
            yield Pair(folder, "", f"{printable(folder)}: a folder without {self._kind.what}{hint}")

    def _hindrance(self, pair: Pair, sources: Mapping[_Place, str]) -> str | None:
        """What stands in the way, but for a file that may be overwritten: for that the work looks itself."""
        if pair.source == STDIO and sys.stdin is None:
            return f"{STDIN_NAME} is closed"
        if pair.target == STDIO:
            if sys.stdout is None:
                return "standard output is closed"
            if sys.stdout.isatty():
                return "standard output is a terminal: redirect it, or name a file with -o"
            return None
        if not pair.target:
            return f"{shown_input(pair.source)}: not the name of a file"
        replaced = sources.get(_place_of(pair.target))
        if replaced == pair.source and not self._is_named:
            return f"{printable(pair.source)}: a {Path(pair.target).suffix} file already"
        if replaced is not None:
            return _is_input(pair.target)
        return None if self._is_named else _link_in_the_way(pair.target)


def _is_input(target: str) -> str:
    return f"{printable(target)}: is an input, and not overwritten"


def _rivalry(source: str, target: str, rival: str | None) -> str | None:
    """Why a file is not written, where another one becomes it."""
    if rival is None:
        return None
    return f"{printable(source)}: not written, for {printable(rival)} becomes {printable(target)} already"


class _Claims:
    """
    Which targets are taken, and by which sources.

    Of folders only the names are kept: what is in one is listed again when another is written to the same place.
    """

    def __init__(self, listed: dict[str, str], endings: Collection[str]) -> None:
        self._listed, self._endings = listed, endings
        self._folders: dict[str, list[str]] = {}

    def of(self, listing: Listing, into: str, ending: str) -> Iterator[tuple[str, str, str | None]]:
        """Sources of a folder, their targets, and the source that a target has already, if there is one."""
        folders = self._folders.setdefault(_end_of(into), [])
        source_of = self._earlier(folders, ending)
        folders.append(listing.folder)
        for name in listing.names:
            source, made = joined(listing.folder, name), _with_ending(name, ending)
            target = joined(into, made)
            rival = self._listed.get(_end_of(target)) or source_of.setdefault(made, source)
            if rival is source:
                yield source, target, None
            elif _key(rival) != _key(source):  # else it is named twice
                yield source, target, rival

    def _earlier(self, folders: Sequence[str], ending: str) -> dict[str, str]:
        source_of: dict[str, str] = {}
        for folder in folders:
            for listing in walk(folder, self._endings, recursive=False):
                if isinstance(listing, Listing):
                    for name in listing.names:
                        source_of.setdefault(_with_ending(name, ending), joined(folder, name))
        return source_of


class StandardStreams(Disk):
    """Paths and URLs, and - for standard input and output."""

    def shown(self, name: str) -> str:
        """As `Storage.shown`."""
        return shown_input(name)

    def shown_target(self, name: str) -> str:
        """As `Storage.shown_target`."""
        return shown_output(name)

    def version(self, name: str) -> FileVersion | None:
        """As `Storage.version`."""
        return None if name == STDIO else super().version(name)

    def open(self, name: str) -> AbstractContextManager[BinaryIO]:
        """As `Storage.open`."""
        return open_input(name)

    def path(self, name: str) -> str | None:
        """As `Storage.path`."""
        return None if name == STDIO else super().path(name)

    def folder(self, name: str) -> Path | None:
        """As `Storage.folder`."""
        return None if name == STDIO else super().folder(name)

    def check(self, name: str, *, overwrite: bool) -> None:
        """As `Storage.check`."""
        if name != STDIO:
            super().check(name, overwrite=overwrite)

    def write(self, name: str, data: Contents, *, overwrite: bool) -> None:
        """As `Storage.write`."""
        write_output(name, data, overwrite=overwrite)


@contextmanager
def failures_of(name: str) -> Iterator[None]:
    """Turn what may go wrong with a file into one sentence that names it."""
    try:
        yield
    except (Failure, BrokenPipeError):
        raise
    except Exception as error:
        sentence = sentence_of(error, shown_input(name))
        if sentence is None:
            raise
        raise Failure(with_hint(sentence)) from error


def with_hint(sentence: str) -> str:
    """What went wrong, and the option that would help."""
    if sentence.endswith(": exists already"):
        return f"{sentence}; --overwrite replaces it"
    if re.search(r"pixels, over the limit of \d+$", sentence):
        return f"{sentence}; --max-pixels raises it"
    return sentence


def check_outputs(outputs: Sequence[str], inputs: Iterable[str]) -> None:
    """
    See to it that no file is written twice, and none that is read is replaced, by whatever name.

    Args:
        outputs: Names of the files that one command writes.
        inputs: Names of all those that it reads.

    Raises:
        click.UsageError: Two outputs are one file.
        Failure: An output is an input.
    """
    sources = _by_place(inputs)
    taken: set[_Place] = set()
    for output in outputs:
        place = _place_of(output)
        if place in taken:
            raise click.UsageError(f"{printable(output)} cannot be two outputs at once")
        if place in sources:
            raise Failure(_is_input(output))
        if place is not None:
            taken.add(place)


def open_input(name: str) -> AbstractContextManager[BinaryIO]:
    """Open a file, a URL or standard input."""
    return BytesIO(read_bytes(name)) if name == STDIO else open_binary(name)


def read_bytes(name: str, limit: int | None = DEFAULT_LIMITS.file_bytes) -> bytes:
    """
    Contents of a file, a URL or standard input, any of which may never end.

    Raises:
        LimitError: They are longer than the limit.
        Failure: Standard input is closed.
        OSError: They cannot be read.
    """
    if name == STDIO:
        if sys.stdin is None:
            raise Failure(f"{STDIN_NAME} is closed")
        return read_at_most(sys.stdin.buffer, limit)
    with open_binary(name) as file:
        return read_at_most(file, limit)


def write_output(target: str, data: Contents, *, overwrite: bool) -> None:
    """Write a file, in a folder that is made if need be, or standard output. Raises OSError if it fails."""
    if target == STDIO:
        _write_stdout((data,) if isinstance(data, bytes) else data)
    else:
        DISK.write(target, data, overwrite=overwrite)


def shown_input(name: str) -> str:
    """A name as messages show it."""
    return STDIN_NAME if name == STDIO else printable(name) or "''"


def shown_output(name: str) -> str:
    """A name as messages show it."""
    return STDOUT_NAME if name == STDIO else printable(name)


def _check_usage(inputs: Sequence[str], output: str | None, directory: str | None) -> None:
    if output is not None and directory is not None:
        raise click.UsageError("-o names a file and -d a folder: give one of them")
    if output == "" or directory == "":
        raise click.UsageError(f"{'-o' if output == '' else '-d'} needs a name, not an empty one")
    if output is not None and names_folder(output):
        raise click.UsageError(f"-o names a file, and {printable(output)} is the name of a folder: use -d")
    if output is not None and len(inputs) > 1:
        raise click.UsageError(f"-o takes one input, not {len(inputs)}: use -d for a folder")


def _sources_by_target(pairs: Sequence[Pair]) -> dict[str, str]:
    """Which source each target has. Raises click.UsageError for one that has two."""
    source_of: dict[str, str] = {}
    for pair in pairs:
        if not pair.target:
            continue
        key = _end_of(pair.target)
        if key in source_of:
            raise click.UsageError(_collision(source_of[key], pair))
        source_of[key] = pair.source
    return source_of


def _collision(other: str, pair: Pair) -> str:
    source = shown_input(pair.source)
    if _key(other) == _key(pair.source):
        return f"{source} is given twice"
    return f"{shown_input(other)} and {source} would both become {shown_output(pair.target)}: write one of them with -o"


def _target_of(source: str, directory: str | None, ending: str) -> str:
    """The name of a file to write, empty where a source has no name."""
    if source == STDIO:
        if directory is not None:
            raise click.UsageError("a picture from standard input has no name: use -o with it, not -d")
        return STDIO
    path = Path(source.rpartition("/")[2] if is_url(source) else source)
    if not path.name:
        return ""
    path = path.with_suffix(ending)
    if directory is None:
        return str(path)
    return joined(directory, path.name) if is_url(directory) else str(Path(directory) / path.name)


def _with_ending(name: str, ending: str) -> str:
    return name[: len(name) - len(ending_of(name))] + ending


def _key(name: str) -> str:
    """The same for different names of one place; links are not looked into."""
    return name.rstrip("/") if name == STDIO or is_url(name) else os.path.abspath(name)  # noqa: PTH100  # keeps links


def _end_of(target: str) -> str:
    """The same for different names of one place that is written to, which links lead to."""
    path = None if target == STDIO else local_path(target)
    return _key(target) if path is None else os.path.realpath(path)


def _could_be_folder(name: str) -> bool:
    return name != STDIO and (is_url(name) or os.path.isdir(name))  # noqa: PTH112  # Path("") is the current folder


def _link_in_the_way(target: str) -> str | None:
    """
    Why a target is not written to: writing follows links, and a link to a file of another kind may lead to an input.
    """
    path = local_path(target)
    if path is None or not os.path.islink(path):  # noqa: PTH114  # a Path a file takes time
        return None
    end = os.path.realpath(path)
    if ending_of(end) == ending_of(target):
        return None
    return f"{printable(target)}: is a link to {printable(end)}, and not overwritten"


def _place_of(name: str) -> _Place:
    """What tells a file from every other, whatever its name; None for what is none, such as a pipe or a device."""
    if name == STDIO:
        return None
    path = local_path(name)
    if path is None:
        return name.rstrip("/")
    try:
        status = os.stat(path)  # noqa: PTH116  # Path("") is the current folder
    except OSError:
        return os.path.realpath(path)
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _by_place(sources: Iterable[str]) -> dict[_Place, str]:
    """Files that are read, by their places; the first of those in one."""
    source_of: dict[_Place, str] = {}
    for source in sources:
        source_of.setdefault(_place_of(_STDIN_PATH if source == STDIO else source), source)
    source_of.pop(None, None)
    return source_of


def _write_stdout(parts: Iterable[bytes]) -> None:
    try:
        for part in parts:
            rest = memoryview(part)
            while rest:  # one write may be of a part, where PYTHONUNBUFFERED is set
                rest = rest[sys.stdout.buffer.write(rest) :]
        flush_stdout()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, STDOUT_NAME) from error
