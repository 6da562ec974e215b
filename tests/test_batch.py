"""Many files in Python: streams of jobs, any executor, workers that die, one palette for all."""

from __future__ import annotations

import itertools
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import kmcodec
from kmcodec.batch import (
    DecodeSettings,
    EncodeSettings,
    Job,
    Outcome,
    Processes,
    WorkersLostError,
    decode_many,
    encode_many,
    large,
    shared_palette,
    with_palette,
)
from kmcodec.batch.streaming import stream
from kmcodec.errors import ImageError
from kmcodec.processes import WorkerDied
from kmcodec.quantizer import Histogram, HistogramSum, histogram, with_alpha

FEW = EncodeSettings(colors=4)


@pytest.fixture
def pictures(tmp_path: Path, photo: np.ndarray) -> list[Path]:
    """Eight small pictures, cut out of a photograph."""
    (tmp_path / "in").mkdir()
    paths = [tmp_path / f"in/{number}.png" for number in range(8)]
    for number, path in enumerate(paths):
        Image.fromarray(photo[20 * number : 20 * number + 24, 40:72]).save(path)
    return paths


def jobs_for(pictures: list[Path], settings: EncodeSettings = FEW) -> list[Job[EncodeSettings]]:
    return [Job(str(path), str(path.parent.parent / f"out/{path.stem}.kmc"), settings) for path in pictures]


def work_done(job: Job[Any]) -> Outcome:
    return Outcome(source=job.source, target=job.target, status="done", settings="")


def death_once(job: Job[Any]) -> Outcome:
    """Kills its process at the first try of the job that says so; the file tells that it was tried."""
    if job.target == "deadly" and not Path(job.source).exists():
        Path(job.source).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return work_done(job)


def death_always(job: Job[Any]) -> Outcome:
    if job.target == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return work_done(job)


EXECUTORS: dict[str, Callable[[], Executor | None]] = {
    "none": lambda: None,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: Processes(2),
    "process pool": lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
}


@pytest.mark.parametrize("large_pixels", [1 << 25, 10])
def test_samples_of_16_bits_are_reduced_with_a_warning_and_never_called_lossless(
    tmp_path: Path, large_pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large, "LARGE_PIXELS", large_pixels)
    source = tmp_path / "deep.png"
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 99).save(source)
    settings = EncodeSettings()
    jobs = [
        Job(str(source), str(tmp_path / f"{name}.kmc"), chosen)
        for name, chosen in (("a", settings), ("b", replace(settings, lossless=True)))
    ]
    reduced, refused = encode_many(jobs)
    assert (reduced.lossless, reduced.warnings) == (False, (f"{source}: its samples of 16 bits are reduced to 8",))
    assert (refused.status, refused.error) == ("failed", f"{source}: samples of 16 bits, where lossless needs 8")


@pytest.mark.parametrize("name", EXECUTORS)
def test_any_executor_makes_the_files_that_encode_makes(name: str, pictures: list[Path]) -> None:
    executor = EXECUTORS[name]()
    outcomes = list(encode_many(jobs_for(pictures), executor=executor, window=3))
    decoding = [Job(one.target, f"{one.target}.png", DecodeSettings()) for one in outcomes]
    decoded = list(decode_many(decoding, executor=executor, window=3))
    if executor is not None:
        executor.shutdown()
    assert sorted(one.source for one in outcomes) == [str(path) for path in pictures]
    assert {one.status for one in [*outcomes, *decoded]} == {"done"}
    for one in outcomes:
        assert Path(one.target).read_bytes() == kmcodec.encode(Image.open(one.source), 4)
        with Image.open(f"{one.target}.png") as image:
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), kmcodec.read(one.target))


def test_an_outcome_tells_what_came_of_it(pictures: list[Path]) -> None:
    (outcome,) = encode_many(jobs_for(pictures[:1]))
    status = pictures[0].stat()
    assert (outcome.source_bytes, outcome.source_stamp) == (status.st_size, str(status.st_mtime_ns))
    assert outcome.target_bytes == Path(outcome.target).stat().st_size
    assert (outcome.width, outcome.height, outcome.colors, outcome.lossless) == (32, 24, 4, False)
    assert outcome.settings == FEW.hash
    assert outcome.psnr_db is not None
    assert outcome.seconds > 0


