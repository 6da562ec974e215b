"""One measurement: encode, decode, compare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from kmcodec import __version__, metrics
from kmcodec.codec import decode
from kmcodec.errors import ImageError
from kmcodec.indexed import Pixels
from kmcodec.measure.own import OwnEncoder
from kmcodec.measure.peers import PEERS
from kmcodec.measure.pictures import LoadedPicture, Source, load, name_of
from kmcodec.measure.records import OWN, Failure, Point, Record


@dataclass(frozen=True, eq=False)
class Task:
    """
    One point of one picture.

    Attributes:
        source: The picture.
        point: Codec and setting.
        metrics: Names of what to measure, of `METRICS`; None to encode only.
        keep: Whether the encoded file is wanted.
        max_pixels: Most pixels the picture may have.
    """

    source: Source
    point: Point
    metrics: tuple[str, ...] | None
    keep: bool
    max_pixels: int | None


@dataclass(frozen=True, eq=False)
class Outcome:
    """
    What came of a task: a record, unless only the file was wanted, or a failure.

    Attributes:
        record: What was measured.
        failure: Why it was not.
        encoded: The file, if it was to be kept.
    """

    record: Record | None = None
    failure: Failure | None = None
    encoded: bytes | None = None


class Bench:
    """Measures tasks one after the other, and keeps what the next one of the same picture can use."""

    def __init__(self) -> None:
        self._source: Source | None = None
        self._work: _Workpiece | None = None

    def run(self, task: Task) -> Outcome:
        """Measure; what goes wrong is in the outcome, and only KeyboardInterrupt and the like are raised."""
        try:
            if self._work is None or task.source is not self._source:
                self._source, self._work = None, None
                self._work = _Workpiece(load(task.source, max_pixels=task.max_pixels))
                self._source = task.source
        except Exception as error:
            return Outcome(failure=_failure(task, None, error))
        peer = PEERS.get(task.point.codec)
        if peer is not None and not peer.has_alpha and self._work.pixels.shape[2] == 4:
            reason = "its files hold no transparency, which the picture has"
            name = name_of(task.source)
            return Outcome(failure=Failure(picture=name, codec=peer.name, setting=None, message=reason, skipped=True))
        try:
            return self._work.run(task)
        except Exception as error:  # peers raise whatever their libraries do
            return Outcome(failure=_failure(task, task.point, error))


class _Workpiece:
    """A picture, and what its points share."""

    def __init__(self, picture: LoadedPicture) -> None:
        self._picture, self.pixels = picture, picture.pixels

    @cached_property
    def _own(self) -> OwnEncoder:
        return OwnEncoder(self.pixels)

    def run(self, task: Task) -> Outcome:
        point, pixels = task.point, self.pixels
        if point.codec == OWN:
            data, encode_seconds = self._own.encode(point)
        else:
            data, encode_seconds = PEERS[point.codec].encode(pixels, point)
        encoded = data if task.keep else None
        if task.metrics is None:
            return Outcome(encoded=encoded)
        decoded, decode_seconds = decoded_by(point.codec, data)
        height, width, channels = pixels.shape
        measured = _measured(task.metrics, pixels, decoded)
        record = Record(
            **vars(point),
            picture=self._picture.name,
            picture_sha256=self._picture.sha256,
            width=width,
            height=height,
            channels=channels,
            tool=tool_of(point.codec),
            file_bytes=len(data),
            bits_per_pixel=metrics.bits_per_pixel(len(data), width * height),
            compression_ratio=metrics.compression_ratio(len(data), width * height, channels),
            psnr_db=metrics.psnr_db(pixels, decoded),
            encode_seconds=encode_seconds,
            decode_seconds=decode_seconds,
            ssim=measured.get("ssim"),
            ciede2000_mean=measured.get("ciede2000_mean"),
            ciede2000_p95=measured.get("ciede2000_p95"),
            ssimulacra2=measured.get("ssimulacra2"),
        )
        return Outcome(record=record, encoded=encoded)


def decoded_by(codec: str, data: bytes) -> tuple[Pixels, float]:
    """Pixels of a file, and the seconds that decoding took in one thread."""
    if codec != OWN:
        return PEERS[codec].decode(data)
    start = time.perf_counter()
    pixels = decode(data, threads=1)
    return pixels, time.perf_counter() - start


def tool_of(codec: str) -> str:
    """What encodes, and its version."""
    return f"{OWN} {__version__}" if codec == OWN else PEERS[codec].tool()


def _measured(names: tuple[str, ...], original: Pixels, decoded: Pixels) -> Mapping[str, float]:
    """The metrics chosen, but for those that the picture is too small for."""
    side = min(original.shape[:2])
    values: dict[str, float] = {}
    if "ssim" in names and side >= metrics.SSIM_SMALLEST_SIDE:
        values["ssim"] = metrics.ssim(original, decoded)
    if "ciede2000" in names:
        difference = metrics.ciede2000(original, decoded)
        values |= {"ciede2000_mean": difference.mean, "ciede2000_p95": difference.p95}
    if "ssimulacra2" in names and side >= metrics.SSIMULACRA2_SMALLEST_SIDE:
        values["ssimulacra2"] = metrics.ssimulacra2(original, decoded)
    return values


def _failure(task: Task, point: Point | None, error: Exception) -> Failure:
    codec, setting = (None, None) if point is None else (point.codec, point.setting)
    return Failure(picture=name_of(task.source), codec=codec, setting=setting, message=message_of(error))


def message_of(error: BaseException) -> str:
    """What is wrong, in one sentence."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())
    if not text or isinstance(error, (KeyError, AssertionError)):
        return f"{type(error).__name__} {text}".strip()
    return (
        text
        if isinstance(error, (ImageError, ImportError, TypeError, ValueError, RuntimeError))
        else text[:1].lower() + text[1:]
    )
