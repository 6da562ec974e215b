/* Predicted label coding; predict.h has the idea, model.h the model, spec §8 the definition, model.py the same in
 * Python.  Encoder and decoder differ only in how they walk: the one writes flags, the other reads them.
 */
#include "model.h"
#include <stdlib.h>

/* ---- flags --------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *bytes[PREDICT_STREAMS];
    size_t position[PREDICT_STREAMS]; /* flags */
    size_t size[PREDICT_STREAMS];     /* bytes: of the stream when reading, of the buffer when writing */
    size_t margin;                    /* bytes a row can take from one stream at most, zero-padded */
} Flags;

/* The next eight flags of all streams, a byte per stream: two steps take at most eight.  Filled all at once:
 * half the instructions of refilling after each flag. */
INLINE uint64_t next_flags(const Flags *f) {
    uint64_t window = 0;
    for (int i = 0; i < PREDICT_STREAMS; i++) {
        const uint8_t *p = f->bytes[i] + (f->position[i] >> 3);
        window |= (uint64_t)(uint8_t)(((unsigned)p[0] | (unsigned)p[1] << 8) >> (f->position[i] & 7)) << (8 * i);
    }
    return window;
}
INLINE void put_flag(Flags *f, unsigned code, unsigned bit) {
    size_t *position = &f->position[(code & 56) >> 3];
    f->bytes[(code & 56) >> 3][*position >> 3] |= (uint8_t)((bit ^ (code >> 6)) << (*position & 7));
    ++*position;
}
INLINE unsigned get_flag(Flags *f, unsigned code) {
    size_t at = f->position[(code & 56) >> 3]++;
    return ((unsigned)f->bytes[(code & 56) >> 3][at >> 3] >> (at & 7) ^ code >> 6) & 1;
}

/* Walk down the tree: from the root to the node reached, one flag per bit.  The first three bits start at nodes 1 to 7,
 * whose codes are in the first word. */
INLINE unsigned code_at(const uint64_t code[2], int j, unsigned node) {
    return (unsigned)(j < 3 ? code[0] >> 8 * node : code[1] >> 8 * (node - 8));
}
INLINE unsigned write_walk(Flags *f, const uint64_t code[2], int bits, unsigned value) {
    unsigned node = 1;
    for (int j = 0; j < bits; j++) {
        unsigned bit = (value >> (bits - 1 - j)) & 1;
        put_flag(f, code_at(code, j, node) & 127, bit);
        node = 2 * node + bit;
    }
    return node;
}
INLINE unsigned read_walk(Flags *f, uint64_t *flags, const uint64_t code[2], int bits) {
    unsigned node = 1;
    uint64_t window = *flags;
    for (int j = 0; j < bits; j++) {
        unsigned c = code_at(code, j, node), at = c & 56;
        node = 2 * node + (((unsigned)(window >> at) ^ (c >> 6)) & 1);
        window ^= (window ^ (window >> 1)) & ((uint64_t)255 << at); /* the stream's byte moves down by one */
        f->position[at >> 3]++;
    }
    *flags = window;
    return node;
}

/* Stream and guess of every node of a step. */
INLINE void place_codes(const Model *m, int lanes, const int16_t *mixed, uint64_t code[2]) {
    v8 sure[2], below[2];
    for (int h = 0; h < lanes / 8; h++) {
        v8 d = v8_load(mixed + 8 * h);
        sure[h] = v8_shift_right(v8_absolute(d), 6);
        below[h] = v8_shift_right(d, 15);
    }
    const int last = lanes / 8 - 1;
    b16 surety = b16_narrow(sure[0], sure[last]), negative = b16_narrow(below[0], below[last]), above[PREDICT_STREAMS];
    for (int j = 0; j < PREDICT_STREAMS - 1; j++) above[j] = b16_greater(surety, b16_load(m->limits[j]));
    b16 level = b16_add(b16_add(b16_add(above[0], above[1]), b16_add(above[2], above[3])),
                        b16_add(b16_add(above[4], above[5]), above[6])); /* less the stream: true is -1 */
    level = b16_add(level, level), level = b16_add(level, level), level = b16_add(level, level);
    b16_words(b16_sub(b16_and(b16_sub(b16_all(-1), negative), b16_all(64)), level), code);
}

