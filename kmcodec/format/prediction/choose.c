/* Labels chosen for size and likeness; choose.h has the contract.
 *
 * Entropy-constrained quantisation after Chou, Lookabaugh and Gray (1989), with a model that adapts: for each pixel a few
 * candidates are compared (the neighbours' labels, the nearest colour and those around it, the label the model expects),
 * and of the cheapest four the one that is best together with the next pixel is taken.
 */
#include "choose.h"
#include "model.h"
#include <math.h>
#include <stdlib.h>

/* SCALES.  bits: 256 = 1; cost: 4096 = a squared error of 1. */
enum {
    BIT = 256,
    MOST_CANDIDATES = 32,
    MOST_REACH = 16,
    MOST_GROUPS = 1 + 3 * (MOST_CANDIDATES + 1), /* steps that may be mixed for one pixel */
    KEPT = 4,                                    /* candidates that look ahead */
    SLACK = 6 * BIT,                             /* they may cost so many bits more than the best */
    NO_DOUBT = BIT / 4                           /* a flag that costs less is not worth a search */
};

struct chooser {
    Model model;
    uint32_t width, height, channels;
    uint16_t likely[256], unlikely[256]; /* bits by |logit| >> 5 */
};

/* What the model makes of a pixel: logits of the steps asked for so far. */
typedef struct {
    Neighbours n;
    Color c;
    uint32_t key[MAX_INPUTS];
    Flat flat;
    int stay, leave; /* bits of the flat flag */
    int groups;
    unsigned prefix[MOST_GROUPS];
    Step step[MOST_GROUPS];
} Look;

typedef struct {
    int count;
    unsigned label[MOST_CANDIDATES];
    int64_t cost[MOST_CANDIDATES];
} Candidates;

/* ---- bits ------------------------------------------------------------------------------------------------ */

/* 256 log2(v), rounded down, v from 1 to 65536: by squaring, since a library's logarithm is not the same everywhere. */
static int log2_256(uint32_t v) {
    int n = floor_log2(v), result = n;
    uint64_t x = (uint64_t)v << (31 - n);
    for (int i = 0; i < 8; i++) {
        x = x * x >> 31;
        result = 2 * result + (x >> 32 != 0);
        if (x >> 32) x >>= 1;
    }
    return result;
}

static void price(chooser *c) {
    for (unsigned i = 0; i < 256; i++) {
        uint32_t chance = unlikely_chance(32 * i + 16);
        c->unlikely[i] = (uint16_t)(16 * BIT - log2_256(chance ? chance : 1));
        c->likely[i] = (uint16_t)(16 * BIT - log2_256(65536 - chance));
    }
}

INLINE int bits_of(const chooser *c, int logit, unsigned bit) {
    return logit >= 0 ? (bit ? c->likely : c->unlikely)[logit >> 5] : (bit ? c->unlikely : c->likely)[-logit >> 5];
}

INLINE void open_look(chooser *c, unsigned set, const uint16_t *here, const uint16_t *above, const uint16_t *above2,
                      uint32_t x, Look *look) {
    Model *m = &c->model;
    look->n = neighbours(here, above);
    look->groups = 0;
    if (look->n.flat) {
        look->flat = look_flat(m, set, here, above2, x);
        look->stay = bits_of(c, look->flat.logit, 1);
        look->leave = bits_of(c, look->flat.logit, 0);
    }
    if (set & USES_COLOR) look->c = color_of(m, &look->n);
    context_keys(m, set, &look->n, &look->c, here, above2, x, look->key);
}

/* The step of a prefix, mixed when it is first asked for. */
INLINE Step *step_of(chooser *c, unsigned set, int lanes, Look *look, int nth, unsigned prefix) {
    for (int i = 0; i < look->groups; i++)
        if (look->prefix[i] == prefix) return &look->step[i];
    Step *t = &look->step[look->groups];
    look->prefix[look->groups++] = prefix;
    t->reached = 0;
    begin_step(&c->model, set, lanes, look->key, &look->n, &look->c, nth, prefix, t);
    return t;
}

