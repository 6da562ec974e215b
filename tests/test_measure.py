"""Measuring size against quality: sweeps, peers, BD-rates, summaries."""

from __future__ import annotations

import csv
import json
import math
import os
import signal
import sys
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import kmcodec
from kmcodec.jsonlines import LinesError
from kmcodec.measure import (
    NamedPicture,
    Record,
    bd_rate,
    bd_rates,
    csv_of,
    json_of,
    means,
    plot_of,
    pool,
    samples,
    sweep,
)
from kmcodec.measure import own as own_module
from kmcodec.measure.bench import Bench, Outcome, Task
from kmcodec.measure.own import OwnEncoder
from kmcodec.measure.peers import PEERS, Peer
from kmcodec.measure.pictures import expand
from kmcodec.measure.records import COLUMNS, Point, record_from_json
from kmcodec.measure.state import read_state
from kmcodec.measure.sweeps import Settings, kept_file

QUICK = {"colors": (4, 16), "peers": ("png8", "jpeg"), "peer_quality": (30, 80)}


@pytest.fixture
def picture(photo: np.ndarray) -> NamedPicture:
    return NamedPicture("photo", photo[:96, :128].copy())


# BD-rate


ANCHOR = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
TESTED = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)]
HIGH_ANCHOR = [(82472.76, 43.825), (26875.24, 41.404), (9487.76, 40.037), (4593.6, 38.615)]
HIGH_TESTED = [(99896.96, 44.731), (33952.04, 41.875), (9787.8, 40.121), (4469.0, 38.651)]
OLD_ANCHOR = [(686.76, 40.28), (309.58, 37.18), (157.11, 34.24), (85.95, 31.42)]
OLD_TESTED = [(893.34, 40.39), (407.8, 37.21), (204.93, 34.17), (112.75, 31.24)]


@pytest.mark.parametrize(
    ("curve", "reference", "percent"),
    [
        (TESTED, ANCHOR, -4.417485350589),
        (HIGH_TESTED, HIGH_ANCHOR, -4.472182002762),
        (OLD_TESTED, OLD_ANCHOR, 31.379878202398),
    ],
)
def test_bd_rate_is_that_of_the_reference_implementation(
    curve: list[tuple[float, float]], reference: list[tuple[float, float]], percent: float
) -> None:
    """
    The examples of FAU-LMS/bjontegaard, and one that is much used; values by its version 1.3.0, method "pchip", which
    its authors found equal to JVET's spreadsheet in ten decimals.
    """
    assert bd_rate(curve, reference) == pytest.approx(percent, abs=1e-9)
    assert bd_rate(list(reversed(curve)), reference) == pytest.approx(percent, abs=1e-9)


def test_bd_rate_interpolates_as_scipy_does() -> None:
    from scipy.interpolate import PchipInterpolator

    rng = np.random.default_rng(3)
    for _ in range(50):
        curves = [
            list(zip(np.exp(rng.normal(8, 1, 5)), np.sort(rng.uniform(20, 50, 5)), strict=True)) for _ in range(2)
        ]
        low, high = max(min(q for _, q in c) for c in curves), min(max(q for _, q in c) for c in curves)
        fits = [PchipInterpolator([q for _, q in c], np.log([s for s, _ in c])) for c in curves]
        mean = (fits[0].integrate(low, high) - fits[1].integrate(low, high)) / (high - low)
        assert bd_rate(*curves) == pytest.approx(100 * (math.exp(mean) - 1), rel=1e-9)


def test_bd_rate_of_half_the_bytes_is_minus_50_in_either_direction_of_quality() -> None:
    halved = [(size / 2, quality) for size, quality in ANCHOR]
    assert bd_rate(halved, ANCHOR) == pytest.approx(-50)
    assert bd_rate(ANCHOR, halved) == pytest.approx(100)
    distances = [(size, 100 - quality) for size, quality in ANCHOR]
    assert bd_rate(
        [(size / 2, value) for size, value in distances], distances, higher_is_better=False
    ) == pytest.approx(-50)


