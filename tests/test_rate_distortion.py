"""Size against quality: labels chosen by both, and files for a quality, a PSNR or a size."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from decimal import Inexact, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmcodec
from kmcodec.format.prediction import chooser
from kmcodec.format.prediction.parameters import ContextSet, Parameters
from kmcodec.metrics import psnr_db
from kmcodec.quantizer import SRGB, Options, histogram
from kmcodec.rate_distortion import MOST_TRIALS, Target, Trial, activity, encode_for, labels, target
from kmcodec.rate_distortion.activity import activity_weights
from kmcodec.rate_distortion.labels import choose_labels, source_of
from kmcodec.rate_distortion.quality import setting_at
from kmcodec.rate_distortion.reduce import Reducer
from kmcodec.rate_distortion.search import Goal, Scale, search
from tests.conftest import sample_pixels

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([3, 4])))
targets = st.sampled_from([{"rdo": 3.0}, {"rdo": 900.0}, {"quality": 1}, {"quality": 60.5}, {"quality": 99}])


@pytest.fixture(scope="module")
def part(photo: np.ndarray) -> np.ndarray:
    """A quarter of the photograph."""
    return photo[64:192, 64:192]


@pytest.fixture(scope="module")
def many_colors() -> np.ndarray:
    """A picture of 70 000 colours."""
    values = np.arange(70_000, dtype=np.uint32).reshape(250, 280)
    return np.stack([values % 256, values // 256 % 256, values // 65_536 * 7], axis=2).astype(np.uint8)


def measured(pixels: np.ndarray, data: bytes) -> tuple[int, float]:
    """Bytes and PSNR, decibels."""
    return len(data), psnr_db(pixels, kmcodec.decode(data))


# λ


def test_a_bit_that_is_worth_more_makes_files_smaller_and_less_like(photo: np.ndarray) -> None:
    sizes, qualities = zip(
        *(measured(photo, kmcodec.encode(photo, 64, rdo=rdo)) for rdo in (0, 10, 60, 300)), strict=True
    )
    assert sorted(sizes, reverse=True) == list(sizes)
    assert sorted(qualities, reverse=True) == list(qualities)


@pytest.mark.parametrize("coding", ["predicted", "plain"])
def test_at_equal_psnr_it_saves_more_than_a_quarter(coding: str) -> None:
    caps = sample_pixels("caps.png")
    size, quality = measured(caps, kmcodec.encode(caps, 128, rdo=50, coding=coding))
    nearest = [measured(caps, kmcodec.encode(caps, colors, coding=coding)) for colors in (32, 40, 48, 56, 64)]
    as_good = min(bytes_ for bytes_, decibels in nearest if decibels >= quality)
    assert size < 0.75 * as_good


def test_a_bit_that_is_worth_nothing_changes_nothing_to_speak_of(photo: np.ndarray) -> None:
    _, quality = measured(photo, kmcodec.encode(photo, 32))
    _, with_rdo = measured(photo, kmcodec.encode(photo, 32, rdo=0.001))
    assert with_rdo > quality - 0.05


def test_effort_pays(photo: np.ndarray) -> None:
    fast, thorough = (measured(photo, kmcodec.encode(photo, 64, rdo=80, effort=effort)) for effort in (4, 5))
    a_db = 0.17 * 17 / math.log(2)  # bytes double with 17 steps of quality of 0.17 dB each
    assert math.log(thorough[0] / fast[0]) < (thorough[1] - fast[1]) / a_db


def test_kept_colours_stay_as_they_are(part: np.ndarray) -> None:
    data = kmcodec.encode(part, 24, rdo=200, keep=["#ff00ff", "#00ffff"])
    palette = kmcodec.loads(data).palette.tolist()
    assert [255, 0, 255] in palette
    assert [0, 255, 255] in palette


def test_a_given_palette_is_stored_whole_and_in_its_order(part: np.ndarray) -> None:
    palette = np.random.default_rng(3).integers(0, 256, (40, 3), np.uint8)
    plain, chosen = (kmcodec.loads(kmcodec.encode(part, palette=palette, rdo=rdo)) for rdo in (0, 100))
    np.testing.assert_array_equal(chosen.palette, palette)
    assert (chosen.labels != plain.labels).any()


def test_a_palette_without_alpha_serves_a_picture_with_it(part: np.ndarray) -> None:
    pixels = np.dstack([part, np.full(part.shape[:2], 200, np.uint8)])
    palette = np.random.default_rng(3).integers(0, 256, (9, 3), np.uint8)
    assert kmcodec.loads(kmcodec.encode(pixels, palette=palette, rdo=100)).palette.shape == (9, 3)


def test_colours_that_save_little_are_dropped() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, 32:] = 200
    pixels[5, 5] = (3, 3, 3)
    assert len(kmcodec.loads(kmcodec.encode(pixels, 3, rdo=100)).palette) == 2


def test_transparency_counts_like_a_colour(part: np.ndarray) -> None:
    alpha = np.where(np.add.outer(np.arange(128), np.arange(128)) < 128, 0, 255).astype(np.uint8)
    decoded = kmcodec.decode(kmcodec.encode(np.dstack([part, alpha]), 64, rdo=100))
    assert (np.abs(decoded[..., 3].astype(int) - alpha) < 128).mean() > 0.98


def test_what_is_under_full_transparency_does_not_matter(part: np.ndarray) -> None:
    alpha = np.where(np.arange(128) < 64, 255, 0).astype(np.uint8)[None].repeat(128, axis=0)
    hidden = part.copy()
    hidden[:, 64:] = np.random.default_rng(0).integers(0, 256, (128, 64, 3))
    files = {kmcodec.encode(np.dstack([pixels, alpha]), 64, rdo=50) for pixels in (part, hidden)}
    assert len(files) == 1


@given(pixels=pictures, options=targets, effort=st.sampled_from([4, 5]), space=st.sampled_from(["srgb", "oklab"]))
def test_every_picture_can_be_reduced(pixels: np.ndarray, options: dict[str, Any], effort: int, space: Any) -> None:
    decoded = kmcodec.decode(kmcodec.encode(pixels, effort=effort, space=space, **options))
    assert decoded.shape == pixels.shape


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_bytes_do_not_depend_on_threads(photo: np.ndarray, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "_LEAST_BAND_PIXELS", 1 << 13)
    assert kmcodec.encode(photo, 64, rdo=60, threads=threads) == kmcodec.encode(photo, 64, rdo=60)


def test_an_indexed_image_has_no_pixels_to_choose_labels_for(icon: kmcodec.IndexedImage) -> None:
    with pytest.raises(ValueError, match="need pixels"):
        kmcodec.encode(icon, rdo=10)


def test_without_a_compiler_it_says_what_is_missing(part: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chooser, "compiled_kernel", lambda: None)
    with pytest.raises(RuntimeError, match="installed without a C compiler"):
        kmcodec.encode(part, rdo=10)


# the pass over the labels


@given(data=st.data(), context_set=st.sampled_from(ContextSet), look_ahead=st.booleans(), settle=st.booleans())
def test_a_pass_takes_only_labels_that_may_be_used(
    data: st.DataObject, context_set: ContextSet, look_ahead: bool, settle: bool
) -> None:
    count = data.draw(st.sampled_from([2, 3, 8, 17, 64, 257, 5000]))
    height, width = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    palette = rng.integers(0, 256, (count, 3), np.uint8)
    used = rng.random(count) < 0.5
    used[0] = True
    colors = labels._colors(palette, used, SRGB)
    assert used[colors.neighbors].all(where=used[:, None])
    nearest = rng.choice(np.flatnonzero(used), (height, width)).astype(np.uint16)
    pixels = rng.integers(-1024, 1024, (height, width, 4), np.int16)
    weights = rng.integers(50, 1025, (height, width), np.uint16)
    model = chooser.LabelChooser((height, width), palette, Parameters(context_set, 10))
    price = data.draw(st.sampled_from([1, 1000, 10**9]))
    chosen = model.run(nearest, colors, pixels, weights, nearest, price=price, look_ahead=look_ahead, settle=settle)
    assert used[chosen].all()


@pytest.mark.parametrize("name", ["labels", "weights", "nearest", "pixels"])
def test_a_pass_refuses_arrays_that_do_not_fit(name: str) -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255]], np.uint8)
    colors = labels._colors(palette, np.ones(2, bool), SRGB)
    arrays = {
        "labels": np.zeros((4, 4), np.uint8),
        "pixels": np.zeros((4, 4, 4), np.int16),
        "weights": np.full((4, 4), 256, np.uint16),
        "nearest": np.zeros((4, 4), np.uint8),
    }
    arrays[name] = arrays[name][:3]
    model = chooser.LabelChooser((4, 4), palette, Parameters(ContextSet.MIDDLE, 8))
    with pytest.raises(ValueError, match="do not fit each other"):
        model.run(colors=colors, price=16, look_ahead=True, settle=True, **arrays)


def test_what_is_flat_and_cheap_stays_as_it_is() -> None:
    pixels = np.full((40, 40, 3), 90, np.uint8)
    pixels[:20] = 160
    palette = np.array([[90] * 3, [160] * 3], np.uint8)
    source = source_of(pixels, histogram(pixels), SRGB)
    image = choose_labels(source, palette, 500.0, fixed=np.zeros(2, bool), effort=5, threads=1)
    np.testing.assert_array_equal(image.to_pixels(), pixels)


@pytest.mark.parametrize("name", ["labels", "nearest"])
def test_a_pass_refuses_labels_past_the_palette(name: str) -> None:
    palette = np.array([[0, 0, 0], [255, 255, 255], [9, 9, 9]], np.uint8)
    colors = labels._colors(palette, np.ones(3, bool), SRGB)
    arrays = {"labels": np.zeros((4, 4), np.uint16), "nearest": np.zeros((4, 4), np.uint16)}
    arrays[name][3, 3] = 3
    model = chooser.LabelChooser((4, 4), palette, Parameters(ContextSet.MIDDLE, 8))
    points, weights = np.zeros((4, 4, 4), np.int16), np.full((4, 4), 256, np.uint16)
    with pytest.raises(ValueError, match="out of range"):
        model.run(colors=colors, pixels=points, weights=weights, price=16, look_ahead=True, settle=True, **arrays)


# weights


def test_errors_count_less_where_a_picture_is_busy() -> None:
    pixels = np.full((60, 60, 3), 128, np.uint8)
    pixels[:, 30:] = np.random.default_rng(0).integers(0, 256, (60, 30, 1))
    weights = activity_weights(pixels)
    assert weights[:, :25].min() > 3 * weights[:, 35:].max()
    assert abs(weights[:, :25].mean() + weights[:, 35:].mean() - 2 * 256) < 60


def test_weights_do_not_depend_on_blocks(photo: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = activity_weights(photo)
    monkeypatch.setattr(activity, "BLOCK_PIXELS", 1000)
    np.testing.assert_array_equal(activity_weights(photo), whole)


# quality


def test_quality_goes_from_8_colours_to_all_and_below_to_one() -> None:
    settings = [setting_at(quality) for quality in (-39, 1, 48, 95, 100)]
    assert [setting.colors for setting in settings] == [1, 8, 64, 512, 65_536]
    assert settings[-1].share == 0


def test_colours_and_worth_move_against_each_other() -> None:
    settings = [setting_at(quality / 4) for quality in range(4, 401)]
    colors = [setting.colors for setting in settings]
    worth = [setting.rdo * setting.share for setting in settings]
    assert colors == sorted(colors)
    assert max(b / a for a, b in pairwise(worth) if a) < 1.3
    assert [worth[0], worth[4 * 47], worth[4 * 94], worth[-1]] == [800, 100, 12.5, 0]


def test_a_quality_means_the_same_in_any_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        context.traps[Inexact] = True
        careless = [setting_at(quality) for quality in (7.72, 50.5, 97.1)]
    assert careless == [setting_at(quality) for quality in (7.72, 50.5, 97.1)]


def test_size_and_psnr_rise_with_quality(photo: np.ndarray) -> None:
    curve = [measured(photo, kmcodec.encode(photo, quality=quality)) for quality in (1, 20, 40, 60, 80, 95, 100)]
    assert curve == sorted(curve)
    assert all(low < high for (_, low), (_, high) in pairwise(curve))
    assert curve[-1][1] == math.inf


def test_a_picture_of_few_colours_loses_nothing_at_quality_90(icon: kmcodec.IndexedImage) -> None:
    pixels = icon.to_pixels()
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(pixels, quality=90)), pixels)


# targets


@pytest.mark.parametrize("psnr", [14.4, 15.9, 24, 29.3, 35, 41])
def test_a_psnr_is_reached_and_little_more(photo: np.ndarray, psnr: float) -> None:
    assert psnr <= measured(photo, kmcodec.encode(photo, psnr_db=psnr))[1] <= psnr + 0.1


@pytest.mark.parametrize("size", [6000, 15_000, 30_000, 70_000])
def test_a_size_is_kept_and_nearly_used(photo: np.ndarray, size: int) -> None:
    assert 0.98 * size <= len(kmcodec.encode(photo, max_bytes=size)) <= size


@pytest.mark.parametrize(("size", "least", "quality"), [(300, 260, 13.8), (500, 400, 14.3), (1000, 960, 15.9)])
def test_a_size_far_below_what_8_colours_take_is_used_too(
    photo: np.ndarray, size: int, least: int, quality: float
) -> None:
    bytes_, decibels = measured(photo, kmcodec.encode(photo, max_bytes=size))
    assert least <= bytes_ <= size
    assert decibels > quality


@pytest.mark.parametrize("keep", [[], ["#ff00ff", "#00ffff", "#123456"]])
def test_below_quality_1_files_become_smaller_down_to_the_fewest_colours(part: np.ndarray, keep: list[str]) -> None:
    reducer = Reducer(part, Options(keep=keep), effort=5, threads=1)
    images = [reducer.at_quality(quality) for quality in (1, -9, -19, -29, -39)]
    sizes = [len(kmcodec.dumps(image)) for image in images]
    assert sorted(sizes, reverse=True) == sizes
    assert len(images[-1].palette) == max(len(keep), 1)


@pytest.mark.parametrize("quality", [-38, -20, 0.5])
def test_below_quality_1_few_colours_may_be_left_as_they_are(quality: float, icon: kmcodec.IndexedImage) -> None:
    flat = np.full((9, 9, 3), 77, np.uint8)
    np.testing.assert_array_equal(Reducer(flat, Options(), effort=5, threads=1).at_quality(quality).to_pixels(), flat)
    assert len(Reducer(icon.to_pixels(), Options(), effort=5, threads=1).at_quality(quality).palette) <= 8


def test_a_size_counts_the_metadata_too(part: np.ndarray) -> None:
    noise = np.random.default_rng(0).bytes(3000)
    assert len(kmcodec.encode(part, max_bytes=6000, metadata=kmcodec.Metadata(icc=noise))) <= 6000


def test_what_has_few_colours_reaches_any_psnr(icon: kmcodec.IndexedImage) -> None:
    pixels = icon.to_pixels()
    np.testing.assert_array_equal(kmcodec.decode(kmcodec.encode(pixels, psnr_db=90)), pixels)


def test_a_size_that_nothing_fits_is_an_error(part: np.ndarray) -> None:
    with pytest.raises(kmcodec.TargetError, match=r"15 bytes cannot be reached: 2. are the least"):
        kmcodec.encode(part, max_bytes=15)


def test_a_psnr_that_65536_colours_do_not_reach_is_an_error(many_colors: np.ndarray) -> None:
    with pytest.raises(kmcodec.TargetError, match=r"90 dB cannot be reached: [5-8].* dB is the most"):
        kmcodec.encode(many_colors, psnr_db=90)


@pytest.mark.parametrize(
    "wanted", [Target(psnr_db=31), Target(max_bytes=5000), Target(max_bytes=3), Target(psnr_db=99)]
)
def test_a_search_takes_at_most_eight_encodings(part: np.ndarray, wanted: Target) -> None:
    assert 1 <= len(trials_for(wanted, part)) <= MOST_TRIALS == 8


def trials_for(wanted: Target, pixels: np.ndarray) -> list[Trial]:
    """All encodings on the way to a target."""
    trials: list[Trial] = []
    with suppress(kmcodec.TargetError):
        encode_for(wanted, pixels, Options(), kmcodec.Metadata(), coding=None, effort=4, threads=1, watch=trials.append)
    return trials


@pytest.mark.parametrize("psnr", [99, 1e308])
def test_a_psnr_that_only_all_colours_reach_takes_one_encoding(part: np.ndarray, psnr: float) -> None:
    assert [trial.psnr_db for trial in trials_for(Target(psnr_db=psnr), part)] == [math.inf]


def test_a_psnr_that_only_nearly_all_colours_reach_is_looked_for_among_these(part: np.ndarray) -> None:
    trials = trials_for(Target(psnr_db=60), part[:64, :64])
    assert len(trials) <= 4
    assert 60 <= min(trial.psnr_db for trial in trials if trial.psnr_db >= 60) <= 60.1


def test_a_psnr_out_of_reach_is_known_by_the_most_colours(many_colors: np.ndarray) -> None:
    assert len(trials_for(Target(psnr_db=90), many_colors)) == 1


@pytest.mark.parametrize("space", ["srgb", "oklab"])
@pytest.mark.parametrize("colors", [3000, 9000, 12_000])
def test_fewer_colours_than_are_needed_at_least_never_do(part: np.ndarray, colors: int, space: Any) -> None:
    reached = psnr_db(part, kmcodec.quantize(part, colors, space=space).to_pixels())
    assert Reducer(part, Options(space=space), effort=4, threads=1).least_colors(reached) <= colors


def test_where_a_colour_is_hardly_seen_no_number_is_too_few(part: np.ndarray) -> None:
    faint = np.dstack([part, np.full(part.shape[:2], 1, np.uint8)])
    assert Reducer(faint, Options(), effort=4, threads=1).least_colors(99) == 1


@pytest.mark.parametrize(
    ("size", "quality", "trials"), [(98, 30.0, 1), (100, 30.0, 1), (40, math.inf, 1), (97, 30.0, 8)]
)
def test_a_size_within_two_percent_ends_the_search_and_so_does_a_lossless_one(
    size: int, quality: float, trials: int, icon: kmcodec.IndexedImage
) -> None:
    tried = []

    def trial_at(place: float) -> Trial:
        tried.append(place)
        return Trial(place, icon, bytes(size if place <= 50 else 200), quality)

    assert len(target._best(trial_at, 100).data) == size
    assert len(tried) <= trials


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rdo": 5, "quality": 50}, "rdo and quality exclude each other"),
        ({"psnr_db": 30, "max_bytes": 5}, "psnr_db and max_bytes exclude each other"),
        ({"rdo": -1}, "rdo must be from 0"),
        ({"rdo": math.nan}, "rdo must be from 0"),
        ({"quality": 0.5}, "quality must be from 1 to 100"),
        ({"psnr_db": 0}, "psnr_db must be above 0"),
        ({"psnr_db": math.inf}, "psnr_db must be finite, not inf: ask for lossless"),
        ({"max_bytes": 0}, "max_bytes must be at least 1"),
        ({"quality": 50, "dither": "ordered"}, "quality and dither exclude each other"),
        ({"rdo": 5, "lossless": True}, "rdo and lossless exclude each other"),
        ({"psnr_db": 30, "colors": 5}, "psnr_db and colors exclude each other"),
        ({"max_bytes": 30, "palette": np.zeros((1, 3), np.uint8)}, "max_bytes and palette exclude each other"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], says: str, part: np.ndarray) -> None:
    with pytest.raises(ValueError, match=says):
        kmcodec.encode(part, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"rdo": "a"}, "rdo must be a number, not str"),
        ({"rdo": None}, "rdo must be a number, not NoneType"),
        ({"quality": "50"}, "quality must be a number, not str"),
        ({"quality": True}, "quality must be a number, not bool"),
        ({"psnr_db": "a"}, "psnr_db must be a number, not str"),
        ({"max_bytes": 1.5}, "max_bytes must be an integer, not float"),
        ({"max_bytes": True}, "max_bytes must be an integer, not bool"),
    ],
)
def test_targets_are_numbers(options: dict[str, Any], says: str, part: np.ndarray) -> None:
    with pytest.raises(TypeError, match=says):
        kmcodec.encode(part, **options)


def test_numbers_may_be_of_numpy() -> None:
    for number in (np.float32(50), np.int64(50), np.float64(50)):
        assert Target(quality=number).quality == 50
    assert Target(max_bytes=np.uint16(50)).max_bytes == 50  # type: ignore[arg-type]


def test_a_higher_psnr_does_not_take_fewer_bytes_where_nearly_all_colours_are_needed() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (48, 48, 3), np.uint8)
    sizes = [len(kmcodec.encode(noise, psnr_db=psnr_db, effort=1)) for psnr_db in (45, 50, 60)]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("number", [np.float32(30), np.int64(30), Fraction(30)])
def test_targets_are_real_numbers_of_any_type(number: float, photo: np.ndarray) -> None:
    part = photo[:40, :40]
    assert kmcodec.encode(part, psnr_db=number) == kmcodec.encode(part, psnr_db=30)
    assert kmcodec.encode(part, quality=number) == kmcodec.encode(part, quality=30)


# the search


def test_what_lies_below_a_bend_is_tried_after_it() -> None:
    tried: list[float] = []

    def value(place: float) -> float:
        tried.append(place)
        return place if place >= 30 else place - 40

    search(value, Scale(0.0, 100.0, slope=1.0, start=50.0, bend=30.0), Goal(-31, -29, must_exceed=True))
    assert tried[:2] == [50, 30]
    assert -31 <= value(tried[-1]) <= -29


def searched(value_at: Callable[[float], float], low: float, high: float, *, must_exceed: bool) -> list[float]:
    """The places tried, from 0 to 100, where values are thought to rise by 1 a step."""
    tried: list[float] = []

    def value(place: float) -> float:
        tried.append(place)
        return value_at(place)

    search(value, Scale(0.0, 100.0, slope=1.0, start=50.0), Goal(low, high, must_exceed=must_exceed))
    return tried


@given(
    slope=st.floats(0.2, 5),
    bend=st.floats(-0.8, 0.8),
    wanted=st.floats(2, 98),
)
def test_a_smooth_curve_is_met_soon(slope: float, bend: float, wanted: float) -> None:
    def curve(place: float) -> float:
        return slope * (place + bend * place * (place - 100) / 100)

    low = curve(wanted)
    tried = searched(curve, low, low + slope, must_exceed=True)
    assert low <= curve(tried[-1]) <= low + slope
    assert len(set(tried)) == len(tried) <= MOST_TRIALS


@pytest.mark.parametrize(("must_exceed", "end"), [(True, 100.0), (False, 0.0)])
def test_a_search_does_not_give_up_before_the_end_of_the_scale(must_exceed: bool, end: float) -> None:
    tried = searched(lambda place: place / 10 + (0 if must_exceed else 1000), 500, 501, must_exceed=must_exceed)
    assert tried[-1] == end


def test_a_jump_over_the_goal_ends_the_search_on_its_two_sides() -> None:
    tried = searched(lambda place: place if place < 33.3 else math.inf, 40, 41, must_exceed=True)
    assert len(tried) <= MOST_TRIALS
    assert min(place for place in tried if place >= 33.3) < 40
