"""The codecs that kmcodec is measured against, each with the settings its users would choose."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np

from kmcodec.indexed import Pixels
from kmcodec.measure.records import Point

Knob: TypeAlias = Literal["colors", "quality", "none"]
"""What a codec's sizes are swept by; "none" for one that is lossless."""

Encode: TypeAlias = Callable[[Pixels, Point], tuple[bytes, float]]
"""From pixels and a setting to a file, and the seconds it took."""

Decode: TypeAlias = Callable[[bytes], tuple[Pixels, float]]

MOST_PALETTE_COLORS = 256
"""Of PNG."""

_PNGQUANT = "pngquant"
_WHERE = {"pngquant": "pngquant.org", "cjxl": "libjxl", "djxl": "libjxl"}


@dataclass(frozen=True)
class Peer:
    """
    A codec.

    Attributes:
        name: As on the command line.
        about: What it is, and with which options it runs.
        ending: Of its files.
        mime: Their type, if browsers show them; None if not.
        knob: What its sizes are swept by.
        has_alpha: Whether its files can hold transparency.
        needs: Programs, modules and features of Pillow, without which it is missing; named "module:…" and "pillow:…".
        encode, decode: In one thread, where the codec has that choice.
    """

    name: str
    about: str
    ending: str
    mime: str | None
    knob: Knob
    has_alpha: bool
    needs: tuple[str, ...]
    encode: Encode
    decode: Decode

    def missing(self) -> str | None:
        """What it lacks on this machine, in words; None if it is there."""
        return "; ".join(lack for need in self.needs if (lack := _lack_of(need))) or None

    def tool(self) -> str:
        """Names and versions of what encodes."""
        return ", ".join(_version_of(need) for need in ("pillow:", *self.needs))


class PeerError(RuntimeError):
    """A program of a peer failed; the message says what it said."""


def _lack_of(need: str) -> str | None:
    kind, _, name = need.rpartition(":")
    if kind == "module":
        return None if find_spec(name) else f"py{name} is not installed; pip install 'kmcodec[measure]' does"
    if kind == "pillow":
        from PIL import features

        return None if features.check(name) else f"this Pillow was built without {name.upper()}"
    return None if shutil.which(name) else f"the program {name} ({_WHERE[name]}) is not on the PATH"


@cache
def _version_of(need: str) -> str:
    from PIL import __version__, features

    kind, _, name = need.rpartition(":")
    if kind == "module":
        from importlib.metadata import version

        return f"{name} {version(f'py{name}')}"
    if kind == "pillow":
        return f"{name} {features.version(name)}" if name else f"Pillow {__version__}"
    said = subprocess.run([name, "--version"], capture_output=True, check=False).stdout.decode(errors="replace")
    return f"{name} {' '.join(said.split()).removeprefix('JPEG XL encoder ').split(' [')[0].removeprefix(name).strip()}"


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    value = work()
    return value, time.perf_counter() - start


def _saved(image: Any, format_name: str, **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def _by_pillow(format_name: str, options_at: Callable[[Point], Mapping[str, Any]]) -> Encode:
    def encode(pixels: Pixels, point: Point) -> tuple[bytes, float]:
        from PIL import Image

        options = options_at(point)
        data, seconds = _timed(lambda: _saved(Image.fromarray(pixels), format_name, **options))
        return data, seconds

    return encode


def _decode_by_pillow(data: bytes) -> tuple[Pixels, float]:
    from PIL import Image

    def decode() -> Pixels:
        with Image.open(BytesIO(data)) as image:
            has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
            return np.asarray(image.convert("RGBA" if has_alpha else "RGB"))

    pixels, seconds = _timed(decode)
    return pixels, seconds


def _encode_png8(pixels: Pixels, point: Point) -> tuple[bytes, float]:
    from PIL import Image

    method = Image.Quantize.FASTOCTREE if pixels.shape[2] == 4 else Image.Quantize.MEDIANCUT
    colors = point.colors or MOST_PALETTE_COLORS

    def encode() -> bytes:
        return _saved(Image.fromarray(pixels).quantize(colors, method), "PNG", optimize=True)

    data, seconds = _timed(encode)
    return data, seconds


def _by_pngquant(*options: str) -> Encode:
    def encode(pixels: Pixels, point: Point) -> tuple[bytes, float]:
        from oxipng import StripChunks, optimize_from_memory
        from PIL import Image

        source = _saved(Image.fromarray(pixels), "PNG", compress_level=1)

        def work() -> bytes:
            reduced = _run([_PNGQUANT, *options, str(max(2, point.colors or MOST_PALETTE_COLORS)), "-"], source)
            optimised: bytes = optimize_from_memory(reduced, level=4, strip=StripChunks.safe())
            return optimised

        data, seconds = _timed(work)
        return data, seconds

    return encode


def _by_cjxl(options_at: Callable[[Point], list[str]]) -> Encode:
    def encode(pixels: Pixels, point: Point) -> tuple[bytes, float]:
        from PIL import Image

        with tempfile.TemporaryDirectory(prefix="kmcodec-") as folder:
            source, target = Path(folder, "picture.png"), Path(folder, "picture.jxl")
            source.write_bytes(_saved(Image.fromarray(pixels), "PNG", compress_level=1))
            command = ["cjxl", str(source), str(target), *options_at(point), "--num_threads=0"]
            _, seconds = _timed(lambda: _run(command))
            return target.read_bytes(), seconds

    return encode


def _decode_by_djxl(data: bytes) -> tuple[Pixels, float]:
    with tempfile.TemporaryDirectory(prefix="kmcodec-") as folder:
        source, target = Path(folder, "picture.jxl"), Path(folder, "picture.png")
        source.write_bytes(data)
        _, seconds = _timed(lambda: _run(["djxl", str(source), str(target), "--num_threads=0"]))
        pixels, _ = _decode_by_pillow(target.read_bytes())
        return pixels, seconds


def _run(command: list[str], data: bytes = b"") -> bytes:
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split()) or "it said nothing"
        raise PeerError(f"{command[0]} failed with exit code {done.returncode}: {said}")
    return done.stdout


