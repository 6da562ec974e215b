/* Setting up the model of predicted coding; model.h has the model. */
#include "model.h"
#include <stdlib.h>

static const unsigned SET_CONTEXTS[PREDICT_SETS] = {SET_CONTEXTS_SMOOTH, SET_CONTEXTS_MIDDLE, SET_CONTEXTS_RICH,
                                                    SET_CONTEXTS_DEEP, SET_CONTEXTS_GRAPHICS};

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

predict_status paint_model(Model *m, const uint8_t *palette, uint32_t channels) {
    for (uint32_t i = 0; i < m->colors; i++) {
        const uint8_t *p = palette + (size_t)i * channels;
        int alpha = channels == 4 ? p[3] : 255;
        for (int c = 0; c < 3; c++) m->color[i][c] = (int16_t)(p[c] * alpha / 255);
        m->color[i][3] = 0;
    }
    return m->set & COLOR_INPUT ? place_nodes(m) : PREDICT_OK;
}

predict_status open_model(Model *m, uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
                                 uint32_t channels, predict_params params) {
    static const uint8_t EIGHT[7] = {7, 17, 28, 41, 57, 79, 111}, THREE[7] = {12, 31, 127, 127, 127, 127, 127};
    memset(m, 0, sizeof *m);
    if (!width || !height || width > 0x7fffffffu || colors < 2 || colors > 65536 || (channels != 3 && channels != 4) ||
        params.set < 0 || params.set >= PREDICT_SETS || params.table_bits < 8 || params.table_bits > 18 ||
        params.sparse < 0 || params.sparse > 1)
        return PREDICT_BAD_ARGUMENT;
    m->set = SET_CONTEXTS[params.set];
    m->colors = colors;
    m->bits = floor_log2(colors - 1) + 1;
    m->step = m->bits % 4 && m->bits <= 9 && m->bits != 4 && m->bits != 7 ? 3 : 4;
    m->lanes = 1 << m->step;
    m->contexts = context_count(m->set);
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
    for (int i = 0; i < 4; i++) memset(m->rows[i], 0, (width + 2 * MARGIN) * sizeof(uint16_t));
    memset(m->geometry, 0, groups * 4 * (size_t)m->lanes * sizeof(int16_t));
    place_paths(m);
    place_caps(m);
    predict_status status = paint_model(m, palette, channels);
    if (status) close_model(m);
    return status;
}

void close_model(Model *m) {
    free(m->block);
    m->block = NULL;
}
