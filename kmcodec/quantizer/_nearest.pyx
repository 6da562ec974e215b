# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""
Nearest centroid and cluster sums, compiled; `nearest.py` has the contract and the NumPy forms.

Points come in tiles of neighbours in colour. A centroid that is farther from the nearest corner of a tile's box than
another is from the farthest one cannot be nearest to any point of the tile; the few that remain are compared
with all points of the tile side by side, in loops that the C compiler vectorises.

All values are integers below 2²⁴ held in float32, so every sum is exact, in any order and on any processor.
"""

from libc.stdlib cimport free, malloc

cdef enum:
    TILE = 64           # points a tile: small boxes leave few centroids, large ones fill the vector units
    GROUP = 1024        # points a group: centroids are first thinned for a whole group, which pays at large K


cdef struct Box:
    float low[4]
    float high[4]


cdef struct Centroids:
    Py_ssize_t count
    float *channel[4]
    int *number         # the label of each, ascending


cdef bint allocate(Centroids *centroids, Py_ssize_t capacity, int channels) noexcept nogil:
    cdef float *values = <float *>malloc(capacity * channels * sizeof(float))
    cdef int c
    centroids.number = <int *>malloc(capacity * sizeof(int))
    centroids.channel[0] = values
    if values != NULL:
        for c in range(1, channels):
            centroids.channel[c] = values + c * capacity
    return values != NULL and centroids.number != NULL


cdef void release(Centroids *centroids) noexcept nogil:
    free(centroids.channel[0])
    free(centroids.number)


cdef Box box_of(const float *points, Py_ssize_t n, Py_ssize_t start, Py_ssize_t stop, int channels) noexcept nogil:
    cdef Box box
    cdef Py_ssize_t i
    cdef int c
    cdef float low, high, value
    for c in range(channels):
        low = high = points[c * n + start]
        for i in range(start + 1, stop):
            value = points[c * n + i]
            low = value if value < low else low
            high = value if value > high else high
        box.low[c] = low
        box.high[c] = high
    return box


cdef void thin(
    const Centroids *among, Box box, int channels, float *inner, float *outer, Centroids *kept,
) noexcept nogil:
    """Keep the centroids that may be nearest to a point in the box; inner and outer are scratch."""
    cdef Py_ssize_t i, remaining = 0
    cdef int c
    cdef float below, above, gap, reach, low, high, bound = 3e38
    cdef const float *channel
    for c in range(channels):
        channel = among.channel[c]
        low = box.low[c]
        high = box.high[c]
        for i in range(among.count):
            below = low - channel[i]
            above = channel[i] - high
            gap = below if below > above else above
            gap = gap if gap > 0 else 0
            reach = below if below < above else above
            inner[i] = gap * gap if c == 0 else inner[i] + gap * gap
            outer[i] = reach * reach if c == 0 else outer[i] + reach * reach
    for i in range(among.count):
        bound = outer[i] if outer[i] < bound else bound
    for i in range(among.count):
        kept.number[remaining] = among.number[i]
        for c in range(channels):
            kept.channel[c][remaining] = among.channel[c][i]
        remaining += inner[i] <= bound
    kept.count = remaining


cdef void nearest_in_tile(
    const float *points, Py_ssize_t n, Py_ssize_t start, Py_ssize_t stop, const Centroids *among, int channels,
    int *labels, float *distances,
) noexcept nogil:
    cdef float x[4][TILE]
    cdef float best[TILE]
    cdef int label[TILE]
    cdef float distance[TILE]
    cdef float position, difference
    cdef Py_ssize_t i, j, size = stop - start
    cdef int c, number
    for i in range(TILE):
        best[i] = 3e38
        label[i] = 0
        for c in range(channels):
            x[c][i] = points[c * n + start + i] if i < size else 0
    for j in range(among.count):
        number = among.number[j]
        position = among.channel[0][j]
        for i in range(TILE):
            difference = x[0][i] - position
            distance[i] = difference * difference
        for c in range(1, channels):
            position = among.channel[c][j]
            for i in range(TILE):
                difference = x[c][i] - position
                distance[i] += difference * difference
        for i in range(TILE):
            label[i] = number if distance[i] < best[i] else label[i]
            best[i] = distance[i] if distance[i] < best[i] else best[i]
    for i in range(size):
        labels[start + i] = label[i]
        distances[start + i] = best[i]


def nearest(const float[:, ::1] points, const float[:, ::1] centroids, int[::1] labels, float[::1] distances):
    """As `nearest.nearest`, with channels first: points (C, n), centroids (C, K); fills labels and distances (n,)."""
    cdef Py_ssize_t n = points.shape[1], k = centroids.shape[1]
    cdef int c, channels = <int>points.shape[0]
    cdef Py_ssize_t group, tile, start, stop
    cdef const float *p = &points[0, 0]
    cdef Centroids everything, of_group, of_tile
    cdef float *scratch = <float *>malloc(2 * k * sizeof(float))
    cdef bint ready = scratch != NULL
    ready &= allocate(&everything, k, channels)
    ready &= allocate(&of_group, k + 1, channels)
    ready &= allocate(&of_tile, k + 1, channels)
    if ready:
        with nogil:
            everything.count = k
            for start in range(k):
                everything.number[start] = <int>start
                for c in range(channels):
                    everything.channel[c][start] = centroids[c, start]
            for group in range((n + GROUP - 1) // GROUP):
                start = group * GROUP
                thin(&everything, box_of(p, n, start, min(start + GROUP, n), channels), channels, scratch, scratch + k, &of_group)
                for tile in range(GROUP // TILE):
                    start = group * GROUP + tile * TILE
                    stop = min(start + TILE, n)
                    if start >= stop:
                        break
                    thin(&of_group, box_of(p, n, start, stop, channels), channels, scratch, scratch + k, &of_tile)
                    nearest_in_tile(p, n, start, stop, &of_tile, channels, &labels[0], &distances[0])
    release(&everything)
    release(&of_group)
    release(&of_tile)
    free(scratch)
    if not ready:
        raise MemoryError


def cluster_sums(
    const float[:, ::1] points, const long long[::1] weights, const int[::1] labels, double[:, ::1] sums,
):
    """As `nearest.cluster_sums`, added to sums (K, C + 1)."""
    cdef Py_ssize_t i, n = points.shape[1]
    cdef int c, channels = <int>points.shape[0]
    cdef double weight
    cdef double *row
    with nogil:
        for i in range(n):
            weight = <double>weights[i]
            row = &sums[labels[i], 0]
            for c in range(channels):
                row[c] += weight * points[c, i]
            row[channels] += weight
