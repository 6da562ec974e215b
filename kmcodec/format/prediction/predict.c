/* Predicted label coding; predict.h has the idea, spec/kmc.md the definition, model.py the same in Python.
 *
 * A label is coded most significant bit first, `step` bits (4 or 3) at a time: a walk down a binary tree of
 * 2^step - 1 nodes.  All nodes of a step are predicted at once, `lanes` = 2^step wide, which is what makes the
 * model fast: the loops over lanes vectorise (8 x int16 in SSE2 or NEON), and the walk itself only reads bytes.
 *
 *   neighbourhood   the labels around a pixel, and the colour they suggest
 *   contexts        what to look up: each context names one line (a logit and a rate per node) in its table
 *   mixing          a node's logit = sum of its lines' logits, weighted; weights learn
 *   flags           guess = logit >= 0; stream = confidence; encoder and decoder differ only here
 *   update          only the nodes on the path walked learn
 *
 * Ranges are chosen so that no int16 can overflow (see RANGES): saturating adds do not auto-vectorise in GCC 12.
 */
#include "predict.h"
#include "lanes.h"
#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#define INLINE static __forceinline
#define RESTRICT __restrict
#define PREFETCH(p) ((void)(p))
#define UNLIKELY(x) (x)
#define ALIGNED(n) __declspec(align(n))
#elif defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define RESTRICT __restrict__
#define PREFETCH(p) __builtin_prefetch(p)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ALIGNED(n) __attribute__((aligned(n)))
#else
#define INLINE static inline
#define RESTRICT
#define PREFETCH(p) ((void)(p))
#define UNLIKELY(x) (x)
#define ALIGNED(n)
#endif

/* SCALES.  logit of a line: 4096 = 1; rate: 65536 = 1; weight: 16384 = 1; mixed logit:
 * 1024 = 1, at most 8; error: 32768 = 1.  All int16; sums saturate. */
enum {
    MAX_LANES = 16,
    MAX_INPUTS = 8,
    MAX_STEPS = 4,
    MIXED_LIMIT = 8191,
    SURE = 7423,        /* a flat flag surer than this and right teaches nothing: its error rounds to 0 */
    COLOR_LIMIT = 2047, /* colour input: 32 = one level of colour; 64 levels are as sure as it gets */
    COLOR_WEIGHT = 4096,
    WEIGHT_SETS = 16 + 3 * 16 * 3, /* see weight_set */
    MARGIN = 8                     /* border labels on each side of a row buffer; templates reach 4 */
};

/* Contexts as a bit set, in the order of their tables. */
enum {
    COLOR_4 = 1,
    COLOR_5 = 2,
    W_ = 4,
    N_ = 8,
    NE_ = 16,
    NW_ = 32,
    W_WW = 64,
    N_NN = 128,
    RING = 256,
    TEMPLATE_10 = 512,
    TEMPLATE_19 = 1024,
    COLOR_INPUT = 2048 /* not a table: see color_logits */
};
enum {
    SET_CONTEXTS_PHOTO = COLOR_5 | W_ | N_ | NE_ | COLOR_INPUT,
    SET_CONTEXTS_SMOOTH = W_ | N_ | NE_ | NW_ | COLOR_INPUT,
    SET_CONTEXTS_MIDDLE = W_WW | N_NN | RING | COLOR_INPUT,
    SET_CONTEXTS_RICH = COLOR_5 | NE_ | NW_ | W_WW | N_NN | COLOR_INPUT,
    SET_CONTEXTS_DEEP = COLOR_5 | W_ | N_ | NE_ | NW_ | W_WW | N_NN | COLOR_INPUT,
    SET_CONTEXTS_GRAPHICS = COLOR_4 | W_WW | N_NN | RING | TEMPLATE_10 | TEMPLATE_19
};
static const unsigned SET_CONTEXTS[PREDICT_SETS] = {SET_CONTEXTS_PHOTO, SET_CONTEXTS_SMOOTH, SET_CONTEXTS_MIDDLE,
                                                    SET_CONTEXTS_RICH,  SET_CONTEXTS_DEEP,   SET_CONTEXTS_GRAPHICS};
#define USES_COLOR (COLOR_4 | COLOR_5 | COLOR_INPUT)

/* Odd multipliers; one per neighbour, so that the hash of a template is a sum that vectorises along a row. */
static const uint32_t M[20] = {0x9E3779B1u, 0x85EBCA6Bu, 0xC2B2AE35u, 0x27D4EB2Fu, 0x165667B1u,
                               0x2545F491u, 0x9FB21C65u, 0xD6E8FEB9u, 0xA0761D65u, 0xE7037ED1u,
                               0x8EBC6AF1u, 0x589965CDu, 0x1D8E4E27u, 0xEB44ACCBu, 0x3C6EF373u,
                               0xBB67AE85u, 0xCC9E2D51u, 0x1B873593u, 0xE6546B65u, 0x38B34AE5u};

INLINE int clamp(int v, int limit) { return v < -limit ? -limit : v > limit ? limit : v; }
INLINE uint32_t mix(uint32_t v) { return (v ^ (v >> 15)) * 0xC2B2AE35u; }
INLINE int floor_log2(unsigned v) { /* v > 0 */
#if defined(__GNUC__)
    return 31 - __builtin_clz(v);
#else
    int n = 0;
    while (v >>= 1) n++;
    return n;
#endif
}

/* ---- contexts ------------------------------------------------------------------------------------------ */

