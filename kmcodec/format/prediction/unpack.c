/* Stored forms of a stream to packed flags; streams.py has the other direction. */
#include "predict.h"

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
static void put_one(uint8_t *out, size_t at, size_t *clear) {
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