def test_bd_rate_leaves_out_what_has_no_finite_quality_and_all_but_the_smallest_of_one_quality() -> None:
    assert bd_rate([*TESTED, (1e6, math.inf), (1e5, 40.121)], ANCHOR) == bd_rate(TESTED, ANCHOR)


@pytest.mark.parametrize(
    ("curve", "message"),
    [
        ([(10, 1), (20, 2)], "share no range of quality"),
        ([(10, 35)], "at least two points"),
        ([(10, 35), (12, math.inf)], "at least two points"),
        ([(0, 35), (12, 36)], "sizes must be above 0"),
    ],
)
def test_bd_rate_needs_curves_that_can_be_compared(curve: list[tuple[float, float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bd_rate(curve, ANCHOR)


# Sweeps


def test_figures_are_those_of_the_files(picture: NamedPicture, tmp_path: Path) -> None:
    result = sweep([picture], **QUICK, metrics=("psnr", "ssim", "ciede2000", "ssimulacra2"), files=tmp_path)
    assert [(record.codec, record.setting) for record in result] == [
        ("kmcodec", "K 4"),
        ("kmcodec", "K 16"),
        ("png8", "K 4"),
        ("png8", "K 16"),
        ("jpeg", "quality 30"),
        ("jpeg", "quality 80"),
    ]
    assert isinstance(picture.content, np.ndarray)
    original = picture.content.astype(float)
    for record in result:
        ending = {"kmcodec": ".kmc", "png8": ".png", "jpeg": ".jpg"}[record.codec]
        file = tmp_path / "photo" / f"{record.codec}-{record.setting.replace(' ', '-')}{ending}"
        decoded = kmcodec.read(file) if record.codec == "kmcodec" else np.asarray(Image.open(file).convert("RGB"))
        assert record.file_bytes == file.stat().st_size
        assert record.bits_per_pixel == 8 * record.file_bytes / (96 * 128)
        assert record.compression_ratio == 96 * 128 * 3 / record.file_bytes
        assert record.psnr_db == pytest.approx(10 * math.log10(255**2 / np.square(decoded - original).mean()), abs=1e-9)
        assert record.ssim is not None
        assert record.ssimulacra2 is not None
        assert record.encode_seconds > 0
        assert record.decode_seconds > 0


@pytest.mark.parametrize(
    ("point", "arguments"),
    [
        (Point(codec="kmcodec", colors=16), {"colors": 16}),
        (Point(codec="kmcodec", colors=300), {"colors": 300}),
        (Point(codec="kmcodec", colors=32, rdo=50.0), {"colors": 32, "rdo": 50.0}),
        (Point(codec="kmcodec", colors=32, rdo=50.0, effort=3), {"colors": 32, "rdo": 50.0, "effort": 3}),
        (Point(codec="kmcodec", quality=40.0), {"quality": 40.0}),
        (Point(codec="kmcodec", quality=100.0), {"quality": 100.0}),
    ],
)
@pytest.mark.parametrize("has_alpha", [False, True])
def test_shared_work_does_not_change_the_bytes(
    point: Point, arguments: dict[str, float], has_alpha: bool, photo: np.ndarray
) -> None:
    pixels = photo[:64, :80].copy()
    if has_alpha:
        pixels = np.dstack([pixels, pixels[..., 0]])
    encoder = OwnEncoder(pixels)
    encoder.encode(Point(codec="kmcodec", colors=8, rdo=20.0))  # something to share
    data, _ = encoder.encode(point)
    assert data == kmcodec.encode(pixels, **arguments)  # type: ignore[arg-type]


def test_the_histogram_is_computed_once_a_picture(picture: NamedPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    prepare = own_module.prepare
    monkeypatch.setattr(own_module, "prepare", lambda *arguments: calls.append(1) or prepare(*arguments))
    sweep([picture], colors=(2, 4, 8), rdo=(0, 50), peers=(), metrics=())
    assert len(calls) == 1


def test_several_processes_measure_the_same(picture: NamedPicture, photo: np.ndarray) -> None:
    other = NamedPicture("other", photo[100:140, :50].copy())
    one, two = (sweep([picture, other], **QUICK, jobs=jobs) for jobs in (1, 2))
    timeless = [{k: v for k, v in vars(record).items() if "seconds" not in k} for record in (*one, *two)]
    assert timeless[: len(one)] == timeless[len(one) :]
    assert [record.picture for record in two] == ["photo"] * 6 + ["other"] * 6


def test_colours_rdo_and_quality_are_swept(picture: NamedPicture) -> None:
    result = sweep([picture], colors=(4, 8), rdo=(0, 100), peers=(), metrics=())
    assert [record.setting for record in result] == ["K 4", "K 8", "K 4, λ 100", "K 8, λ 100"]
    assert [record.series for record in result] == ["kmcodec", "kmcodec", "kmcodec λ 100", "kmcodec λ 100"]
    by_quality = sweep([picture], quality=(20, 60), peers=(), metrics=())
    assert [record.setting for record in by_quality] == ["quality 20", "quality 60"]
    assert by_quality.records[0].file_bytes < by_quality.records[1].file_bytes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"colors": (0,)}, "colors must be from 1 to 65536, not 0"),
        ({"rdo": (-1,)}, "rdo must be from 0 to 1e"),
        ({"quality": (101,)}, "quality must be from 1 to 100, not 101"),
        ({"quality": (50,), "rdo": (5,)}, "quality and rdo exclude each other"),
        ({"peers": ("gif",)}, "there is no peer 'gif'; there are png, png8"),
        ({"metrics": ("vmaf",)}, "there is no metric 'vmaf'; there are psnr"),
        ({"colors": ()}, "nothing to sweep"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sweep([], **arguments)  # type: ignore[arg-type]


def test_one_bad_picture_stops_nothing_and_is_named_once(picture: NamedPicture, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG not")
    result = sweep([bad, tmp_path / "none.png", picture], **QUICK)
    assert len(result) == 6
    assert [str(failure) for failure in result.failures] == [
        f"{bad}: not an image that Pillow can read, or damaged",
        f"{tmp_path / 'none.png'}: No such file or directory",
    ]


def test_a_codec_that_fails_stops_no_other(picture: NamedPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: np.ndarray, point: Point) -> tuple[bytes, float]:
        raise OSError(f"no room for {point.colors}")

    broken = Peer(**{**vars(PEERS["png8"]), "encode": fail})
    monkeypatch.setitem(PEERS, "png8", broken)  # type: ignore[arg-type]
    result = sweep([picture], **QUICK)
    assert [record.codec for record in result] == ["kmcodec", "kmcodec", "jpeg", "jpeg"]
    assert [str(failure) for failure in result.failures] == [
        "photo: png8 (K 4): no room for 4",
        "photo: png8 (K 16): no room for 16",
    ]


def test_a_process_that_dies_is_one_failure(picture: NamedPicture) -> None:
    tasks = [Task(picture, Point(codec="kmcodec", colors=k), (), False, None) for k in (2, 666, 3)]
    found = [(task.point.colors, outcome.failure) for task, outcome in pool.run([tasks, tasks[:1]], 2, Mortal)]
    failures = [str(failure) for _, failure in found if failure is not None]
    assert sorted(colors for colors, _ in found) == [2, 2, 3, 666]
    assert failures == ["photo: kmcodec (K 666): the process that worked on it died, perhaps for lack of memory"]


class Mortal(Bench):
    """Dies of 666 colours."""

    def run(self, task: Task) -> Outcome:
        if task.point.colors == 666:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(task)


def test_a_missing_peer_is_named_as_missing(picture: NamedPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    result = sweep([picture], colors=(4,), peers=("pngquant", "jxl", "png8"), metrics=())
    assert [record.codec for record in result] == ["kmcodec", "png8"]
    assert list(result.missing) == ["pngquant", "jxl"]
    assert "the program pngquant (pngquant.org) is not on the PATH" in result.missing["pngquant"]
    assert "cjxl" in result.missing["jxl"]


@pytest.mark.parametrize("name", [name for name in PEERS if PEERS[name].missing() is None])
def test_every_peer_that_is_here_gives_the_picture_back(name: str, photo: np.ndarray) -> None:
    peer = PEERS[name]
    for pixels in (photo[:40, :56], np.dstack([photo[:40, :56], photo[:40, :56, 1]])):
        if pixels.shape[2] == 4 and not peer.has_alpha:
            continue
        points = [Point(codec=name, colors=k) for k in (4, 64)] if peer.knob == "colors" else [Point(codec=name)]
        if peer.knob == "quality":
            points = [Point(codec=name, quality=quality) for quality in (20.0, 90.0)]
        found = []
        for point in points:
            data, seconds = peer.encode(pixels, point)
            decoded, _ = peer.decode(data)
            assert decoded.shape[:2] == pixels.shape[:2]
            assert seconds > 0
            found.append((len(data), kmcodec.metrics.psnr_db(pixels, decoded)))
        assert found == sorted(found)
        assert found[-1][1] == math.inf if peer.knob == "none" else found[-1][1] > 25
        assert peer.tool()


def test_a_codec_without_alpha_skips_pictures_that_have_it(photo: np.ndarray) -> None:
    picture = NamedPicture("clear", np.dstack([photo[:32, :32], photo[:32, :32, 0]]))
    result = sweep([picture], **QUICK)
    assert [record.codec for record in result] == ["kmcodec", "kmcodec", "png8", "png8"]
    assert [(str(failure), failure.skipped) for failure in result.failures] == [
        ("clear: jpeg: its files hold no transparency, which the picture has", True)
    ]


def test_arrays_may_be_grey_and_wrong_ones_are_named(photo: np.ndarray) -> None:
    pictures = [NamedPicture("grey", photo[:40, :40, 0].copy()), NamedPicture("float", np.zeros((4, 4, 3)))]
    result = sweep(pictures, colors=(4,), peers=())
    assert [record.picture for record in result] == ["grey"]
    assert str(result.failures[0]).startswith("float: image must be")


def test_two_pictures_of_one_name_are_refused(picture: NamedPicture) -> None:
    with pytest.raises(ValueError, match="two pictures are named photo: measure them apart"):
        sweep([picture, picture])


def test_files_are_kept_apart_whatever_their_pictures_are_called(tmp_path: Path) -> None:
    point = Point(codec="kmcodec", colors=16, rdo=2.5)
    kept = [kept_file(tmp_path, name, point) for name in ("x.png", "a/x.png", "/b/x.png", "../../../x.jpg")]
    assert len(set(kept)) == 4
    assert all(path.is_relative_to(tmp_path) for path in kept)
    assert kept[1] == tmp_path / "a/x.png/kmcodec-K-16-rdo-2.5.kmc"


def test_peers_of_a_palette_take_up_to_256_colours_and_it_is_said() -> None:
    settings = Settings(colors=(64, 1024), peers=("png8", "jpeg"))
    assert [point.colors for point in settings.points if point.codec == "png8"] == [64]
    assert list(settings.limits()) == ["png8"]


def test_pictures_too_small_for_a_metric_are_measured_by_the_others(photo: np.ndarray) -> None:
    (record,) = sweep([NamedPicture("icon", photo[:9, :10].copy())], colors=(4,), peers=())
    assert record.ssim is None
    assert record.ciede2000_mean is not None


# Pictures


def test_files_folders_and_patterns(tmp_path: Path, photo: np.ndarray) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("a.png", "b.jpg", "sub/c.webp"):
        Image.fromarray(photo[:8, :8]).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("none")
    shown = [str(Path(name).relative_to(tmp_path)) for name in expand([str(tmp_path)])]
    assert shown == ["a.png", "b.jpg", "sub/c.webp"]
    a, c = str(tmp_path / "a.png"), str(tmp_path / "sub/c.webp")
    assert expand([str(tmp_path / "*.png"), a]) == [a]
    assert expand([str(tmp_path / "**/*.webp")]) == [c]
    assert expand(["gone.png", "http://x/y*.png"]) == ["gone.png", "http://x/y*.png"]
    assert expand([str(tmp_path / "*.gif")]) == [str(tmp_path / "*.gif")]


def test_a_name_with_the_signs_of_patterns_is_a_file_if_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "a[1].png").write_bytes(b"")
    assert expand([str(tmp_path / "a[1].png")]) == [str(tmp_path / "a[1].png")]


def test_the_samples_come_with_the_package() -> None:
    assert [sample.name for sample in samples()] == ["caps.png", "flowers.png", "graph.png", "window.png"]


# The file to resume from


def test_a_sweep_goes_on_where_it_stopped(picture: NamedPicture, tmp_path: Path) -> None:
    state, steps = tmp_path / "state.jsonl", []
    first = sweep([picture], **{**QUICK, "colors": (4,)}, resume=state)
    second = sweep([picture], **QUICK, resume=state, watch=steps.append)
    assert [(step.point.setting, step.fresh) for step in steps if step.fresh] == [("K 16", True), ("K 16", True)]
    assert set(first).issubset(set(second))
    assert len(second) == 6
    assert len(state.read_text(encoding="utf-8").splitlines()) == 6


def test_the_key_is_the_content_not_the_name(picture: NamedPicture, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    sweep([picture], **QUICK, resume=state)
    renamed = sweep([NamedPicture("new name", picture.content)], **QUICK, resume=state)
    assert {record.picture for record in renamed} == {"new name"}
    assert len(state.read_text(encoding="utf-8").splitlines()) == 6


def test_another_metric_or_picture_is_measured_anew(picture: NamedPicture, tmp_path: Path) -> None:
    state, steps = tmp_path / "state.jsonl", []
    sweep([picture], colors=(4,), peers=(), metrics=("psnr",), resume=state)
    (record,) = sweep([picture], colors=(4,), peers=(), metrics=("ssim",), resume=state, watch=steps.append)
    assert steps[0].fresh
    assert record.ssim is not None
    assert isinstance(picture.content, np.ndarray)
    sweep([NamedPicture("photo", picture.content[1:])], colors=(4,), peers=(), resume=state, watch=steps.append)
    assert steps[1].fresh


def test_a_line_that_was_cut_off_is_measured_again(picture: NamedPicture, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    sweep([picture], **QUICK, resume=state)
    whole = state.read_bytes()
    state.write_bytes(whole[:-40])
    assert len(read_state(state)) == 5
    sweep([picture], **QUICK, resume=state)
    assert len(read_state(state)) == 6
    assert all(json.loads(line) for line in state.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    "content", ["hello\nworld\n", "{}\n", '{"key": "a", "record": {"lossless": false}}\n', "[1]\n"]
)
def test_a_file_of_something_else_is_refused_and_left_alone(content: str, tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    state.write_text(content, encoding="utf-8")
    with pytest.raises(LinesError, match="line 1 is no record of a sweep"):
        sweep([], resume=state)
    assert state.read_text(encoding="utf-8") == content


# Reports


def record_of(picture: str, codec: str, colors: int, file_bytes: int, psnr_db: float) -> Record:
    return Record(
        codec=codec, colors=colors, picture=picture, picture_sha256=picture, width=10, height=10, channels=3,
        tool=codec, file_bytes=file_bytes, bits_per_pixel=8 * file_bytes / 100, compression_ratio=300 / file_bytes,
        psnr_db=psnr_db, encode_seconds=1.0, decode_seconds=1.0,
    )  # fmt: skip


def test_means_are_geometric_for_sizes_and_arithmetic_for_quality() -> None:
    (mean,) = means([record_of("a", "x", 4, 100, 30), record_of("b", "x", 4, 400, 40)])
    assert (mean.pictures, mean.file_bytes, mean.psnr_db) == (2, pytest.approx(200), 35)


def test_means_of_psnr_leave_out_and_count_pictures_without_loss() -> None:
    (mean,) = means([record_of("a", "x", 4, 100, 30), record_of("b", "x", 4, 400, math.inf)])
    assert (mean.psnr_db, mean.lossless_pictures) == (30, 1)
    (lossless,) = means([record_of("b", "x", 4, 400, math.inf)])
    assert lossless.psnr_db == math.inf


def test_bd_rates_over_pictures_are_geometric_means_of_ratios() -> None:
    records = []
    for picture, factor in (("a", 2), ("b", 8)):
        for k, size, quality in ((2, 10, 20.0), (4, 20, 30.0)):
            records += [record_of(picture, "x", k, size, quality), record_of(picture, "y", k, factor * size, quality)]
    rates = {(rate.series, rate.reference): rate for rate in bd_rates(records)}
    assert rates["y", "x"].percent == pytest.approx(300)  # the mean of 2 and 8 is 4
    assert rates["x", "y"].percent == pytest.approx(-75)
    assert rates["x", "y"].pictures == 2


def test_csv_has_the_documented_columns(picture: NamedPicture) -> None:
    result = sweep([picture], **{**QUICK, "peers": ("png", "png8")})
    rows = list(csv.DictReader(StringIO(csv_of(result))))
    assert list(rows[0]) == list(COLUMNS)
    assert [int(row["file_bytes"]) for row in rows] == [record.file_bytes for record in result]
    assert [float(row["psnr_db"]) for row in rows] == [record.psnr_db for record in result]
    assert [row["psnr_db"] for row in rows if row["codec"] == "png"] == ["inf"]
    assert {row["ssimulacra2"] for row in rows} == {""}


def test_json_gives_the_records_back(picture: NamedPicture) -> None:
    result = sweep([picture], **{**QUICK, "peers": ("png", "png8")})
    document = json.loads(json_of(result))
    assert [record_from_json(record) for record in document["records"]] == list(result)
    assert document["columns"] == COLUMNS
    assert {(rate["series"], rate["reference"]) for rate in document["bd_rates"]} == {
        ("png8", "kmcodec"),
        ("kmcodec", "png8"),
    }


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_plots_are_drawn_and_the_same_every_time(kind: str, start: bytes, picture: NamedPicture) -> None:
    result = sweep([picture], **{**QUICK, "peers": ("png", "png8")})
    plot = plot_of(result, kind)  # type: ignore[arg-type]
    assert plot.startswith(start)
    assert plot == plot_of(result, kind)  # type: ignore[arg-type]
    if kind == "png":
        width, height = Image.open(BytesIO(plot)).size
        assert width > 800
        assert height > 800


def test_to_pandas_needs_pandas_and_says_so(picture: NamedPicture, monkeypatch: pytest.MonkeyPatch) -> None:
    result = sweep([picture], colors=(4,), peers=(), metrics=())
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_pandas needs pandas; install it with: pip install pandas"):
        result.to_pandas()


def test_to_pandas_has_the_columns(picture: NamedPicture) -> None:
    pytest.importorskip("pandas")
    frame = sweep([picture], colors=(4, 8), peers=(), metrics=()).to_pandas()
    assert list(frame.columns) == list(COLUMNS)
    assert list(frame["colors"]) == [4, 8]
