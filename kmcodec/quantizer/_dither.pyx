# cython: boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""
Floyd–Steinberg error diffusion, compiled; `dither.py` has the contract and the same in Python.

The nearest palette colour of a value is searched among the few that can be nearest to anything in its cell of space:
a colour that is farther from the nearest corner of a cell than another is from the farthest one cannot be. Cells are
thinned when they are first needed, small ones from what is left of large ones.

Integers only: the same labels on every machine.
"""

from libc.stdlib cimport calloc, free, malloc

cdef enum:
    SIZE = 6            # log2 of the side of a cell, in coordinates: 8 steps of 8 bits in sRGB; one more with alpha
    COARSE = 2          # log2 of small cells to a large one, along a side
    FAR = 0x7fffffff
    KEEP_ALPHA = -2     # as in dither.py


cdef struct Colors:
    int count
    int *number         # labels, ascending; NULL for a cell not needed yet
    int *value[4]       # coordinates, channel by channel; a fourth of zeros where there is no alpha


cdef bint allocate(Colors *colors, int count) noexcept nogil:
    cdef int c
    colors.number = <int *>malloc(5 * count * sizeof(int))
    for c in range(4):
        colors.value[c] = colors.number + (c + 1) * count
    return colors.number != NULL


cdef bint thin(const Colors *among, const int *low, int size, int *inner, Colors *kept) noexcept nogil:
    """Keep the colours that can be nearest to a value from low to low + size; inner is scratch."""
    cdef int i, c, below, above, gap, reach, outer, remaining = 0, bound = FAR
    for i in range(among.count):
        inner[i] = outer = 0
        for c in range(4):
            below = low[c] - among.value[c][i]
            above = among.value[c][i] - low[c] - size
            gap = max(below, above, 0)
            reach = min(below, above)
            inner[i] += gap * gap
            outer += reach * reach
        bound = min(bound, outer)
    for i in range(among.count):
        remaining += inner[i] <= bound
    if not allocate(kept, remaining):
        return False
    kept.count = 0
    for i in range(among.count):
        if inner[i] <= bound:
            kept.number[kept.count] = among.number[i]
            for c in range(4):
                kept.value[c][kept.count] = among.value[c][i]
            kept.count += 1
    return True


cdef int nearest_of(const Colors *among, const int *goal) noexcept nogil:
    """The place of the nearest colour, of equally near ones the first."""
    cdef int i, distance, place = 0, best = FAR
    cdef int a, b, c, d
    for i in range(among.count):
        a = goal[0] - among.value[0][i]
        b = goal[1] - among.value[1][i]
        c = goal[2] - among.value[2][i]
        d = goal[3] - among.value[3][i]
        distance = a * a + b * b + c * c + d * d
        if distance < best:
            best = distance
            place = i
    return place


cdef class Diffusion:
    """As `dither.Diffusion`."""

    cdef int channels, width, strength, limit, shift, row
    cdef int low[4]
    cdef int high[4]
    cdef int side[4]            # small cells along each channel
    cdef int coarse_side[4]
    cdef Py_ssize_t cells, coarse_cells
    cdef Colors palette
    cdef Colors *cell
    cdef Colors *coarse
    cdef int *scratch
    cdef int *error             # two rows: into this one and the next, sixteenths, with a pixel of margin at both ends

    def __cinit__(self, const int[:, ::1] palette, int width, int strength, int limit):
        cdef int i, c, count = <int>palette.shape[1]
        self.channels = <int>palette.shape[0]
        self.width = width
        self.strength = strength
        self.limit = limit
        self.shift = SIZE if self.channels == 3 else SIZE + 1
        self.row = 0
        self.cells = self.coarse_cells = 1
        if not allocate(&self.palette, count):
            raise MemoryError
        self.palette.count = count
        for i in range(count):
            self.palette.number[i] = i
            for c in range(4):
                self.palette.value[c][i] = palette[c, i] if c < self.channels else 0
        for c in range(4):
            self.low[c] = self.high[c] = self.palette.value[c][0]
            for i in range(count):
                self.low[c] = min(self.low[c], self.palette.value[c][i])
                self.high[c] = max(self.high[c], self.palette.value[c][i])
            self.side[c] = ((self.high[c] - self.low[c]) >> self.shift) + 1
            self.coarse_side[c] = ((self.high[c] - self.low[c]) >> (self.shift + COARSE)) + 1
            self.cells *= self.side[c]
            self.coarse_cells *= self.coarse_side[c]
        self.cell = <Colors *>calloc(self.cells, sizeof(Colors))
        self.coarse = <Colors *>calloc(self.coarse_cells, sizeof(Colors))
        self.scratch = <int *>malloc(count * sizeof(int))
        self.error = <int *>calloc(<Py_ssize_t>2 * (width + 2) * 4, sizeof(int))
        if self.cell == NULL or self.coarse == NULL or self.scratch == NULL or self.error == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef Py_ssize_t i
        free(self.palette.number)
        if self.cell != NULL:
            for i in range(self.cells):
                free(self.cell[i].number)
        if self.coarse != NULL:
            for i in range(self.coarse_cells):
                free(self.coarse[i].number)
        free(self.cell)
        free(self.coarse)
        free(self.scratch)
        free(self.error)

    def diffuse(
        self, const int[:, ::1] indices, const int[:, ::1] points, const int[::1] treatment,
        unsigned short[:, ::1] labels,
    ):
        """As `dither.Diffusion.diffuse`."""
        cdef int y
        cdef bint ready = True
        with nogil:
            for y in range(indices.shape[0]):
                ready = self.diffuse_row(&indices[y, 0], &points[0, 0], &treatment[0], &labels[y, 0])
                if not ready:
                    break
        if not ready:
            raise MemoryError

    cdef bint diffuse_row(
        self, const int *indices, const int *points, const int *treatment, unsigned short *labels,
    ) noexcept nogil:
        cdef int i, c, x, place, rest, treated, correction
        cdef int ahead = 4 if self.row % 2 == 0 else -4
        cdef int value[4]
        cdef int goal[4]
        cdef Py_ssize_t stride = <Py_ssize_t>(self.width + 2) * 4
        cdef int *here = self.error + (self.row % 2) * stride
        cdef int *below = self.error + (1 - self.row % 2) * stride
        cdef int *into
        cdef int *under
        cdef const int *point
        cdef const Colors *near
        for i in range(stride):
            below[i] = 0
        for i in range(self.width):
            x = i if ahead > 0 else self.width - 1 - i
            treated = treatment[indices[x]]
            if treated >= 0:
                labels[x] = <unsigned short>treated
                continue
            point = points + <Py_ssize_t>indices[x] * self.channels
            into = here + (x + 1) * 4
            under = below + (x + 1) * 4
            goal[3] = 0
            for c in range(self.channels):
                correction = (into[c] * self.strength + 2048) >> 12
                value[c] = point[c] + min(max(correction, -self.limit), self.limit)
                if c == 3 and treated == KEEP_ALPHA:
                    value[c] = point[c]
                goal[c] = min(max(value[c], self.low[c]), self.high[c])
            near = self.cell_of(goal)
            if near == NULL:
                return False
            place = nearest_of(near, goal)
            labels[x] = <unsigned short>near.number[place]
            for c in range(self.channels):
                rest = value[c] - near.value[c][place]
                into[ahead + c] += 7 * rest
                under[c - ahead] += 3 * rest
                under[c] += 5 * rest
                under[ahead + c] += rest
        self.row += 1
        return True

    cdef const Colors *cell_of(self, const int *goal) noexcept nogil:
        """The colours that can be nearest to a value; NULL if there is no memory for them."""
        cdef Py_ssize_t small = 0, large = 0
        cdef int c
        cdef int corner[4]
        for c in range(4):
            small = small * self.side[c] + ((goal[c] - self.low[c]) >> self.shift)
        if self.cell[small].number != NULL:
            return &self.cell[small]
        for c in range(4):
            large = large * self.coarse_side[c] + ((goal[c] - self.low[c]) >> (self.shift + COARSE))
        if self.coarse[large].number == NULL:
            for c in range(4):
                corner[c] = self.low[c] + (((goal[c] - self.low[c]) >> (self.shift + COARSE)) << (self.shift + COARSE))
            if not thin(&self.palette, corner, (1 << (self.shift + COARSE)) - 1, self.scratch, &self.coarse[large]):
                return NULL
        for c in range(4):
            corner[c] = self.low[c] + (((goal[c] - self.low[c]) >> self.shift) << self.shift)
        if not thin(&self.coarse[large], corner, (1 << self.shift) - 1, self.scratch, &self.cell[small]):
            return NULL
        return &self.cell[small]