/* ---- buffers ------------------------------------------------------------------------------------- */

/* Reading: a stream that ran out goes on as zeros; stay inside the zero padding, which lasts a row. */
INLINE void hold_back(Flags *f) {
    for (int i = 0; i < PREDICT_STREAMS; i++)
        if (f->position[i] >> 3 > f->size[i]) f->position[i] = 8 * f->size[i];
}

/* Writing: room for the most flags a row can add, zeroed. */
static predict_status make_room(Flags *f) {
    for (int i = 0; i < PREDICT_STREAMS; i++) {
        size_t need = (f->position[i] >> 3) + f->margin;
        if (need <= f->size[i]) continue;
        size_t size = 2 * need;
        uint8_t *grown = realloc(f->bytes[i], size);
        if (!grown) return PREDICT_NO_MEMORY;
        memset(grown + f->size[i], 0, size - f->size[i]);
        f->bytes[i] = grown, f->size[i] = size;
    }
    return PREDICT_OK;
}

/* ---- one pixel after another --------------------------------------------------------------------------------- */

/* Whether the label at x is W, where all neighbours are equal. */
INLINE unsigned code_flat(Model *m, Flags *f, int encoding, unsigned set, const uint16_t *here, const uint16_t *above2,
                          uint32_t x, unsigned label) {
    Flat t = look_flat(m, set, here, above2, x);
    unsigned guess = t.logit >= 0, bit = label == here[-1];
    unsigned code = m->level_code[(t.logit < 0 ? -t.logit : t.logit) >> 6] + guess * 64;
    if (encoding)
        put_flag(f, code, bit);
    else
        bit = get_flag(f, code);
    learn_flat(&t, set, bit);
    return bit;
}

/* Code the label at x after a flat miss or outside flat ground; returns it (which may be >= colors if the flags lie).
 */
INLINE unsigned code_label(Model *m, Flags *f, int encoding, unsigned set, int lanes, const Neighbours *n,
                           const uint16_t *here, const uint16_t *above2, uint32_t x, Step *t, unsigned label) {
    const int step = lanes == 16 ? 4 : 3;
    Color c;
    uint32_t key[MAX_INPUTS];
    uint64_t code[2];
    if (set & USES_COLOR) c = color_of(m, n);
    context_keys(m, set, n, &c, here, above2, x, key);
    unsigned prefix = 1;
    uint64_t window = 0;
    for (int left = m->bits, nth = 0; left > 0; nth++) {
        const int bits = left < step ? left : step;
        if (!encoding && nth % 2 == 0) window = next_flags(f);
        begin_step(m, set, lanes, key, n, &c, nth, prefix, t);
        place_codes(m, lanes, t->mixed, code);
        unsigned node = encoding       ? write_walk(f, code, bits, label >> (left - bits))
                        : bits == step ? read_walk(f, &window, code, step) /* unrolled */
                                       : read_walk(f, &window, code, bits);
        t->reached = (int)node;
        prefix = prefix << bits | (node ^ 1u << bits);
        left -= bits;
    }
    return prefix ^ 1u << m->bits;
}

/* Works on its own copies of model and flags: nothing else can point to them, so the compiler may keep their
 * fields in registers across the stores into tables. */
INLINE predict_status code_picture(const Model *model, Flags *flags, const int encoding, const unsigned set,
                                   const int lanes, uint16_t *labels, uint32_t width, uint32_t height) {
    Model m = *model;
    Flags f = *flags;
    Step t;
    predict_status status = PREDICT_OK;
    memset(&t, 0, sizeof t);
    for (uint32_t y = 0; y < height; y++, labels += width) {
        if (!encoding)
            hold_back(&f);
        else if ((status = make_room(&f)))
            break;
        next_row(&m, width);
        uint16_t *row = m.rows[0] + MARGIN;
        const uint16_t *above = m.rows[1] + MARGIN, *above2 = m.rows[2] + MARGIN;
        if (set & (TEMPLATE_10 | TEMPLATE_19)) hash_templates(&m, width);
        for (uint32_t x = 0; x < width; x++) {
            unsigned label = encoding ? labels[x] : 0;
            if (encoding && label >= m.colors) {
                status = PREDICT_BAD_ARGUMENT;
                break;
            }
            Neighbours n = neighbours(row + x, above + x);
            if (n.flat && code_flat(&m, &f, encoding, set, row + x, above2 + x, x, label))
                label = n.W;
            else
                label = code_label(&m, &f, encoding, set, lanes, &n, row + x, above2 + x, x, &t, label);
            if (!encoding && label >= m.colors) {
                status = PREDICT_BAD_DATA;
                break;
            }
            row[x] = (uint16_t)label;
        }
        if (status) break;
        if (!encoding) memcpy(labels, row, width * sizeof *row);
    }
    *flags = f;
    return status;
}