/* Bits of a label, or any number above `limit` once they are sure to be. */
INLINE int label_bits(chooser *c, unsigned set, int lanes, Look *look, unsigned label, int limit) {
    int bits = 0;
    if (look->n.flat) {
        if (label == look->n.W) return look->stay;
        bits = look->leave;
    }
    const int step = lanes == 16 ? 4 : 3;
    unsigned prefix = 1;
    for (int left = c->model.bits, nth = 0; left > 0 && bits <= limit; nth++) {
        const Step *t = step_of(c, set, lanes, look, nth, prefix);
        for (int j = left < step ? left : step, node = 1; j > 0; j--) {
            unsigned bit = label >> --left & 1;
            bits += bits_of(c, t->mixed[node], bit);
            node = 2 * node + (int)bit;
            prefix = 2 * prefix + bit;
        }
    }
    return bits;
}

/* The label to which every guess leads. */
INLINE unsigned expected_label(chooser *c, unsigned set, int lanes, Look *look) {
    const int step = lanes == 16 ? 4 : 3;
    unsigned prefix = 1;
    for (int left = c->model.bits, nth = 0; left > 0; nth++) {
        const Step *t = step_of(c, set, lanes, look, nth, prefix);
        for (int j = left < step ? left : step, node = 1; j > 0; j--, left--) {
            unsigned bit = t->mixed[node] >= 0;
            node = 2 * node + (int)bit;
            prefix = 2 * prefix + bit;
        }
    }
    return prefix ^ 1u << c->model.bits;
}

/* Learn a label as coding it would. */
INLINE void learn_label(chooser *c, unsigned set, int lanes, Look *look, unsigned label) {
    if (look->n.flat) {
        learn_flat(&look->flat, set, label == look->n.W);
        if (label == look->n.W) return;
    }
    const int step = lanes == 16 ? 4 : 3;
    unsigned prefix = 1;
    for (int left = c->model.bits, nth = 0; left > 0; nth++) {
        const int bits = left < step ? left : step;
        Step *t = step_of(c, set, lanes, look, nth, prefix);
        unsigned walked = label >> (left - bits) & ((1u << bits) - 1);
        t->reached = (int)(walked | 1u << bits);
        update(&c->model, set, lanes, t);
        prefix = prefix << bits | walked;
        left -= bits;
    }
}

/* ---- costs ----------------------------------------------------------------------------------------------- */

INLINE int64_t error_cost(const choose_job *job, size_t pixel, unsigned label) {
    v8 difference = v8_sub(v8_load_half(job->pixels[pixel]), v8_load_half(job->colors[label]));
    return (int64_t)v8_dot_half(difference, difference) * (16 * job->weights[pixel]);
}

/* Bits that may be spent before a cost is exceeded. */
INLINE int bits_within(const choose_job *job, int64_t cost) {
    int64_t bits = cost / job->lambda;
    return bits < 1 << 20 ? (int)bits : 1 << 20;
}

/* Bits that a label counts more for every neighbour that has another: smooth labels are cheaper to predict later. */
INLINE int disagreement(const uint16_t *here, const uint16_t *above, const uint16_t *labels, uint32_t width, int left,
                        int right, int below, unsigned label) {
    int bits = 51 * ((here[-1] != label) + (above[0] != label)) + 26 * ((above[-1] != label) + (above[1] != label));
    if (right) bits += 102 * (labels[1] != label);
    if (below) {
        bits += 102 * (labels[width] != label);
        if (left) bits += 51 * (labels[width - 1] != label);
        if (right) bits += 51 * (labels[width + 1] != label);
    }
    return bits;
}

