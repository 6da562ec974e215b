"""The quantiser: histograms, k-means, palette order, labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import kmcodec
from kmcodec.blocks import BLOCK_PIXELS, blocks
from kmcodec.quantizer import Histogram, fit_palette, histogram, label_pixels, nearest
from kmcodec.quantizer.color import premultiply, unpremultiply
from kmcodec.quantizer.histogram import colors_of_keys, keys_of_pixels
from kmcodec.quantizer.kmeans import Cloud, lloyd
from kmcodec.quantizer.order import tree_order

pictures = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([3, 4])))


def mse(pixels: np.ndarray, image: kmcodec.IndexedImage) -> float:
    return float(np.square(image.to_pixels().astype(int) - pixels).mean())


@given(pixels=pictures)
def test_a_histogram_counts_every_colour(pixels: np.ndarray) -> None:
    colors, counts = np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0, return_counts=True)
    found = histogram(pixels)
    assert {tuple(c): n for c, n in zip(colors.tolist(), counts.tolist(), strict=True)} == {
        tuple(c): n for c, n in zip(found.colors.tolist(), found.counts.tolist(), strict=True)
    }


@given(pixels=pictures, cut=st.integers(1, 19))
def test_histograms_add(pixels: np.ndarray, cut: int) -> None:
    whole = histogram(pixels)
    if cut < len(pixels):
        total = histogram(pixels[:cut]) + histogram(pixels[cut:])
        np.testing.assert_array_equal(total.keys, whole.keys)
        np.testing.assert_array_equal(total.counts, whole.counts)


def test_histograms_with_and_without_alpha_do_not_add() -> None:
    rgb, rgba = (histogram(np.zeros((1, 1, channels), np.uint8)) for channels in (3, 4))
    with pytest.raises(ValueError, match="RGBA"):
        rgb + rgba


def test_a_large_picture_is_counted_block_by_block() -> None:
    rows, columns = np.mgrid[0:2100, 0:2100]
    pixels = np.stack([rows % 256, columns % 256, (rows // 256) * 9], axis=2).astype(np.uint8)
    assert pixels.shape[0] * pixels.shape[1] > 2 * BLOCK_PIXELS
    found = histogram(pixels)
    assert found.counts.sum() == rows.size
    assert len(found) == len(np.unique(keys_of_pixels(pixels)))


@pytest.mark.parametrize(("height", "width", "most"), [(7, 5, 10), (3, 40, 16), (1, 1, 1), (9, 4, 1000)])
def test_blocks_cover_every_pixel_once_and_are_not_too_large(height: int, width: int, most: int) -> None:
    covered = np.zeros((height, width), int)
    for block in blocks(height, width, most):
        assert covered[block].size <= most
        covered[block] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("channels", [3, 4])
def test_morton_codes_interleave_bits_and_come_back(channels: int) -> None:
    colors = np.random.default_rng(0).integers(0, 256, (500, channels), np.uint8)
    keys = keys_of_pixels(colors)
    np.testing.assert_array_equal(colors_of_keys(keys, channels), colors)
    expected = int("".join("".join(bits) for bits in zip(*(f"{value:08b}" for value in colors[0]), strict=True)), 2)
    assert keys[0] == expected


@pytest.mark.parametrize("count", [1, 2, 3, 16, 50, 256])
def test_a_palette_has_as_many_colours_as_asked_for(photo: np.ndarray, count: int) -> None:
    assert len(kmcodec.quantize(photo, count).palette) == count


def test_more_colours_are_never_worse(photo: np.ndarray) -> None:
    errors = [
        mse(photo, kmcodec.quantize(photo, count)) for count in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 2048, 16384)
    ]
    assert errors == sorted(errors, reverse=True)


def test_one_colour_is_the_mean(photo: np.ndarray) -> None:
    np.testing.assert_allclose(kmcodec.quantize(photo, 1).palette[0], photo.mean(axis=(0, 1)), atol=0.6)


@pytest.mark.parametrize(("count", "bound"), [(4, 477.56), (16, 120.68), (64, 42.67), (256, 16.68)])
def test_the_error_is_not_above_the_mean_of_k_means_plus_plus(photo: np.ndarray, count: int, bound: float) -> None:
    """The bounds are means of scikit-learn 1.9's KMeans(init="k-means++", n_init=1) over six seeds, palette rounded."""
    assert mse(photo, kmcodec.quantize(photo, count)) <= bound