/* A table of lines and how a key becomes a line's number: directly where every key has its own line, else
 * hashed.  One formula for both, without a branch: ((k ^ k >> fold) * multiplier) >> shift. */
typedef struct {
    int16_t *lines;
    uint32_t place[4]; /* multiplier of each label in a key */
    uint32_t multiplier;
    unsigned fold, shift;
    uint32_t again, prefix, offset; /* key of a later step = key * again + prefix bits * prefix + offset */
} Table;

typedef struct {
    int16_t s, r;
} FlatSlot;

/* ---- the model ----------------------------------------------------------------------------------------- */

typedef struct {
    /* of the picture */
    unsigned set;
    int bits, step, lanes, contexts, inputs;
    uint32_t colors;
    ALIGNED(16) uint8_t limits[PREDICT_STREAMS - 1][MAX_LANES]; /* a stream begins above this; 16 = 1; 16 copies */
    uint8_t level_code[128];                                    /* 8 * stream by confidence */
    int rate_start, weight_sum;
    /* memory */
    void *block;
    int16_t (*color)[4]; /* palette, alpha multiplied in */
    int16_t *geometry;   /* per group of nodes: axis R, G, B and middle, lanes each */
    Table table[MAX_INPUTS];
    Table flat_table[4];
    FlatSlot *flat[4];
    int flat_contexts;
    int flat_weights[8][4];
    int16_t (*weights)[MAX_INPUTS][MAX_LANES];
    int16_t (*paths)[MAX_LANES]; /* [node reached][node]: +1 passed by bit 1, -1 by bit 0, 0 not passed */
    ALIGNED(16) int16_t no_caps[MAX_LANES];
    ALIGNED(16) int16_t caps[MAX_STEPS][MAX_LANES]; /* -MIXED_LIMIT where bit 1 would lead past the last colour */
    uint32_t edge[MAX_STEPS];                       /* the group of each step that holds the last colour; 0: none */
    uint16_t *rows[4];                              /* this row and the three above, MARGIN zeros on both sides */
    uint32_t *hash_10, *hash_19;                    /* the part of the templates above this row */
} Model;

/* One step in flight: what was looked up and mixed, until its update.  Local to the coding loop. */
typedef struct {
    int16_t *line[MAX_INPUTS];    /* lanes logits, then lanes rates */
    int16_t (*weight)[MAX_LANES]; /* of every input */
    int reached;                  /* node the walk ended at; 0: nothing owed */
    ALIGNED(16) int16_t mixed[MAX_LANES];
    ALIGNED(16) int16_t color_logit[MAX_LANES];
    uint64_t code[2]; /* of each node a byte: 8 * stream + 64 * guess; in registers a walk need not wait for memory */
} Step;

/* ---- neighbourhood ------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t W, N, NW, NE, WW;
    int flat; /* W, N, NW and NE agree */
    unsigned agreement;
} Neighbours;

typedef struct {
    v8 four;      /* four times the predicted colour, 0..1020; lanes 3 to 7 are 0 */
    int activity; /* bit length of the differences around, at most 11 */
} Color;

INLINE Neighbours neighbours(const uint16_t *here, const uint16_t *above) {
    Neighbours n;
    n.W = here[-1], n.WW = here[-2], n.N = above[0], n.NW = above[-1], n.NE = above[1];
    n.agreement = (unsigned)(n.W == n.N) + 2u * (n.N == n.NE) + 4u * (n.W == n.NW);
    n.flat = n.agreement == 7;
    return n;
}

/* Twice the median-edge prediction plus W plus NE; differences W-NW, N-NW, N-NE as activity.  Channels side by side:
 * 8 % of the time of decoding less than one by one. */
INLINE Color color_of(const Model *m, const Neighbours *n) {
    v8 W = v8_load_half(m->color[n->W]), N = v8_load_half(m->color[n->N]), NW = v8_load_half(m->color[n->NW]),
       NE = v8_load_half(m->color[n->NE]);
    v8 median = v8_max(v8_min(W, N), v8_min(v8_max(W, N), v8_sub(v8_add(W, N), NW)));
    v8 difference = v8_add(v8_add(v8_absolute(v8_sub(W, NW)), v8_absolute(v8_sub(N, NW))), v8_absolute(v8_sub(N, NE)));
    unsigned sum = (unsigned)v8_dot_half(difference, v8_all(1));
    Color c;
    c.four = v8_add(v8_add(median, median), v8_add(W, NE));
    c.activity = floor_log2(2 * (sum < 2047 ? sum : 2047) + 1);
    return c;
}
/* The upper bits of each channel in one number: that of channel i counts places[i]. */
INLINE uint32_t color_key(const Color *c, int shift, const int16_t *places) {
    return (uint32_t)v8_dot_half(v8_shift_right_unsigned(c->four, shift), v8_load_half(places));
}

