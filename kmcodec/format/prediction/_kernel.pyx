# cython: boundscheck=False, wraparound=False
"""Thin binding of predict.c; `kernel.py` has the contract."""

from libc.stddef cimport size_t
from libc.stdint cimport int16_t, int32_t, uint8_t, uint16_t, uint32_t

cdef extern from "predict.h" nogil:
    enum:
        PREDICT_STREAMS

    ctypedef struct predict_params:
        int set
        int table_bits
        int sparse

    ctypedef struct predict_stream:
        uint8_t *bytes
        size_t count

    int predict_encode(
        const uint16_t *labels, uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
        uint32_t channels, predict_params params, predict_stream *streams,
    )
    void predict_free_streams(predict_stream *streams)
    int predict_decode(
        const uint8_t *const *bytes, const size_t *sizes, uint32_t width, uint32_t height, const uint8_t *palette,
        uint32_t colors, uint32_t channels, predict_params params, uint16_t *labels,
    )
    int predict_unpack_fives(const uint8_t *fives, size_t size, uint8_t *out)
    int predict_unpack_long_gaps(const uint8_t *gaps, size_t size, uint8_t *out, size_t limit, size_t *used)
    int predict_unpack_gaps(
        const uint8_t *gaps, size_t size, unsigned longest, uint8_t *out, size_t limit, size_t *used,
    )

cdef extern from "choose.h" nogil:
    ctypedef int16_t choose_point[4]

    ctypedef struct choose_job:
        const choose_point *pixels
        const uint16_t *weights
        const uint16_t *nearest
        const choose_point *colors
        const uint8_t *used
        const uint16_t *neighbors
        const int32_t *distances
        int reach
        uint32_t price "lambda"
        int look_ahead
        int settle

    ctypedef struct chooser:
        pass

    int choose_open(
        uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors, uint32_t channels,
        predict_params params, chooser **opened,
    )
    int choose_pass(chooser *c, const uint8_t *palette, const choose_job *job, uint16_t *labels)
    void choose_close(chooser *c)

cdef enum:
    NO_MEMORY = -1
    BAD_ARGUMENT = -2

cdef int checked(int status) except? -3:
    """The status, 0 for success or another for bad data; raises for what is not the data's fault."""
    if status == NO_MEMORY:
        raise MemoryError
    if status == BAD_ARGUMENT:
        raise ValueError("labels, palette or parameters out of range")
    return status