def test_jobs_and_outcomes_are_frozen_and_small_to_send(pictures: list[Path]) -> None:
    (job,) = jobs_for(pictures[:1])
    (outcome,) = encode_many([job])
    assert len(pickle.dumps(job)) < 1000
    assert len(pickle.dumps(outcome)) < 1000
    for thing in (job, outcome, FEW):
        with pytest.raises(FrozenInstanceError):
            thing.source = "other"  # type: ignore[misc]


def test_one_bad_file_stops_no_other_and_is_named_in_one_sentence(pictures: list[Path], tmp_path: Path) -> None:
    pictures[0].write_bytes(b"")
    pictures[1].write_bytes(b"\x89PNG not")
    pictures[2].unlink()
    pictures[3].write_bytes(kmcodec.encode(np.zeros((2, 2, 3), np.uint8)))
    outcomes = list(encode_many(jobs_for(pictures)))
    assert [one.status for one in outcomes] == ["failed"] * 4 + ["done"] * 4
    assert [one.error for one in outcomes[:4]] == [
        f"{pictures[0]}: empty, where an image was expected",
        f"{pictures[1]}: not an image that Pillow can read, or damaged",
        f"{pictures[2]}: No such file or directory",
        f"{pictures[3]}: a .kmc file already",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["4.kmc", "5.kmc", "6.kmc", "7.kmc"]


def test_a_target_that_exists_is_kept_unless_it_may_be_replaced(pictures: list[Path]) -> None:
    (job,) = jobs_for(pictures[:1])
    Path(job.target).parent.mkdir()
    Path(job.target).write_bytes(b"old")
    (kept,) = encode_many([job])
    assert (kept.status, kept.error) == ("failed", f"{job.target}: exists already")
    assert Path(job.target).read_bytes() == b"old"
    (replaced,) = encode_many([Job(job.source, job.target, EncodeSettings(colors=4, overwrite=True))])
    assert replaced.status == "done"
    assert Path(job.target).read_bytes() == kmcodec.encode(Image.open(job.source), 4)


def test_what_may_be_done_already_is_done_only_if_it_is_the_same(pictures: list[Path]) -> None:
    (job,) = (replace(job, may_be_done=True) for job in jobs_for(pictures[:1]))
    (first,) = encode_many([job])
    stamp = Path(job.target).stat().st_mtime_ns
    (again,) = encode_many([job])
    assert [first.status, again.status] == ["done", "done"]
    assert Path(job.target).stat().st_mtime_ns == stamp
    Path(job.target).write_bytes(b"of somebody else")
    (other,) = encode_many([job])
    assert other.status == "failed"
    assert Path(job.target).read_bytes() == b"of somebody else"


def test_a_file_that_would_not_be_smaller_is_not_written_if_so_asked(pictures: list[Path]) -> None:
    data = kmcodec.encode(Image.open(pictures[0]), 4)
    settings = EncodeSettings(skip_larger=True)
    small = pictures[2]
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)).save(small, "WEBP", quality=1)
    (skipped,) = encode_many(jobs_for([small], settings))
    assert skipped.status == "skipped"
    assert (skipped.target_bytes or 0) >= (skipped.source_bytes or 0)
    assert not Path(skipped.target).exists()
    (done,) = encode_many(jobs_for(pictures[:1], EncodeSettings(colors=4, skip_larger=True)))
    assert (done.status, done.target_bytes) == ("done", len(data))


@pytest.mark.parametrize("executor", [None, "threads"])
def test_an_endless_stream_of_jobs_is_taken_as_it_is_worked_off(executor: str | None) -> None:
    taken = 0

    def endless() -> Iterator[Job[EncodeSettings]]:
        nonlocal taken
        for count in itertools.count(1):
            taken = count
            yield Job("a", "b", FEW)

    with ThreadPoolExecutor(2) as threads:
        outcomes = stream(work_done, endless(), executor=None if executor is None else threads, window=5)
        for number, _ in zip(range(1, 20_001), outcomes, strict=False):
            assert taken - number <= 5
        outcomes.close()
    assert taken <= 20_005