/* The part of both template hashes that lies above this row; a sum of products vectorises along the row. */
INLINE void hash_templates(const Model *m, uint32_t width) {
    const uint16_t *RESTRICT a = m->rows[1] + MARGIN, *RESTRICT b = m->rows[2] + MARGIN,
                             *RESTRICT c = m->rows[3] + MARGIN;
    uint32_t *RESTRICT ten = m->hash_10, *RESTRICT nineteen = m->hash_19;
    for (ptrdiff_t x = 0; x < (ptrdiff_t)width; x++) {
        uint32_t t = a[x] * M[0] + b[x] * M[1] + a[x - 1] * M[2] + a[x + 1] * M[3] + b[x + 1] * M[4] + a[x - 2] * M[5] +
                     a[x + 2] * M[6] + b[x - 1] * M[7];
        ten[x] = t;
        nineteen[x] = t + c[x] * M[8] + a[x - 3] * M[9] + a[x + 3] * M[10] + b[x - 2] * M[11] + b[x + 2] * M[12] +
                      c[x - 1] * M[13] + c[x + 1] * M[14];
    }
}
INLINE uint32_t template_10(const Model *m, uint32_t x, const uint16_t *here) {
    return m->hash_10[x] + here[-1] * M[15] + here[-2] * M[16];
}
INLINE uint32_t template_19(const Model *m, uint32_t x, const uint16_t *here) {
    return m->hash_19[x] + here[-1] * M[15] + here[-2] * M[16] + here[-3] * M[17] + here[-4] * M[18];
}

/* ---- contexts ------------------------------------------------------------------------------------------ */

INLINE int context_count(unsigned set) {
    int n = 0;
    for (unsigned c = COLOR_4; c < COLOR_INPUT; c *= 2) n += (set & c) != 0;
    return n;
}
INLINE size_t line_number(const Table *t, uint32_t key) {
    return ((key ^ (key >> t->fold)) * t->multiplier) >> t->shift;
}

/* The keys of the first step; later steps derive theirs from these. */
INLINE void context_keys(const Model *m, unsigned set, const Neighbours *n, const Color *c, const uint16_t *here,
                         const uint16_t *above2, uint32_t x, uint32_t *key) {
    static const int16_t PLACES_4[4] = {1, 16, 256, 0}, PLACES_5[4] = {1, 32, 1024, 0};
    const Table *t = m->table;
    int i = 0;
    if (set & COLOR_4) key[i++] = color_key(c, 6, PLACES_4) | (uint32_t)c->activity << 12;
    if (set & COLOR_5) key[i++] = color_key(c, 5, PLACES_5) | (uint32_t)c->activity >> 1 << 15;
    if (set & W_) key[i] = n->W * t[i].place[0], i++;
    if (set & N_) key[i] = n->N * t[i].place[0], i++;
    if (set & NE_) key[i] = n->NE * t[i].place[0], i++;
    if (set & NW_) key[i] = n->NW * t[i].place[0], i++;
    if (set & W_WW) key[i] = n->W * t[i].place[0] + n->WW * t[i].place[1], i++;
    if (set & N_NN) key[i] = n->N * t[i].place[0] + above2[0] * t[i].place[1], i++;
    if (set & RING)
        key[i] = n->W * t[i].place[0] + n->N * t[i].place[1] + n->NW * t[i].place[2] + n->NE * t[i].place[3], i++;
    if (set & TEMPLATE_10) key[i++] = template_10(m, x, here);
    if (set & TEMPLATE_19) key[i++] = template_19(m, x, here);
}

/* ---- mixing -------------------------------------------------------------------------------------------- */

/* The colour input: how far the predicted colour lies on the right child's side of the plane halfway between
 * the mean colours of a node's two children.  Needs no learning: -0.5 % bytes at K = 256, -3 % at 1024, -6 % at
 * 4096, and several % on icons. */
INLINE void color_logits(const Model *m, int lanes, unsigned group, const Color *c, int16_t *out) {
    const int16_t *g = m->geometry + (size_t)group * 4 * (unsigned)lanes;
    v8 scaled = v8_shift_left(c->four, 5);
    v8 R = v8_broadcast(scaled, 0), G = v8_broadcast(scaled, 1), B = v8_broadcast(scaled, 2);
    for (int k = 0; k < lanes; k += 8) {
        v8 side = v8_multiply_high(v8_load(g + k), R);
        side = v8_add(side, v8_multiply_high(v8_load(g + lanes + k), G));
        side = v8_add(side, v8_multiply_high(v8_load(g + 2 * lanes + k), B));
        side = v8_sub(side, v8_load(g + 3 * lanes + k));
        side = v8_max(v8_min(side, v8_all(COLOR_LIMIT)), v8_all(-COLOR_LIMIT));
        v8_store(out + k, v8_shift_left(side, 4));
    }
}

/* Mixed logit of every node: each input's logit times its weight, added up in the order of the inputs. */
INLINE v8 mixed_logits(const Step *t, int inputs, int k, const int16_t *cap) {
    v8 d = v8_all(0);
    for (int i = 0; i < inputs; i++) {
        v8 product = v8_multiply_high(v8_load(t->line[i] + k), v8_load(t->weight[i] + k));
        d = i ? v8_add_saturated(d, product) : product;
    }
    return v8_max(v8_min(d, v8_load(cap + k)), v8_all(-MIXED_LIMIT));
}