def _quality(point: Point) -> int:
    return round(50 if point.quality is None else point.quality)


_PEERS = (
    Peer(
        "png",
        "PNG: Pillow, optimize",
        ".png",
        "image/png",
        "none",
        True,
        (),
        _by_pillow("PNG", lambda _: {"optimize": True}),
        _decode_by_pillow,
    ),
    Peer(
        "png8",
        "PNG-8: Pillow's median cut (octree where there is alpha), optimize",
        ".png",
        "image/png",
        "colors",
        True,
        (),
        _encode_png8,
        _decode_by_pillow,
    ),
    Peer(
        "pngquant",
        "pngquant without dithering, then oxipng level 4",
        ".png",
        "image/png",
        "colors",
        True,
        (_PNGQUANT, "module:oxipng"),
        _by_pngquant("--nofs"),
        _decode_by_pillow,
    ),
    Peer(
        "pngquant-dither",
        "pngquant with its usual dithering, then oxipng level 4",
        ".png",
        "image/png",
        "colors",
        True,
        (_PNGQUANT, "module:oxipng"),
        _by_pngquant(),
        _decode_by_pillow,
    ),
    Peer(
        "webp-lossless",
        "WebP lossless: Pillow, method 6, quality 100",
        ".webp",
        "image/webp",
        "none",
        True,
        ("pillow:webp",),
        _by_pillow("WEBP", lambda _: {"lossless": True, "quality": 100, "method": 6, "exact": True}),
        _decode_by_pillow,
    ),
    Peer(
        "jxl-lossless",
        "JPEG XL lossless: cjxl -d 0 -e 7",
        ".jxl",
        None,
        "none",
        True,
        ("cjxl", "djxl"),
        _by_cjxl(lambda _: ["-d", "0", "-e", "7"]),
        _decode_by_djxl,
    ),
    Peer(
        "jpeg",
        "JPEG: Pillow, 4:2:0, optimize, progressive",
        ".jpg",
        "image/jpeg",
        "quality",
        False,
        ("pillow:jpg",),
        _by_pillow("JPEG", lambda point: {"quality": _quality(point), "optimize": True, "progressive": True}),
        _decode_by_pillow,
    ),
    Peer(
        "webp",
        "WebP lossy: Pillow, method 6",
        ".webp",
        "image/webp",
        "quality",
        True,
        ("pillow:webp",),
        _by_pillow("WEBP", lambda point: {"quality": _quality(point), "method": 6}),
        _decode_by_pillow,
    ),
    Peer(
        "avif",
        "AVIF: Pillow, 4:2:0, speed 6",
        ".avif",
        "image/avif",
        "quality",
        True,
        ("pillow:avif",),
        _by_pillow("AVIF", lambda point: {"quality": _quality(point), "max_threads": 1}),
        _decode_by_pillow,
    ),
    Peer(
        "jxl",
        "JPEG XL lossy: cjxl -q, -e 7",
        ".jxl",
        None,
        "quality",
        True,
        ("cjxl", "djxl"),
        _by_cjxl(lambda point: ["-q", str(_quality(point)), "-e", "7"]),
        _decode_by_djxl,
    ),
)

PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _PEERS}
"""By name, in the order in which they are shown."""

DEFAULT_PEERS = tuple(name for name in PEERS if name != "pngquant-dither")
"""All but one that lowers every metric on purpose: dithering is for the eye, from afar."""