def test_a_worker_that_dies_loses_no_job(tmp_path: Path) -> None:
    jobs = [Job(str(tmp_path / f"tried{n}"), "deadly" if n in (3, 9) else "", FEW) for n in range(14)]
    with Processes(2) as executor:
        outcomes = list(stream(death_once, jobs, executor=executor, window=4))
    assert sorted(one.source for one in outcomes) == sorted(job.source for job in jobs)
    assert {one.status for one in outcomes} == {"done"}


def test_a_job_that_kills_every_worker_fails_alone() -> None:
    jobs = [Job(f"{n}.png", "deadly" if n == 3 else "", FEW) for n in range(8)]
    with Processes(2) as executor:
        outcomes = {one.source: one for one in stream(death_always, jobs, executor=executor, window=4)}
    assert len(outcomes) == 8
    assert [one.source for one in outcomes.values() if one.status == "failed"] == ["3.png"]
    assert outcomes["3.png"].error == "3.png: the process that worked on it died, perhaps for lack of memory"


def test_a_process_pool_that_breaks_loses_no_job() -> None:
    jobs = [Job(f"{n}.png", "deadly" if n == 3 else "", FEW) for n in range(8)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as executor:
        outcomes = {one.source: one for one in stream(death_always, jobs, executor=executor, window=4)}
    assert len(outcomes) == 8
    assert [one.source for one in outcomes.values() if one.status == "failed"] == ["3.png"]


def test_an_executor_that_takes_no_more_is_said_after_what_is_done() -> None:
    executor = ThreadPoolExecutor(1)

    def jobs() -> Iterator[Job[EncodeSettings]]:
        yield Job("a", "b", FEW)
        yield Job("c", "d", FEW)
        executor.shutdown()
        yield Job("e", "f", FEW)

    outcomes = stream(work_done, jobs(), executor=executor, window=2)
    assert {next(outcomes).source, next(outcomes).source} == {"a", "c"}
    with pytest.raises(WorkersLostError, match="the workers are gone: cannot schedule new futures after shutdown"):
        next(outcomes)


def test_calls_that_are_stopped_end_at_once() -> None:
    with Processes(1) as executor:
        future = executor.submit(signal.pause)
        executor.submit(int).cancel()
        while not executor._alive:
            pass
        executor.stop()
    assert isinstance(future.exception(), WorkerDied)


def test_what_a_call_raises_or_cannot_send_is_its_own_error() -> None:
    with Processes(1) as executor:
        with pytest.raises(ValueError, match="invalid literal"):
            executor.submit(int, "x").result()
        with pytest.raises(Exception, match="pickle"):
            executor.submit(lambda: None).result()
        assert executor.submit(int, "7").result() == 7


def test_the_hash_of_settings_is_of_what_makes_the_bytes() -> None:
    palette = np.array([[1, 2, 3]], np.uint8)
    different = [
        FEW,
        EncodeSettings(colors=5),
        EncodeSettings(colors=4, keep=["#ff0000"]),
        EncodeSettings(colors=4, effort=6),
        EncodeSettings(rdo=4),
        EncodeSettings(palette=palette),
        EncodeSettings(palette=palette + 1),
        EncodeSettings(as_is=True),
        DecodeSettings(),
    ]
    assert len({settings.hash for settings in different}) == len(different)
    same = EncodeSettings(colors=4, threads=3, max_pixels=9, overwrite=True, skip_larger=True)
    assert same.hash == FEW.hash


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"colors": 0}, "colors must be from 1"),
        ({"effort": 10}, "effort must be a whole number from 1 to 9"),
        ({"coding": "zip"}, "coding must be"),
        ({"quality": 50, "colors": 9}, "quality and colors exclude each other"),
    ],
)
def test_wrong_settings_are_refused_before_any_work(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EncodeSettings(**wrong)


def test_the_window_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="window must be at least 1, not 0"):
        encode_many([], window=0)


@pytest.mark.parametrize("name", ["none", "processes"])
@pytest.mark.parametrize(
    "options", [{"colors": 9}, {"colors": 7, "space": "oklab", "keep": ["#ff000080"], "rare": 0.3}]
)
def test_a_shared_palette_is_that_of_all_pixels_together(
    name: str, options: dict[str, Any], pictures: list[Path]
) -> None:
    whole = np.concatenate([np.asarray(Image.open(path)) for path in pictures])
    together = kmcodec.quantize(whole, **options)
    settings = EncodeSettings(**options)
    executor = EXECUTORS[name]()
    palette = shared_palette(map(str, pictures), settings, executor=executor, window=3)
    outcomes = list(encode_many(jobs_for(pictures, with_palette(settings, palette)), executor=executor))
    if executor is not None:
        executor.shutdown()
    assert palette.tobytes() == together.palette.tobytes()
    labels = {}
    for one in outcomes:
        with kmcodec.open(one.target) as file:
            assert file.palette.tobytes() == together.palette.tobytes()
            labels[one.source] = file.labels()
    np.testing.assert_array_equal(np.concatenate([labels[str(path)] for path in pictures]), together.labels)