/* The least that the pixel after this one can cost, over the labels it is likely to take. */
INLINE int64_t next_cost(chooser *c, unsigned set, int lanes, const choose_job *job, Look *look, const uint16_t *labels,
                         size_t pixel, int64_t limit) {
    const unsigned tried[5] = {look->n.W, job->nearest[pixel], labels[pixel], look->n.N, look->n.NE};
    for (int i = 0; i < 5; i++) {
        if (!job->used[tried[i]]) continue;
        int64_t cost = error_cost(job, pixel, tried[i]);
        if (cost >= limit) continue;
        cost += (int64_t)job->lambda * label_bits(c, set, lanes, look, tried[i], bits_within(job, limit - cost));
        if (cost < limit) limit = cost;
    }
    return limit;
}

/* ---- one pixel after another ----------------------------------------------------------------------------------- */

INLINE void consider(chooser *c, unsigned set, int lanes, const choose_job *job, Look *look, size_t pixel, int extra,
                     unsigned label, Candidates *found, int64_t *best) {
    int64_t slack = (int64_t)SLACK * job->lambda, cost = error_cost(job, pixel, label);
    cost += (int64_t)extra * job->lambda;
    if (cost > *best + slack) return;
    cost += (int64_t)job->lambda * label_bits(c, set, lanes, look, label, bits_within(job, *best + slack - cost));
    if (cost > *best + slack) return;
    found->label[found->count] = label;
    found->cost[found->count++] = cost;
    if (cost < *best) *best = cost;
}

/* No colour farther than this (squared) from the nearest one can cost as little as `most`. */
INLINE double farthest_rival(const choose_job *job, size_t pixel, int64_t nearest_cost, int64_t most) {
    double unit = 16.0 * job->weights[pixel];
    double reach = sqrt((double)nearest_cost / unit) + sqrt((double)most / unit);
    return reach * reach;
}

/* A candidate to try, once. */
INLINE void propose(const choose_job *job, unsigned label, unsigned *tried, int *count) {
    if (!job->used[label]) return;
    for (int i = 0; i < *count; i++)
        if (tried[i] == label) return;
    tried[(*count)++] = label;
}

INLINE unsigned choose_label(chooser *c, unsigned set, int lanes, const choose_job *job, uint16_t *labels, uint32_t x,
                             uint32_t y, Look *look, Look *next) {
    Model *m = &c->model;
    uint16_t *here = m->rows[0] + MARGIN + x;
    const uint16_t *above = m->rows[1] + MARGIN + x, *above2 = m->rows[2] + MARGIN + x;
    const size_t pixel = (size_t)y * c->width + x;
    const int right = x + 1 < c->width, below = y + 1 < c->height;
    const unsigned nearest = job->nearest[pixel];
    if (look->n.flat && look->n.W == nearest && look->stay < NO_DOUBT) return nearest;

    Candidates found = {0, {0}, {0}};
    int64_t best = INT64_MAX / 4;
    unsigned tried[MOST_CANDIDATES];
    int count = 0;
    const unsigned expected = expected_label(c, set, lanes, look);
    const unsigned first[6] = {nearest, look->n.W, look->n.N, look->n.NE, look->n.NW, expected};
    for (int i = 0; i < 6; i++) propose(job, first[i], tried, &count);
    const int likely = count;
    for (int i = 0; i < count; i++) { /* one loop: inlined more than once, the model would not fit the cache of code */
        int extra = job->settle ? disagreement(here, above, labels + pixel, c->width, x > 0, right, below, tried[i]) : 0;
        consider(c, set, lanes, job, look, pixel, extra, tried[i], &found, &best);
        if (i + 1 != likely) continue;
        int64_t most = best + (int64_t)SLACK * job->lambda;
        double farthest = farthest_rival(job, pixel, error_cost(job, pixel, nearest), most);
        const size_t entry = (size_t)nearest * (unsigned)job->reach;
        for (int j = 0; j < job->reach && job->distances[entry + (unsigned)j] <= farthest; j++)
            propose(job, job->neighbors[entry + (unsigned)j], tried, &count);
    }

    /* the cheapest few, by selection */
    int kept = 0;
    for (; kept < KEPT && kept < found.count; kept++) {
        int least = kept;
        for (int i = kept + 1; i < found.count; i++)
            if (found.cost[i] < found.cost[least]) least = i;
        if (found.cost[least] > best + (int64_t)SLACK * job->lambda) break;
        unsigned label = found.label[least];
        int64_t cost = found.cost[least];
        found.label[least] = found.label[kept], found.cost[least] = found.cost[kept];
        found.label[kept] = label, found.cost[kept] = cost;
    }
    if (!job->look_ahead || !right || kept == 1) return found.label[0];
    unsigned chosen = found.label[0];
    int64_t least = INT64_MAX / 4;
    for (int i = 0; i < kept && found.cost[i] < least; i++) {
        here[0] = (uint16_t)found.label[i];
        open_look(c, set, here + 1, above + 1, above2 + 1, x + 1, next);
        int64_t both =
            found.cost[i] + next_cost(c, set, lanes, job, next, labels, pixel + 1, least - found.cost[i]);
        if (both < least) least = both, chosen = found.label[i];
    }
    return chosen;
}