@given(pixels=pictures, count=st.integers(1, 300))
def test_every_pixel_has_its_nearest_palette_colour(pixels: np.ndarray, count: int) -> None:
    image = kmcodec.quantize(pixels, count)
    flat = premultiply(pixels.reshape(-1, pixels.shape[2])).astype(int)
    distances = np.square(flat[:, None] - premultiply(image.palette).astype(int)[None]).sum(axis=2)
    chosen = distances[np.arange(len(flat)), image.labels.reshape(-1)]
    np.testing.assert_array_equal(chosen, distances.min(axis=1))


@given(pixels=pictures, count=st.integers(1, 300))
def test_every_palette_colour_is_used_and_there_once(pixels: np.ndarray, count: int) -> None:
    image = kmcodec.quantize(pixels, count)
    assert len(np.unique(image.labels)) == len(image.palette) <= count
    assert len(np.unique(image.palette, axis=0)) == len(image.palette)


@given(pixels=pictures)
def test_a_picture_of_few_colours_keeps_them_all(pixels: np.ndarray) -> None:
    count = len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0))
    np.testing.assert_array_equal(kmcodec.quantize(pixels, count).to_pixels(), pixels)


def test_65536_colours(photo: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300, 3), np.uint8)
    image = kmcodec.quantize(noise, 65_536)
    assert 60_000 < len(image.palette) <= 65_536
    assert image.labels.dtype == np.uint16
    assert mse(noise, image) < 10
    np.testing.assert_array_equal(kmcodec.quantize(photo, 65_536).to_pixels(), photo)


def test_invisible_colours_count_as_one() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (40, 40, 4), np.uint8)
    pixels[..., 3] = 0
    pixels[0, :3] = [[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255]]
    image = kmcodec.quantize(pixels, 4)
    visible = pixels[..., 3] > 0
    np.testing.assert_array_equal(image.to_pixels()[visible], pixels[visible])
    np.testing.assert_array_equal(image.to_pixels()[..., 3], pixels[..., 3])


def test_what_is_wholly_transparent_stays_so_beside_faint_colours() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64, 4), np.uint8)
    pixels[:32, :, 3] = 0
    pixels[32:48, :, 3] = 1
    decoded = kmcodec.quantize(pixels, 8).to_pixels()
    assert (decoded[:32] == 0).all()


def test_faint_colours_matter_less_than_opaque_ones() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 64, 4), np.uint8)
    pixels[:32, :, 3], pixels[32:, :, 3] = 255, 8
    decoded = kmcodec.quantize(pixels, 64).to_pixels().astype(int)
    error = np.square(decoded[..., :3] - pixels[..., :3]).mean(axis=(1, 2))
    assert error[:32].mean() < error[32:].mean() / 4


@given(alpha=st.integers(1, 255), value=st.integers(0, 255))
def test_unpremultiplying_inverts_premultiplying_as_far_as_can_be_seen(alpha: int, value: int) -> None:
    color = np.array([[value, value, value, alpha]], np.uint8)
    again = unpremultiply(premultiply(color).astype(float))
    np.testing.assert_array_equal(premultiply(again), premultiply(color))


@given(colors=hnp.arrays(np.uint8, st.tuples(st.integers(1, 70), st.sampled_from([3, 4]))), seed=st.integers(0, 5))
def test_tree_order_is_a_permutation_that_depends_on_the_set_alone(colors: np.ndarray, seed: int) -> None:
    ordered = colors[tree_order(colors)]
    assert sorted(map(tuple, ordered.tolist())) == sorted(map(tuple, colors.tolist()))
    shuffled = np.random.default_rng(seed).permutation(colors)
    np.testing.assert_array_equal(shuffled[tree_order(shuffled)], ordered)