/* Logits of all nodes of the step, and from them guess and stream. */
INLINE void forward(const Model *m, int lanes, int inputs, Step *t, const int16_t *cap) {
    v8 d[2], sure[2], below[2];
    for (int h = 0; h < lanes / 8; h++) {
        d[h] = mixed_logits(t, inputs, 8 * h, cap);
        v8_store(t->mixed + 8 * h, d[h]);
        sure[h] = v8_shift_right(v8_absolute(d[h]), 6);
        below[h] = v8_shift_right(d[h], 15);
    }
    const int last = lanes / 8 - 1;
    b16 surety = b16_narrow(sure[0], sure[last]), negative = b16_narrow(below[0], below[last]), above[PREDICT_STREAMS];
    for (int j = 0; j < PREDICT_STREAMS - 1; j++) above[j] = b16_greater(surety, b16_load(m->limits[j]));
    b16 level = b16_add(b16_add(b16_add(above[0], above[1]), b16_add(above[2], above[3])),
                        b16_add(b16_add(above[4], above[5]), above[6])); /* less the stream: true is -1 */
    level = b16_add(level, level), level = b16_add(level, level), level = b16_add(level, level);
    b16_words(b16_sub(b16_and(b16_sub(b16_all(-1), negative), b16_all(64)), level), t->code);
}

/* ---- update -------------------------------------------------------------------------------------------- */

/* bit - chance of 1, 32768 = 1, for the nodes on the path, else 0.  The unlikely bit's chance is taken as
 * (1 - |d| / 8)^4 / 2: two squarings instead of a logistic table, so the format has no table to define. */
INLINE v8 errors(v8 d, v8 path) {
    v8 chance = v8_sub(v8_all(-1), v8_shift_left(v8_absolute(d), 3));
    chance = v8_multiply_high_unsigned(chance, chance);
    chance = v8_multiply_high_unsigned(chance, chance);
    v8 missed = v8_xor(v8_shift_right(d, 15), v8_shift_right(path, 15));
    v8 size = v8_shift_right_unsigned(v8_xor(v8_shift_right_unsigned(chance, 1), missed), 1);
    return v8_multiply_low(size, path);
}

/* Photos learn their weights slower, and go on refining their logits longer. */
INLINE int weight_shift(unsigned set) { return set & COLOR_INPUT ? 4 : 3; }
INLINE int rate_floor(unsigned set) { return set & COLOR_INPUT ? 1000 : 1600; }

/* The step owed learns.  Weights and lines share one error per node: a line's own error would cost eight more
 * operations a line for -0.5 % bytes. */
INLINE void update(const Model *m, unsigned set, int lanes, int contexts, int inputs, Step *t) {
    if (!t->reached) return;
    const int shift = weight_shift(set);
    const v8 round = v8_all(1 << (shift - 1)), floor = v8_all(rate_floor(set));
    for (int k = 0; k < lanes; k += 8) {
        v8 path = v8_load(m->paths[t->reached] + k), visited = v8_multiply_low(path, path);
        v8 e = errors(v8_load(t->mixed + k), path);
        visited = v8_sub(v8_all(0), visited);
        for (int i = 0; i < inputs; i++) {
            v8 s = v8_load(t->line[i] + k);
            v8 dw = v8_shift_right(v8_add(v8_multiply_high(s, e), round), shift);
            v8_store(t->weight[i] + k, v8_add_saturated(v8_load(t->weight[i] + k), dw));
            if (i >= contexts) continue; /* the colour input does not learn, its weight does */
            v8 r = v8_load(t->line[i] + lanes + k);
            v8_store(t->line[i] + k, v8_add_saturated(s, v8_multiply_high(e, r)));
            v8_store(t->line[i] + lanes + k, v8_sub(r, v8_and(v8_multiply_high(r, v8_sub(r, floor)), visited)));
        }
    }
}

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

/* ---- the flat flag: "the label is W" where W, N, NW and NE agree ------------------------------------------- */

/* Chance of the unlikely bit, 65536 = 1: errors() for one. */
INLINE uint32_t unlikely_chance(unsigned sure) {
    uint32_t u = 65535 - 8 * sure;
    u = u * u >> 16;
    u = u * u >> 16;
    return u >> 1;
}
INLINE void learn_flat(FlatSlot **slot, int *weight, int contexts, unsigned bit, uint32_t miss) {
    int e = bit ? (int)(miss >> 1) : -(int)(miss >> 1);
    for (int i = 0; i < contexts; i++) {
        int s = slot[i]->s, r = slot[i]->r;
        weight[i] = clamp(weight[i] + ((((s * e) >> 16) + 4) >> 3), 32767);
        slot[i]->s = (int16_t)clamp(s + ((e * r) >> 16), 32767);
        slot[i]->r = (int16_t)(r - ((r * (r - 1600)) >> 16));
    }
}

INLINE unsigned code_flat(Model *m, Flags *f, int encoding, int contexts, const uint16_t *here, const uint16_t *above2,
                          uint32_t x, uint32_t W, unsigned label) {
    uint32_t WW = here[-2], NN = above2[0], NNE = above2[1];
    const Table *t = m->flat_table;
    FlatSlot *slot[4];
    int *weight = m->flat_weights[(WW == W) + 2 * (NN == W) + 4 * (NNE == W)];
    slot[0] = m->flat[0] + line_number(&t[0], W * M[0] + WW * M[1] + NN * M[2] + NNE * M[3]);
    slot[1] = m->flat[1] + line_number(&t[1], W * M[0] + WW * M[1]);
    slot[2] = m->flat[2] + line_number(&t[2], W * M[0] + NN * M[2]);
    if (contexts > 3) slot[3] = m->flat[3] + line_number(&t[3], template_19(m, x, here));
    int d = 0;
    for (int i = 0; i < contexts; i++) d += (slot[i]->s * weight[i]) >> 16;
    d = clamp(d, MIXED_LIMIT);
    unsigned guess = d >= 0, a = (unsigned)(d < 0 ? -d : d), code = m->level_code[a >> 6] + guess * 64, wrong;
    if (encoding) {
        wrong = (label == W) ^ guess;
        put_flag(f, code, label == W);
    } else {
        wrong = get_flag(f, code) ^ guess;
    }
    unsigned bit = guess ^ wrong;
    if (UNLIKELY(wrong)) /* a branch: what follows need not wait for the flag */
        learn_flat(slot, weight, contexts, bit, 65535 - unlikely_chance(a));
    else if (a <= SURE)
        learn_flat(slot, weight, contexts, bit, unlikely_chance(a));
    return bit;
}