INLINE predict_status choose_picture(chooser *c, const unsigned set, const int lanes, const choose_job *job,
                                     uint16_t *labels) {
    Model *m = &c->model;
    Look *look = malloc(2 * sizeof *look);
    if (!look) return PREDICT_NO_MEMORY;
    for (uint32_t y = 0; y < c->height; y++) {
        next_row(m, c->width);
        uint16_t *here = m->rows[0] + MARGIN;
        const uint16_t *above = m->rows[1] + MARGIN, *above2 = m->rows[2] + MARGIN;
        if (set & (TEMPLATE_10 | TEMPLATE_19)) hash_templates(m, c->width);
        for (uint32_t x = 0; x < c->width; x++) {
            open_look(c, set, here + x, above + x, above2 + x, x, &look[0]);
            unsigned label = choose_label(c, set, lanes, job, labels, x, y, &look[0], &look[1]);
            here[x] = (uint16_t)label;
            learn_label(c, set, lanes, &look[0], label);
        }
        memcpy(labels + (size_t)y * c->width, here, c->width * sizeof *labels);
    }
    free(look);
    return PREDICT_OK;
}

/* ---- the interface --------------------------------------------------------------------------------------- */

predict_status choose_open(uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors, uint32_t channels,
                           predict_params params, chooser **opened) {
    chooser *c = calloc(1, sizeof *c);
    if (!c) return PREDICT_NO_MEMORY;
    predict_status status = open_model(&c->model, width, height, palette, colors, channels, params);
    if (status) {
        free(c);
        return status;
    }
    c->width = width, c->height = height, c->channels = channels;
    price(c);
    *opened = c;
    return PREDICT_OK;
}

static int all_below(const uint16_t *labels, size_t count, uint32_t colors) {
    uint16_t most = 0;
    for (size_t i = 0; i < count; i++) most = labels[i] > most ? labels[i] : most;
    return most < colors;
}

predict_status choose_pass(chooser *c, const uint8_t *palette, const choose_job *job, uint16_t *labels) {
    const size_t pixels = (size_t)c->width * c->height;
    const uint32_t colors = c->model.colors;
    if (!job->lambda || job->reach < 0 || job->reach > MOST_REACH || !all_below(labels, pixels, colors) ||
        !all_below(job->nearest, pixels, colors) || !all_below(job->neighbors, colors * (size_t)job->reach, colors))
        return PREDICT_BAD_ARGUMENT;
    predict_status status = paint_model(&c->model, palette, c->channels);
    if (status) return status;
    for (int i = 0; i < 4; i++) memset(c->model.rows[i], 0, (c->width + 2 * MARGIN) * sizeof(uint16_t));
#define COPY(set, lanes) return choose_picture(c, set, lanes, job, labels)
    FOR_EVERY_MODEL(c->model, COPY)
#undef COPY
}

void choose_close(chooser *c) {
    if (!c) return;
    close_model(&c->model);
    free(c);
}
