/* The model of predicted coding: what prediction, coding and the choice of labels share; internal.
 *
 * A label is coded most significant bit first, `step` bits (4 or 3) at a time: a walk down a binary tree of
 * 2^step - 1 nodes.  All nodes of a step are predicted at once, `lanes` = 2^step wide, which is what makes the
 * model fast: the loops over lanes are vectors (8 x int16 in SSE2 or NEON), and the walk itself only reads bytes.
 *
 *   neighbourhood   the labels around a pixel, and the colour they suggest
 *   contexts        what to look up: each context names one line (a logit and a rate per node) in its table
 *   mixing          a node's logit = sum of its lines' logits, weighted; weights learn
 *   update          only the nodes on the path walked learn
 *   flat            where the neighbours agree, one flag first: is the label theirs?
 *
 * Here is what runs for every pixel, all of it inline; model.c sets a model up.
 */
#ifndef KMCODEC_MODEL_H
#define KMCODEC_MODEL_H
#include "predict.h"
#include "lanes.h"
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
    SET_CONTEXTS_SMOOTH = W_ | N_ | NE_ | NW_ | COLOR_INPUT,
    SET_CONTEXTS_MIDDLE = W_WW | N_NN | RING | COLOR_INPUT,
    SET_CONTEXTS_RICH = COLOR_5 | NE_ | NW_ | W_WW | N_NN | COLOR_INPUT,
    SET_CONTEXTS_DEEP = COLOR_5 | W_ | N_ | NE_ | NW_ | W_WW | N_NN | COLOR_INPUT,
    SET_CONTEXTS_GRAPHICS = COLOR_4 | W_WW | N_NN | RING | TEMPLATE_10 | TEMPLATE_19
};
/* One compiled copy for each set and number of lanes: as constants they unroll every loop. */
#define FOR_EVERY_MODEL(model, COPY)                                                                                   \
    if ((model).lanes == 16) switch ((model).set) {                                                                    \
        case SET_CONTEXTS_SMOOTH: COPY(SET_CONTEXTS_SMOOTH, 16);                                                       \
        case SET_CONTEXTS_MIDDLE: COPY(SET_CONTEXTS_MIDDLE, 16);                                                       \
        case SET_CONTEXTS_RICH: COPY(SET_CONTEXTS_RICH, 16);                                                           \
        case SET_CONTEXTS_DEEP: COPY(SET_CONTEXTS_DEEP, 16);                                                           \
        default: COPY(SET_CONTEXTS_GRAPHICS, 16);                                                                      \
        }                                                                                                              \
    switch ((model).set) {                                                                                             \
    case SET_CONTEXTS_SMOOTH: COPY(SET_CONTEXTS_SMOOTH, 8);                                                            \
    case SET_CONTEXTS_MIDDLE: COPY(SET_CONTEXTS_MIDDLE, 8);                                                            \
    case SET_CONTEXTS_RICH: COPY(SET_CONTEXTS_RICH, 8);                                                                \
    case SET_CONTEXTS_DEEP: COPY(SET_CONTEXTS_DEEP, 8);                                                                \
    default: COPY(SET_CONTEXTS_GRAPHICS, 8);                                                                           \
    }
#define USES_COLOR (COLOR_4 | COLOR_5 | COLOR_INPUT)

/* Odd multipliers; one per neighbour, so that the hash of a template is a sum that vectorises along a row. */
static const uint32_t M[20] = {0x9E3779B1u, 0x85EBCA6Bu, 0xC2B2AE35u, 0x27D4EB2Fu, 0x165667B1u,
                               0x2545F491u, 0x9FB21C65u, 0xD6E8FEB9u, 0xA0761D65u, 0xE7037ED1u,
                               0x8EBC6AF1u, 0x589965CDu, 0x1D8E4E27u, 0xEB44ACCBu, 0x3C6EF373u,
                               0xBB67AE85u, 0xCC9E2D51u, 0x1B873593u, 0xE6546B65u, 0x38B34AE5u};

INLINE int clamp(int v, int limit) { return v < -limit ? -limit : v > limit ? limit : v; }
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
    int bits, step, lanes, contexts;
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
    ALIGNED(16) int16_t mixed[MAX_LANES]; /* logits of all nodes */
    ALIGNED(16) int16_t color_logit[MAX_LANES];
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

/* Logits of all nodes of a step. */
INLINE void mix_nodes(int lanes, int inputs, Step *t, const int16_t *cap) {
    for (int k = 0; k < lanes; k += 8) v8_store(t->mixed + k, mixed_logits(t, inputs, k, cap));
}

/* Which weights mix a step.  Photos: by local activity, later steps also by the bits before.  Others: by which
 * neighbours agree, later by the bits before.  (Both sets added up: -0.7 % bytes on screens, +7 % time.) */