static predict_status read_picture(Model *m, Flags *f, uint16_t *labels, uint32_t width, uint32_t height) {
#define COPY(set, lanes) return code_picture(m, f, 0, set, lanes, labels, width, height)
    FOR_EVERY_MODEL(*m, COPY)
#undef COPY
}
static predict_status write_picture(Model *m, Flags *f, const uint16_t *labels, uint32_t width, uint32_t height) {
#define COPY(set, lanes) return code_picture(m, f, 1, set, lanes, (uint16_t *)labels, width, height)
    FOR_EVERY_MODEL(*m, COPY)
#undef COPY
}

/* ---- the two directions ---------------------------------------------------------------------------------- */

static size_t row_margin(const Model *m, uint32_t width) { return ((size_t)width * (unsigned)(m->bits + 1)) / 8 + 8; }

predict_status predict_encode(const uint16_t *labels, uint32_t width, uint32_t height, const uint8_t *palette,
                              uint32_t colors, uint32_t channels, predict_params params,
                              predict_stream streams[PREDICT_STREAMS]) {
    Model m;
    Flags f;
    memset(&f, 0, sizeof f);
    memset(streams, 0, PREDICT_STREAMS * sizeof *streams);
    predict_status status = open_model(&m, width, height, palette, colors, channels, params);
    if (!status) {
        f.margin = row_margin(&m, width);
        status = write_picture(&m, &f, labels, width, height);
    }
    close_model(&m);
    for (int i = 0; i < PREDICT_STREAMS; i++)
        if (status)
            free(f.bytes[i]);
        else
            streams[i].bytes = f.bytes[i], streams[i].count = f.position[i];
    return status;
}

void predict_free_streams(predict_stream streams[PREDICT_STREAMS]) {
    for (int i = 0; i < PREDICT_STREAMS; i++) {
        free(streams[i].bytes);
        streams[i].bytes = NULL, streams[i].count = 0;
    }
}

/* Whether a stream holds a byte, or a set bit, behind the last flag consumed. */
static int has_leftover(const uint8_t *bytes, size_t size, size_t consumed) {
    if (size > (consumed + 7) / 8) return 1;
    return size == (consumed + 7) / 8 && consumed % 8 && bytes[size - 1] >> consumed % 8;
}

predict_status predict_decode(const uint8_t *const bytes[PREDICT_STREAMS], const size_t sizes[PREDICT_STREAMS],
                              uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
                              uint32_t channels, predict_params params, uint16_t *labels) {
    Model m;
    Flags f;
    memset(&f, 0, sizeof f);
    predict_status status = open_model(&m, width, height, palette, colors, channels, params);
    if (!status) {
        f.margin = row_margin(&m, width);
        for (int i = 0; i < PREDICT_STREAMS && !status; i++) {
            f.size[i] = sizes[i];
            f.bytes[i] = sizes[i] > SIZE_MAX / 8 - f.margin ? NULL : calloc(sizes[i] + f.margin, 1);
            if (!f.bytes[i])
                status = PREDICT_NO_MEMORY;
            else if (sizes[i])
                memcpy(f.bytes[i], bytes[i], sizes[i]);
        }
    }
    if (!status) {
        status = read_picture(&m, &f, labels, width, height);
    }
    for (int i = 0; i < PREDICT_STREAMS; i++) {
        if (!status && has_leftover(f.bytes[i], f.size[i], f.position[i])) status = PREDICT_BAD_DATA;
        free(f.bytes[i]);
    }
    close_model(&m);
    return status;
}