def test_where_one_picture_has_alpha_the_shared_palette_has(pictures: list[Path]) -> None:
    pixels = [np.asarray(Image.open(path).convert("RGBA")).copy() for path in pictures]
    pixels[2][:9, :, 3] = 100
    Image.fromarray(pixels[2]).save(pictures[2])
    palette = shared_palette(map(str, pictures), FEW)
    assert palette.tobytes() == kmcodec.quantize(np.concatenate(pixels), 4).palette.tobytes()


def test_a_shared_palette_counts_large_pictures_row_by_row(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = shared_palette(map(str, pictures), FEW)
    monkeypatch.setattr(large, "LARGE_PIXELS", 100)
    monkeypatch.setattr(large, "IN_MEMORY_PIXELS", 100)
    assert shared_palette(map(str, pictures), FEW).tobytes() == expected.tobytes()
    (outcome,) = encode_many([replace(jobs_for(pictures[:1])[0], settings=with_palette(FEW, expected))])
    assert outcome.status == "done"
    (again,) = encode_many([replace(jobs_for(pictures[:1])[0], settings=with_palette(FEW, expected), may_be_done=True)])
    assert again.status == "done"


def test_a_picture_that_cannot_be_read_has_no_part_in_the_shared_palette(pictures: list[Path]) -> None:
    expected = shared_palette(map(str, pictures[1:]), FEW)
    pictures[0].write_bytes(b"no picture")
    assert shared_palette(map(str, pictures), FEW).tobytes() == expected.tobytes()
    with pytest.raises(ImageError, match="there is no picture to take a shared palette of"):
        shared_palette([str(pictures[0])], FEW)


def test_a_shared_palette_is_lossless_or_says_how_many_colours_there_are(pictures: list[Path], tmp_path: Path) -> None:
    lossless = EncodeSettings(lossless=True)
    palette = shared_palette(map(str, pictures), lossless)
    outcomes = list(encode_many(jobs_for(pictures, with_palette(lossless, palette))))
    assert all(one.lossless for one in outcomes)
    values = np.arange(70_000)
    pixels = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.uint8)
    for part, name in ((pixels[:40_000], "a.bmp"), (pixels[40_000:], "b.bmp")):
        Image.fromarray(part[None]).save(tmp_path / name)
    with pytest.raises(ImageError, match=r"^the set of all pictures has 70000 colours; lossless needs at most 65536"):
        shared_palette([str(tmp_path / name) for name in ("a.bmp", "b.bmp")], lossless)


@pytest.mark.parametrize(
    "options", [{"quality": 50}, {"psnr_db": 30}, {"max_bytes": 99}, {"palette": np.zeros((1, 3), np.uint8)}]
)
def test_settings_that_choose_colours_for_each_picture_share_none(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a shared palette and .* exclude each other"):
        shared_palette([], EncodeSettings(**options))


def test_a_sum_of_histograms_is_that_of_the_whole_in_any_order(photo: np.ndarray) -> None:
    parts = [histogram(photo[top : top + 60]) for top in range(0, 240, 60)]
    whole = histogram(photo[:240])
    for order in (parts, parts[::-1]):
        total = HistogramSum()
        for part in order:
            total.add(part)
        assert_same(total.result(), whole)


def test_colours_without_alpha_are_opaque_among_those_that_have_it(photo: np.ndarray) -> None:
    opaque = np.dstack([photo, np.full(photo.shape[:2], 255, np.uint8)])
    assert_same(with_alpha(histogram(photo)), histogram(opaque))


def assert_same(one: Histogram, other: Histogram) -> None:
    assert one.channels == other.channels
    np.testing.assert_array_equal(one.keys, other.keys)
    np.testing.assert_array_equal(one.counts, other.counts)