/* ---- rows and buffers ------------------------------------------------------------------------------------- */

INLINE void next_row(Model *m, uint32_t width) {
    uint16_t *oldest = m->rows[3];
    m->rows[3] = m->rows[2], m->rows[2] = m->rows[1], m->rows[1] = m->rows[0], m->rows[0] = oldest;
    memset(oldest, 0, (width + 2 * MARGIN) * sizeof *oldest);
}

/* Reading: a stream that ran out goes on as zeros; stay inside the zero padding, which lasts a row. */
INLINE predict_status check_supply(Flags *f) {
    for (int i = 0; i < PREDICT_STREAMS; i++)
        if (f->position[i] >> 3 > f->size[i]) f->position[i] = 8 * f->size[i];
    return PREDICT_OK;
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

/* ---- set-up ----------------------------------------------------------------------------------------------- */

typedef struct {
    uint8_t *next; /* NULL: only measure */
    size_t used;
} Arena;
/* Neighbours often have equal labels, that is equal line numbers: keep those lines of different tables off the
 * same cache set and the same offset in a page. */
enum { STAGGER = 11 * 64 };
static void *take(Arena *a, size_t count, size_t size) {
    size_t at = a->used;
    a->used += ((count * size + 63) & ~(size_t)63) + STAGGER;
    return a->next ? a->next + at : NULL;
}

/* Labels in a key, 0 for contexts that are hashes of something else. */
static int order_of(unsigned context) {
    return context & (W_ | N_ | NE_ | NW_) ? 1 : context & (W_WW | N_NN) ? 2 : context & RING ? 4 : 0;
}

/* Every possible key gets its own line where that needs no more lines than a hashed table has. */
static size_t plan_table(const Model *m, Table *t, int order, int table_bits) {
    size_t keys = 1, limit = (size_t)1 << table_bits;
    int steps = (m->bits + m->step - 1) / m->step;
    for (int i = 0; i < order && keys <= limit; i++) keys *= m->colors;
    size_t lines = steps == 1 ? keys : keys * (1 + (size_t)m->lanes);
    if (order && steps <= 2 && lines <= limit) {
        for (int i = 0, place = 1; i < order; i++, place *= (int)m->colors) t->place[i] = (uint32_t)place;
        t->multiplier = 1, t->fold = 31, t->shift = 0;
        t->again = (uint32_t)m->lanes, t->prefix = 1, t->offset = (uint32_t)keys - (uint32_t)m->lanes;
        return lines;
    }
    for (int i = 0; i < 4; i++) t->place[i] = M[i];
    t->multiplier = 0xC2B2AE35u, t->fold = 15, t->shift = 32 - (unsigned)table_bits;
    t->again = 1, t->prefix = M[4], t->offset = 0;
    return limit;
}

static uint32_t square_root(uint32_t v) {
    uint32_t root = 0;
    for (uint32_t bit = 1u << 15; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= v) root += bit;
    return root;
}

typedef struct {
    uint32_t count, sum[3];
} Mean;
static int sixteenths(const Mean *m, int i) { return (int)(m->sum[i] * 16ull / m->count); }

/* One node of the colour input, from the colours below its two children. */
static void place_node(int16_t *g, int lanes, const Mean *left, const Mean *right) {
    int axis[3], length = 0;
    if (!left->count || !right->count) { /* bit 1 is impossible */
        g[0] = g[lanes] = g[2 * lanes] = 0, g[3 * lanes] = COLOR_LIMIT;
        return;
    }
    for (int i = 0; i < 3; i++) {
        axis[i] = sixteenths(right, i) - sixteenths(left, i);
        length += axis[i] * axis[i];
    }
    length = (int)square_root((uint32_t)length);
    int64_t middle = 0;
    for (int i = 0; i < 3; i++) {
        int16_t unit = (int16_t)(length ? axis[i] * 16384 / length : 0);
        g[i * lanes] = unit;
        middle += (int64_t)unit * (4 * (sixteenths(right, i) + sixteenths(left, i)));
    }
    g[3 * lanes] = (int16_t)(middle >= 0 ? middle / 65536 : -((-middle + 65535) / 65536));
}

/* Means of all prefixes as a heap (children of i: 2i, 2i + 1), then the nodes group by group. */
static predict_status place_nodes(Model *m) {
    const size_t leaves = (size_t)1 << m->bits;
    Mean *mean = calloc(2 * leaves, sizeof *mean);
    if (!mean) return PREDICT_NO_MEMORY;
    for (uint32_t i = 0; i < m->colors; i++) {
        mean[leaves + i].count = 1;
        for (int c = 0; c < 3; c++) mean[leaves + i].sum[c] = (uint32_t)m->color[i][c];
    }
    for (size_t i = leaves - 1; i; i--) {
        mean[i].count = mean[2 * i].count + mean[2 * i + 1].count;
        for (int c = 0; c < 3; c++) mean[i].sum[c] = mean[2 * i].sum[c] + mean[2 * i + 1].sum[c];
    }
    for (int done = 0; done < m->bits; done += m->step)
        for (size_t group = (size_t)1 << done; group < (size_t)2 << done; group++)
            for (int depth = 0; depth < m->step && done + depth < m->bits; depth++)
                for (size_t k = (size_t)1 << depth; k < (size_t)2 << depth; k++) {
                    size_t i = group << depth | (k ^ (size_t)1 << depth);
                    place_node(m->geometry + group * 4 * (size_t)m->lanes + k, m->lanes, &mean[2 * i],
                               &mean[2 * i + 1]);
                }
    free(mean);
    return PREDICT_OK;
}

/* Nodes whose bit 1 leads past the last colour are capped, so that their flags cost nothing. */
static void place_caps(Model *m) {
    for (int k = 0; k < MAX_LANES; k++) m->no_caps[k] = MIXED_LIMIT;
    memset(m->edge, 0, sizeof m->edge);
    if (m->colors == 1u << m->bits) return;
    for (int nth = 0, done = 0; done < m->bits; nth++, done += m->step) {
        uint32_t group = 1u << done | (m->colors - 1) >> (m->bits - done);
        m->edge[nth] = group;
        memcpy(m->caps[nth], m->no_caps, sizeof m->no_caps);
        for (int depth = 0; depth < m->step && done + depth < m->bits; depth++)
            for (uint32_t k = 1u << depth; k < 2u << depth; k++) {
                uint32_t node = group << depth | (k ^ 1u << depth); /* leading 1, then the prefix */
                uint32_t right = (2 * node + 1) << (m->bits - done - depth - 1);
                if ((right ^ 1u << m->bits) >= m->colors) m->caps[nth][k] = -MIXED_LIMIT;
            }
    }
}

static void place_paths(Model *m) {
    for (int reached = 2; reached < 2 * m->lanes; reached++) {
        for (int k = 0; k < MAX_LANES; k++) m->paths[reached][k] = 0;
        for (int node = reached; node > 1; node >>= 1) m->paths[reached][node >> 1] = node & 1 ? 1 : -1;
    }
}

static void lay_out(Model *m, Arena *a, uint32_t width, int table_bits, size_t lines[], size_t *groups) {
    int table = 0;
    for (unsigned c = COLOR_4; c < COLOR_INPUT; c *= 2) {
        if (!(m->set & c)) continue;
        Table *t = &m->table[table];
        lines[table] = plan_table(m, t, order_of(c), table_bits);
        t->lines = take(a, lines[table++], 2 * (size_t)m->lanes * sizeof(int16_t));
    }
    int flat_bits = table_bits < 16 ? table_bits : 16;
    for (int i = 0; i < m->flat_contexts; i++) {
        plan_table(m, &m->flat_table[i], 0, flat_bits);
        m->flat[i] = take(a, (size_t)1 << flat_bits, sizeof(FlatSlot));
    }
    m->color = take(a, m->colors, sizeof *m->color);
    m->weights = take(a, WEIGHT_SETS, sizeof *m->weights);
    m->paths = take(a, 2 * (size_t)m->lanes, sizeof *m->paths);
    for (int i = 0; i < 4; i++) m->rows[i] = take(a, width + 2 * MARGIN, sizeof(uint16_t));
    m->hash_10 = take(a, width, sizeof(uint32_t));
    m->hash_19 = take(a, width, sizeof(uint32_t));
    int last = (m->bits - 1) / m->step * m->step; /* bits before the last step */
    *groups = m->set & COLOR_INPUT ? (size_t)2 << last : 0;
    m->geometry = take(a, *groups, 4 * (size_t)m->lanes * sizeof(int16_t));
}

static predict_status open_model(Model *m, uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
                                 uint32_t channels, predict_params params) {
    static const uint8_t EIGHT[7] = {7, 17, 28, 41, 57, 79, 111}, THREE[7] = {12, 31, 127, 127, 127, 127, 127};
    memset(m, 0, sizeof *m);
    if (!width || !height || width > 0x7fffffffu || colors < 2 || colors > 65536 || (channels != 3 && channels != 4) ||
        params.set < 0 || params.set >= PREDICT_SETS || params.table_bits < 8 || params.table_bits > 20 ||
        params.sparse < 0 || params.sparse > 1)
        return PREDICT_BAD_ARGUMENT;
    m->set = SET_CONTEXTS[params.set];
    m->colors = colors;
    m->bits = floor_log2(colors - 1) + 1;
    m->step = m->bits % 4 && m->bits <= 9 && m->bits != 4 && m->bits != 7 ? 3 : 4;
    m->lanes = 1 << m->step;
    m->contexts = context_count(m->set);
    m->inputs = m->contexts + ((m->set & COLOR_INPUT) != 0);
    m->flat_contexts = m->set & TEMPLATE_19 ? 4 : 3;
    m->rate_start = m->set & COLOR_INPUT ? 10000 : 20000;
    m->weight_sum = params.set == PREDICT_GRAPHICS ? 65536 : 40960;
    for (int i = 0; i < PREDICT_STREAMS - 1; i++) memset(m->limits[i], (params.sparse ? THREE : EIGHT)[i], MAX_LANES);
    for (int i = 0; i < 128; i++)
        for (int j = 0; j < PREDICT_STREAMS - 1; j++)
            m->level_code[i] = (uint8_t)(m->level_code[i] + 8 * (i > m->limits[j][0]));

    size_t lines[MAX_INPUTS], groups;
    Arena arena = {NULL, 0};
    lay_out(m, &arena, width, params.table_bits, lines, &groups);
    m->block = malloc(arena.used + 63);
    if (!m->block) return PREDICT_NO_MEMORY;
    arena.next = (uint8_t *)(((uintptr_t)m->block + 63) & ~(uintptr_t)63), arena.used = 0;
    lay_out(m, &arena, width, params.table_bits, lines, &groups);

    for (int i = 0; i < m->contexts; i++)
        for (size_t j = 0; j < lines[i]; j++)
            for (int k = 0; k < 2 * m->lanes; k++)
                m->table[i].lines[j * 2 * (size_t)m->lanes + (size_t)k] = (int16_t)(k < m->lanes ? 0 : m->rate_start);
    size_t slots = (size_t)1 << (32 - m->flat_table[0].shift);
    for (int i = 0; i < m->flat_contexts; i++)
        for (size_t j = 0; j < slots; j++) m->flat[i][j].s = 0, m->flat[i][j].r = 20000;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 4; j++) m->flat_weights[i][j] = 40960 / m->flat_contexts;
    int16_t *w = &m->weights[0][0][0];
    for (size_t i = 0; i < WEIGHT_SETS * MAX_INPUTS * MAX_LANES; i++)
        w[i] = (int16_t)((int)(i / MAX_LANES) % MAX_INPUTS < m->contexts ? m->weight_sum / m->contexts : COLOR_WEIGHT);
    for (uint32_t i = 0; i < colors; i++) {
        const uint8_t *p = palette + (size_t)i * channels;
        int alpha = channels == 4 ? p[3] : 255;
        for (int c = 0; c < 3; c++) m->color[i][c] = (int16_t)(p[c] * alpha / 255);
        m->color[i][3] = 0;
    }
    for (int i = 0; i < 4; i++) memset(m->rows[i], 0, (width + 2 * MARGIN) * sizeof(uint16_t));
    memset(m->geometry, 0, groups * 4 * (size_t)m->lanes * sizeof(int16_t));
    place_paths(m);
    place_caps(m);
    return m->set & COLOR_INPUT ? place_nodes(m) : PREDICT_OK;
}