def encode(const uint16_t[:, ::1] labels, const uint8_t[:, ::1] palette, int context_set, int table_bits, bint sparse):
    """Packed flags and their number, of eight streams."""
    cdef predict_stream streams[PREDICT_STREAMS]
    cdef predict_params params
    cdef int status
    params.set, params.table_bits, params.sparse = context_set, table_bits, sparse
    with nogil:
        status = predict_encode(
            &labels[0, 0], <uint32_t>labels.shape[1], <uint32_t>labels.shape[0], &palette[0, 0],
            <uint32_t>palette.shape[0], <uint32_t>palette.shape[1], params, streams,
        )
    checked(status)
    try:
        return [((<char *>stream.bytes)[:(stream.count + 7) // 8], stream.count) for stream in streams[:PREDICT_STREAMS]]
    finally:
        predict_free_streams(streams)


def decode(
    list streams, const uint8_t[:, ::1] palette, int context_set, int table_bits, bint sparse, uint16_t[:, ::1] labels,
):
    """Fill labels from eight packed streams; whether they are such as an encoder writes."""
    cdef const uint8_t *pointers[PREDICT_STREAMS]
    cdef size_t sizes[PREDICT_STREAMS]
    cdef predict_params params
    cdef int status, i
    cdef bytes stream
    params.set, params.table_bits, params.sparse = context_set, table_bits, sparse
    for i in range(PREDICT_STREAMS):
        stream = streams[i]
        pointers[i] = stream
        sizes[i] = len(stream)
    with nogil:
        status = predict_decode(
            pointers, sizes, <uint32_t>labels.shape[1], <uint32_t>labels.shape[0], &palette[0, 0],
            <uint32_t>palette.shape[0], <uint32_t>palette.shape[1], params, &labels[0, 0],
        )
    return checked(status) == 0


def unpack_fives(bytes fives, uint8_t[::1] out):
    """Fill out from 5 flags a byte; whether no byte is above 31."""
    cdef const uint8_t *source = fives
    cdef size_t size = len(fives)
    cdef int status
    with nogil:
        status = predict_unpack_fives(source, size, &out[0])
    return status == 0


def unpack_gaps(bytes gaps, unsigned longest, size_t limit, uint8_t[::1] out):
    """Fill out from gaps, and give the bytes filled; -1 for gaps that no encoder writes."""
    cdef const uint8_t *source = gaps
    cdef size_t size = len(gaps), used = 0
    cdef int status
    with nogil:
        status = predict_unpack_gaps(source, size, longest, &out[0], limit, &used)
    return <Py_ssize_t>used if status == 0 else -1


def unpack_long_gaps(bytes gaps, size_t limit, uint8_t[::1] out):
    """Fill out from gaps in LEB128, and give the bytes filled; -1 for gaps that no encoder writes."""
    cdef const uint8_t *source = gaps
    cdef size_t size = len(gaps), used = 0
    cdef int status
    with nogil:
        status = predict_unpack_long_gaps(source, size, &out[0], limit, &used)
    return <Py_ssize_t>used if status == 0 else -1


cdef class Chooser:
    """Chooses labels of pictures of one size; `chooser.py` has the contract."""

    cdef chooser *opened
    cdef Py_ssize_t height, width, colors, channels

    def __cinit__(
        self, tuple shape, const uint8_t[:, ::1] palette, int context_set, int table_bits, bint sparse,
    ):
        cdef predict_params params
        params.set, params.table_bits, params.sparse = context_set, table_bits, sparse
        self.height, self.width = shape
        self.colors, self.channels = palette.shape[0], palette.shape[1]
        checked(choose_open(
            <uint32_t>self.width, <uint32_t>self.height, &palette[0, 0], <uint32_t>self.colors,
            <uint32_t>self.channels, params, &self.opened,
        ))

    def __dealloc__(self):
        choose_close(self.opened)

    def run(
        self, uint16_t[:, ::1] labels, const uint8_t[:, ::1] palette, const int16_t[:, :, ::1] pixels,
        const uint16_t[:, ::1] weights, const uint16_t[:, ::1] nearest, const int16_t[:, ::1] colors,
        const uint8_t[::1] used, const uint16_t[:, ::1] neighbors, const int32_t[:, ::1] distances, uint32_t price,
        bint look_ahead, bint settle,
    ):
        """Replace the labels; arrays of any other shape are the caller's mistake."""
        cdef choose_job job
        cdef int status
        shape = (self.height, self.width)
        if not (
            (labels.shape[0], labels.shape[1]) == (weights.shape[0], weights.shape[1]) == shape
            and (pixels.shape[0], pixels.shape[1]) == (nearest.shape[0], nearest.shape[1]) == shape
            and pixels.shape[2] == colors.shape[1] == 4
            and palette.shape[1] == self.channels
            and self.colors == palette.shape[0] == colors.shape[0] == used.shape[0] == neighbors.shape[0]
            and (neighbors.shape[0], neighbors.shape[1]) == (distances.shape[0], distances.shape[1])
        ):
            raise ValueError("arrays of labels, pixels or colours do not fit each other")
        job.pixels = <const choose_point *>&pixels[0, 0, 0]
        job.weights = &weights[0, 0]
        job.nearest = &nearest[0, 0]
        job.colors = <const choose_point *>&colors[0, 0]
        job.used = &used[0]
        job.neighbors = &neighbors[0, 0]
        job.distances = &distances[0, 0]
        job.reach = <int>neighbors.shape[1]
        job.price, job.look_ahead, job.settle = price, look_ahead, settle
        with nogil:
            status = choose_pass(self.opened, &palette[0, 0], &job, &labels[0, 0])
        checked(status)