def test_the_first_bit_of_a_label_tells_two_clusters_apart() -> None:
    rng = np.random.default_rng(0)
    dark, bright = rng.integers(0, 60, (32, 3)), rng.integers(190, 256, (32, 3))
    colors = rng.permutation(np.concatenate([dark, bright])).astype(np.uint8)
    ordered = colors[tree_order(colors)]
    assert ordered[:32].max() < 100 < ordered[32:].min()


def test_a_known_histogram_gives_the_same_labels(photo: np.ndarray) -> None:
    colors = histogram(photo)
    palette = fit_palette(colors, 9)
    np.testing.assert_array_equal(label_pixels(photo, palette, colors), label_pixels(photo, palette))


def test_labels_of_large_and_small_pictures_agree(photo: np.ndarray) -> None:
    palette = fit_palette(histogram(photo), 30)
    large = np.concatenate([np.concatenate([photo] * 3, axis=1)] * 3)
    np.testing.assert_array_equal(label_pixels(large, palette)[:256, :256], label_pixels(photo, palette))
    alpha = np.tile(np.array([255, 255, 90], np.uint8), large.shape[0] * large.shape[1] // 3)
    rgba = np.dstack([large, alpha.reshape(large.shape[:2])])
    palette = fit_palette(histogram(rgba), 30)
    np.testing.assert_array_equal(label_pixels(rgba, palette)[:9], label_pixels(rgba[:9], palette))


def test_a_fit_never_gets_worse_by_another_pass() -> None:
    rng = np.random.default_rng(0)
    cloud = Cloud(rng.integers(-1024, 1017, (3, 2000)).astype(np.float32), rng.integers(1, 50, 2000))
    centroids, inertia = lloyd(cloud, cloud.points[:, :20].copy(), tolerance=0, max_passes=1)
    for _ in range(8):
        centroids, after = lloyd(cloud, centroids, tolerance=0, max_passes=1)
        assert after <= inertia
        inertia = after


def test_centroids_without_points_move_to_the_worst_ones() -> None:
    cloud = Cloud(np.array([[0, 8, 800], [0, 0, 0], [0, 0, 0]], np.float32), np.array([5, 5, 1]))
    far_away = np.array([[0, -1000], [0, 0], [0, 0]], np.float32)
    centroids, inertia = lloyd(cloud, far_away, tolerance=0)
    assert inertia < 1000
    assert sorted(centroids[0].tolist()) == [4, 800]


@given(
    points=hnp.arrays(
        np.int16, st.tuples(st.sampled_from([3, 4]), st.integers(1, 200)), elements=st.integers(-1024, 1016)
    ),
    count=st.integers(1, 90),
    seed=st.integers(0, 9),
)
def test_the_compiled_search_and_sums_equal_those_of_numpy(points: np.ndarray, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = points.astype(np.float32)
    centroids = rng.integers(-1024, 1017, (len(x), count)).astype(np.float32)
    weights = rng.integers(1, 1 << 40, x.shape[1])
    with pytest.MonkeyPatch.context() as patch:
        results = [nearest.nearest(x, centroids)]
        sums = [nearest.cluster_sums(x, weights, results[0][0], count)]
        patch.setattr(nearest, "_compiled", None)
        results.append(nearest.nearest(x, centroids))
        sums.append(nearest.cluster_sums(x, weights, results[0][0], count))
    squared = np.square(points.astype(np.int64)[:, :, None] - centroids.astype(np.int64)[:, None, :]).sum(axis=0)
    for labels, distances in results:
        np.testing.assert_array_equal(labels, squared.argmin(axis=1))
        np.testing.assert_array_equal(distances.astype(np.int64), squared.min(axis=1))
    np.testing.assert_array_equal(*sums)


def test_a_histogram_of_one_colour_needs_no_fitting() -> None:
    one = Histogram(np.array([5], np.uint32), np.array([9]), 3)
    assert fit_palette(one, 4).tolist() == one.colors.tolist()