/* Which weights mix a step.  Photos: by local activity, later steps also by the bits before.  Others: by which
 * neighbours agree, later by the bits before.  (Both sets added up: -0.7 % bytes on screens, +7 % time.) */
INLINE unsigned weight_set(unsigned set, int nth, unsigned prefix, const Neighbours *n, const Color *c) {
    unsigned later = (unsigned)(nth < 3 ? nth : 3), activity = set & COLOR_INPUT ? (unsigned)c->activity : 0;
    if (!nth) return set & COLOR_INPUT ? activity : n->agreement + (n->flat ? 8 : 0);
    return 16 + ((later - 1) * 16 + prefix % 16) * 3 + (activity > 6) + (activity > 4);
}

/* ---- one pixel after another --------------------------------------------------------------------------------- */

/* Code the label at x after a flat miss or outside flat ground; returns it (which may be >= colors if the flags lie).
 */
INLINE unsigned code_label(Model *m, Flags *f, int encoding, unsigned set, int lanes, const Neighbours *n,
                           const uint16_t *here, const uint16_t *above2, uint32_t x, Step *t, unsigned label) {
    const int step = lanes == 16 ? 4 : 3, contexts = context_count(set), inputs = contexts + ((set & COLOR_INPUT) != 0);
    Color c;
    uint32_t key[MAX_INPUTS];
    if (set & USES_COLOR) c = color_of(m, n);
    context_keys(m, set, n, &c, here, above2, x, key);
    unsigned prefix = 1;
    uint64_t window = 0;
    for (int left = m->bits, nth = 0; left > 0; nth++) {
        const int bits = left < step ? left : step;
        int16_t *line[MAX_INPUTS];
        if (!encoding && nth % 2 == 0) window = next_flags(f);
        for (int i = 0; i < contexts; i++) {
            const Table *b = &m->table[i];
            uint32_t k = nth ? key[i] * b->again + prefix * b->prefix + b->offset : key[i];
            line[i] = b->lines + line_number(b, k) * 2 * (size_t)lanes;
            PREFETCH(line[i]);
        }
        update(m, set, lanes, contexts, inputs, t); /* of the step before, while this step's lines arrive */
        for (int i = 0; i < contexts; i++) t->line[i] = line[i];
        if (set & COLOR_INPUT) {
            color_logits(m, lanes, prefix, &c, t->color_logit);
            t->line[contexts] = t->color_logit;
        }
        t->weight = m->weights[weight_set(set, nth, prefix, n, &c)];
        forward(m, lanes, inputs, t, prefix == m->edge[nth] ? m->caps[nth] : m->no_caps);
        unsigned node = encoding       ? write_walk(f, t->code, bits, label >> (left - bits))
                        : bits == step ? read_walk(f, &window, t->code, step) /* unrolled */
                                       : read_walk(f, &window, t->code, bits);
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
    const int flat_contexts = set & TEMPLATE_19 ? 4 : 3;
    Model m = *model;
    Flags f = *flags;
    Step t;
    predict_status status = PREDICT_OK;
    memset(&t, 0, sizeof t);
    for (uint32_t y = 0; y < height; y++, labels += width) {
        status = encoding ? make_room(&f) : check_supply(&f);
        if (status) break;
        next_row(&m, width);
        uint16_t *row = m.rows[0] + MARGIN;
        const uint16_t *above = m.rows[1] + MARGIN, *above2 = m.rows[2] + MARGIN;
        if (set & (TEMPLATE_10 | TEMPLATE_19)) hash_templates(&m, width);
        for (uint32_t x = 0; x < width; x++) {
            unsigned label = encoding ? labels[x] : 0;
            Neighbours n = neighbours(row + x, above + x);
            if (n.flat && code_flat(&m, &f, encoding, flat_contexts, row + x, above2 + x, x, n.W, label))
                label = n.W;
            else
                label = code_label(&m, &f, encoding, set, lanes, &n, row + x, above2 + x, x, &t, label);
            if (label >= m.colors) {
                status = encoding ? PREDICT_BAD_ARGUMENT : PREDICT_BAD_DATA;
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

/* One compiled copy per direction, set and lanes: the constants unroll every loop over contexts and lanes. */
#define COPY(set, lanes) code_picture(m, f, encoding, SET_CONTEXTS_##set, lanes, labels, width, height)
INLINE predict_status dispatch(Model *m, Flags *f, const int encoding, int set, uint16_t *labels, uint32_t width,
                               uint32_t height) {
    if (m->lanes == 16) switch (set) {
        case PREDICT_PHOTO:
            return COPY(PHOTO, 16);
        case PREDICT_SMOOTH:
            return COPY(SMOOTH, 16);
        case PREDICT_MIDDLE:
            return COPY(MIDDLE, 16);
        case PREDICT_RICH:
            return COPY(RICH, 16);
        case PREDICT_DEEP:
            return COPY(DEEP, 16);
        default:
            return COPY(GRAPHICS, 16);
        }
    switch (set) {
    case PREDICT_PHOTO:
        return COPY(PHOTO, 8);
    case PREDICT_SMOOTH:
        return COPY(SMOOTH, 8);
    case PREDICT_MIDDLE:
        return COPY(MIDDLE, 8);
    case PREDICT_RICH:
        return COPY(RICH, 8);
    case PREDICT_DEEP:
        return COPY(DEEP, 8);
    default:
        return COPY(GRAPHICS, 8);
    }
}
static predict_status read_picture(Model *m, Flags *f, int set, uint16_t *labels, uint32_t width, uint32_t height) {
    return dispatch(m, f, 0, set, labels, width, height);
}
static predict_status write_picture(Model *m, Flags *f, int set, const uint16_t *labels, uint32_t width,
                                    uint32_t height) {
    return dispatch(m, f, 1, set, (uint16_t *)labels, width, height);
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
        status = write_picture(&m, &f, params.set, labels, width, height);
    }
    free(m.block);
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
        status = read_picture(&m, &f, params.set, labels, width, height);
    }
    for (int i = 0; i < PREDICT_STREAMS; i++) {
        if (!status && has_leftover(f.bytes[i], f.size[i], f.position[i])) status = PREDICT_BAD_DATA;
        free(f.bytes[i]);
    }
    free(m.block);
    return status;
}

/* ---- stored forms of a stream ------------------------------------------------------------------------------- */

predict_status predict_unpack_fives(const uint8_t *fives, size_t size, uint8_t *out) {
    uint32_t held = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < size; i++) {
        if (fives[i] > 31) return PREDICT_BAD_DATA;
        held |= (uint32_t)fives[i] << bits;
        bits += 5;
        if (bits >= 8) *out++ = (uint8_t)held, held >>= 8, bits -= 8;
    }
    if (bits) *out = (uint8_t)held;
    return PREDICT_OK;
}

/* Put a one at a place; `clear` is how many bytes of out are written already. */
INLINE void put_one(uint8_t *out, size_t at, size_t *clear) {
    while (*clear <= at >> 3) out[(*clear)++] = 0;
    out[at >> 3] |= (uint8_t)(1u << (at & 7));
}

predict_status predict_unpack_gaps(const uint8_t *gaps, size_t size, unsigned longest, uint8_t *out, size_t limit,
                                   size_t *used) {
    size_t at = 0, clear = 0;
    if (!size || gaps[size - 1] >= longest) return PREDICT_BAD_DATA;
    for (size_t i = 0; i < size; i++) {
        if (gaps[i] > longest) return PREDICT_BAD_DATA;
        at += gaps[i];
        if (gaps[i] == longest) continue;
        if (at >= limit) return PREDICT_BAD_DATA;
        put_one(out, at++, &clear);
    }
    *used = clear;
    return PREDICT_OK;
}

predict_status predict_unpack_long_gaps(const uint8_t *gaps, size_t size, uint8_t *out, size_t limit, size_t *used) {
    size_t at = 0, clear = 0;
    for (size_t i = 0; i < size; at++) {
        uint64_t gap = 0;
        int shift = 0;
        do {
            if (i == size || shift > 28) return PREDICT_BAD_DATA;
            gap |= (uint64_t)(gaps[i] & 127) << shift;
            shift += 7;
        } while (gaps[i++] & 128);
        if (shift > 7 && !gaps[i - 1]) return PREDICT_BAD_DATA; /* not in its shortest form */
        if (gap >> 32 || gap >= limit - at) return PREDICT_BAD_DATA;
        put_one(out, at += (size_t)gap, &clear);
    }
    *used = clear;
    return PREDICT_OK;
}