INLINE unsigned weight_set(unsigned set, int nth, unsigned prefix, const Neighbours *n, const Color *c) {
    unsigned activity = set & COLOR_INPUT ? (unsigned)c->activity : 0;
    if (!nth) return set & COLOR_INPUT ? activity : n->agreement;
    return 16 + (((unsigned)nth - 1) * 16 + prefix % 16) * 3 + (activity > 6) + (activity > 4);
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
INLINE void update(const Model *m, unsigned set, int lanes, const Step *t) {
    if (!t->reached) return;
    const int contexts = context_count(set), inputs = contexts + ((set & COLOR_INPUT) != 0), shift = weight_shift(set);
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

/* Look up and mix a step, after the step owed has learned: it does while this step's lines arrive. */
INLINE void begin_step(const Model *m, unsigned set, int lanes, const uint32_t *key, const Neighbours *n, const Color *c,
                       int nth, unsigned prefix, Step *t) {
    const int contexts = context_count(set), inputs = contexts + ((set & COLOR_INPUT) != 0);
    int16_t *line[MAX_INPUTS];
    for (int i = 0; i < contexts; i++) {
        const Table *b = &m->table[i];
        uint32_t k = nth ? key[i] * b->again + prefix * b->prefix + b->offset : key[i];
        line[i] = b->lines + line_number(b, k) * 2 * (size_t)lanes;
        PREFETCH(line[i]);
    }
    update(m, set, lanes, t);
    for (int i = 0; i < contexts; i++) t->line[i] = line[i];
    if (set & COLOR_INPUT) {
        color_logits(m, lanes, prefix, c, t->color_logit);
        t->line[contexts] = t->color_logit;
    }
    t->weight = m->weights[weight_set(set, nth, prefix, n, c)];
    mix_nodes(lanes, inputs, t, prefix == m->edge[nth] ? m->caps[nth] : m->no_caps);
}

/* ---- the flat flag: "the label is W" where W, N, NW and NE agree ------------------------------------------- */

typedef struct {
    FlatSlot *slot[4];
    int *weight, logit;
} Flat;

INLINE int flat_context_count(unsigned set) { return set & TEMPLATE_19 ? 4 : 3; }

/* Look up and mix. */
INLINE Flat look_flat(Model *m, unsigned set, const uint16_t *here, const uint16_t *above2, uint32_t x) {
    const int contexts = flat_context_count(set);
    uint32_t W = here[-1], WW = here[-2], NN = above2[0], NNE = above2[1];
    const Table *b = m->flat_table;
    Flat t;
    t.weight = m->flat_weights[(WW == W) + 2 * (NN == W) + 4 * (NNE == W)];
    t.slot[0] = m->flat[0] + line_number(&b[0], W * M[0] + WW * M[1] + NN * M[2] + NNE * M[3]);
    t.slot[1] = m->flat[1] + line_number(&b[1], W * M[0] + WW * M[1]);
    t.slot[2] = m->flat[2] + line_number(&b[2], W * M[0] + NN * M[2]);
    if (contexts > 3) t.slot[3] = m->flat[3] + line_number(&b[3], template_19(m, x, here));
    int d = 0;
    for (int i = 0; i < contexts; i++) d += (t.slot[i]->s * t.weight[i]) >> 16;
    t.logit = clamp(d, MIXED_LIMIT);
    return t;
}

/* Chance of the unlikely bit, 65536 = 1: errors() for one. */
INLINE uint32_t unlikely_chance(unsigned sure) {
    uint32_t u = 65535 - 8 * sure;
    u = u * u >> 16;
    u = u * u >> 16;
    return u >> 1;
}
INLINE void move_flat(const Flat *t, int contexts, unsigned bit, uint32_t miss) {
    int e = bit ? (int)(miss >> 1) : -(int)(miss >> 1);
    for (int i = 0; i < contexts; i++) {
        int s = t->slot[i]->s, r = t->slot[i]->r;
        t->weight[i] = clamp(t->weight[i] + ((((s * e) >> 16) + 4) >> 3), 32767);
        t->slot[i]->s = (int16_t)clamp(s + ((e * r) >> 16), 32767);
        t->slot[i]->r = (int16_t)(r - ((r * (r - 1600)) >> 16));
    }
}

INLINE void learn_flat(const Flat *t, unsigned set, unsigned bit) {
    unsigned sure = (unsigned)(t->logit < 0 ? -t->logit : t->logit);
    if (UNLIKELY(bit != (t->logit >= 0))) /* a branch: what follows need not wait for the flag */
        move_flat(t, flat_context_count(set), bit, 65535 - unlikely_chance(sure));
    else if (sure <= SURE)
        move_flat(t, flat_context_count(set), bit, unlikely_chance(sure));
}

/* ---- rows ------------------------------------------------------------------------------------------------- */

INLINE void next_row(Model *m, uint32_t width) {
    uint16_t *oldest = m->rows[3];
    m->rows[3] = m->rows[2], m->rows[2] = m->rows[1], m->rows[1] = m->rows[0], m->rows[0] = oldest;
    memset(oldest, 0, (width + 2 * MARGIN) * sizeof *oldest);
}

/* ---- set-up, in model.c ------------------------------------------------------------------------------------ */

/* A model that has learned nothing; on success the caller closes it. */
predict_status open_model(Model *m, uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
                          uint32_t channels, predict_params params);
/* Take other colours, as many as before, and keep what was learned. */
predict_status paint_model(Model *m, const uint8_t *palette, uint32_t channels);
void close_model(Model *m);
#endif
