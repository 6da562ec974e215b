/* Eight int16 at a time: the few vector operations the model needs, by name.
 *
 * SSE2 where the compiler targets it (every x86-64), NEON on arm64, else plain C with identical results.
 * Why not auto-vectorised loops: GCC 12 unrolls loops of 8 or 16 lanes before it vectorises them and has no
 * saturating add; the plain C below takes 2 to 5 times as long.
 */
#ifndef KMCODEC_LANES_H
#define KMCODEC_LANES_H
#include <stdint.h>

#if !defined(LANES_PLAIN) && (defined(__SSE2__) || defined(_M_X64))
#include <emmintrin.h>
typedef __m128i v8;  /* 8 x int16 */
typedef __m128i b16; /* 16 x int8 */
#define V8(name, call)                                                                                                 \
    static inline v8 name(v8 a, v8 b) { return call; }
static inline v8 v8_load(const int16_t *p) { return _mm_load_si128((const __m128i *)(const void *)p); }
static inline void v8_store(int16_t *p, v8 a) { _mm_store_si128((__m128i *)(void *)p, a); }
static inline v8 v8_all(int value) { return _mm_set1_epi16((short)value); }
V8(v8_add, _mm_add_epi16(a, b))
V8(v8_sub, _mm_sub_epi16(a, b))
V8(v8_add_saturated, _mm_adds_epi16(a, b))
V8(v8_multiply_low, _mm_mullo_epi16(a, b))
V8(v8_multiply_high, _mm_mulhi_epi16(a, b))
V8(v8_multiply_high_unsigned, _mm_mulhi_epu16(a, b))
V8(v8_min, _mm_min_epi16(a, b))
V8(v8_max, _mm_max_epi16(a, b))
V8(v8_and, _mm_and_si128(a, b))
V8(v8_xor, _mm_xor_si128(a, b))
static inline v8 v8_load_half(const int16_t *p) { return _mm_loadl_epi64((const __m128i *)(const void *)p); }
static inline int v8_dot_half(v8 a, v8 b) {
    v8 pairs = _mm_madd_epi16(a, b);
    return _mm_cvtsi128_si32(_mm_add_epi32(pairs, _mm_shuffle_epi32(pairs, 0x55)));
}
#define v8_broadcast(a, lane) _mm_shuffle_epi32(_mm_unpacklo_epi16(a, a), 0x55 * (lane))
static inline v8 v8_shift_left(v8 a, int n) { return _mm_slli_epi16(a, n); }
static inline v8 v8_shift_right(v8 a, int n) { return _mm_srai_epi16(a, n); }
static inline v8 v8_shift_right_unsigned(v8 a, int n) { return _mm_srli_epi16(a, n); }
static inline b16 b16_narrow(v8 low, v8 high) { return _mm_packs_epi16(low, high); }
static inline b16 b16_load(const uint8_t *p) { return _mm_load_si128((const __m128i *)(const void *)p); }
static inline b16 b16_all(int value) { return _mm_set1_epi8((char)value); }
V8(b16_add, _mm_add_epi8(a, b))
V8(b16_sub, _mm_sub_epi8(a, b))
V8(b16_and, _mm_and_si128(a, b))
V8(b16_greater, _mm_cmpgt_epi8(a, b))
static inline void b16_words(b16 a, uint64_t *words) { _mm_storeu_si128((__m128i *)(void *)words, a); }
#undef V8

#elif !defined(LANES_PLAIN) && defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
typedef int16x8_t v8;
typedef int8x16_t b16;
#define V8(name, call)                                                                                                 \
    static inline v8 name(v8 a, v8 b) { return call; }
#define B16(name, call)                                                                                                \
    static inline b16 name(b16 a, b16 b) { return call; }
static inline v8 v8_load(const int16_t *p) { return vld1q_s16(p); }
static inline void v8_store(int16_t *p, v8 a) { vst1q_s16(p, a); }
static inline v8 v8_load_half(const int16_t *p) { return vcombine_s16(vld1_s16(p), vdup_n_s16(0)); }
static inline int v8_dot_half(v8 a, v8 b) { return vaddvq_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b))); }
#define v8_broadcast(a, lane) vdupq_laneq_s16(a, lane)
static inline v8 v8_all(int value) { return vdupq_n_s16((int16_t)value); }
V8(v8_add, vaddq_s16(a, b))
V8(v8_sub, vsubq_s16(a, b))
V8(v8_add_saturated, vqaddq_s16(a, b))
V8(v8_multiply_low, vmulq_s16(a, b))
V8(v8_multiply_high, vcombine_s16(vshrn_n_s32(vmull_s16(vget_low_s16(a), vget_low_s16(b)), 16),
                                  vshrn_n_s32(vmull_s16(vget_high_s16(a), vget_high_s16(b)), 16)))
static inline v8 v8_multiply_high_unsigned(v8 a, v8 b) {
    uint16x8_t x = vreinterpretq_u16_s16(a), y = vreinterpretq_u16_s16(b);
    return vreinterpretq_s16_u16(vcombine_u16(vshrn_n_u32(vmull_u16(vget_low_u16(x), vget_low_u16(y)), 16),
                                              vshrn_n_u32(vmull_u16(vget_high_u16(x), vget_high_u16(y)), 16)));
}
V8(v8_min, vminq_s16(a, b))
V8(v8_max, vmaxq_s16(a, b))
V8(v8_and, vandq_s16(a, b))
V8(v8_xor, veorq_s16(a, b))
static inline v8 v8_shift_left(v8 a, int n) { return vshlq_s16(a, vdupq_n_s16((int16_t)n)); }
static inline v8 v8_shift_right(v8 a, int n) { return vshlq_s16(a, vdupq_n_s16((int16_t)-n)); }
static inline v8 v8_shift_right_unsigned(v8 a, int n) {
    return vreinterpretq_s16_u16(vshlq_u16(vreinterpretq_u16_s16(a), vdupq_n_s16((int16_t)-n)));
}
static inline b16 b16_narrow(v8 low, v8 high) { return vcombine_s8(vqmovn_s16(low), vqmovn_s16(high)); }
static inline b16 b16_load(const uint8_t *p) { return vreinterpretq_s8_u8(vld1q_u8(p)); }
static inline b16 b16_all(int value) { return vdupq_n_s8((int8_t)value); }
B16(b16_add, vaddq_s8(a, b))
B16(b16_sub, vsubq_s8(a, b))
B16(b16_and, vandq_s8(a, b))
B16(b16_greater, vreinterpretq_s8_u8(vcgtq_s8(a, b)))
static inline void b16_words(b16 a, uint64_t *words) {
    words[0] = vgetq_lane_u64(vreinterpretq_u64_s8(a), 0), words[1] = vgetq_lane_u64(vreinterpretq_u64_s8(a), 1);
}
#undef V8
#undef B16

#else /* plain C; >> of a negative value is arithmetic on every compiler we know, and tested */
typedef struct {
    int16_t at[8];
} v8;
typedef struct {
    int8_t at[16];
} b16;
#define V8(name, type, x)                                                                                              \
    static inline v8 name(v8 a, v8 b) {                                                                                \
        v8 r;                                                                                                          \
        for (int k = 0; k < 8; k++) {                                                                                  \
            type p = (type)a.at[k], q = (type)b.at[k];                                                                 \
            r.at[k] = (int16_t)(x);                                                                                    \
        }                                                                                                              \
        return r;                                                                                                      \
    }
#define B16(name, x)                                                                                                   \
    static inline b16 name(b16 a, b16 b) {                                                                             \
        b16 r;                                                                                                         \
        for (int k = 0; k < 16; k++) {                                                                                 \
            int p = a.at[k], q = b.at[k];                                                                              \
            r.at[k] = (int8_t)(x);                                                                                     \
        }                                                                                                              \
        return r;                                                                                                      \
    }
#define SHIFT(name, type, x)                                                                                           \
    static inline v8 name(v8 a, int n) {                                                                               \
        for (int k = 0; k < 8; k++) {                                                                                  \
            type p = (type)a.at[k];                                                                                    \
            a.at[k] = (int16_t)(x);                                                                                    \
        }                                                                                                              \
        return a;                                                                                                      \
    }
static inline v8 v8_load_half(const int16_t *p) {
    v8 r;
    for (int k = 0; k < 8; k++) r.at[k] = (int16_t)(k < 4 ? p[k] : 0);
    return r;
}
static inline int v8_dot_half(v8 a, v8 b) {
    int sum = 0;
    for (int k = 0; k < 4; k++) sum += a.at[k] * b.at[k];
    return sum;
}
#define v8_broadcast(a, lane) v8_all((a).at[lane])
static inline int v8_clip(int x, int low, int high) { return x < low ? low : x > high ? high : x; }
static inline v8 v8_load(const int16_t *p) {
    v8 r;
    for (int k = 0; k < 8; k++) r.at[k] = p[k];
    return r;
}
static inline void v8_store(int16_t *p, v8 a) {
    for (int k = 0; k < 8; k++) p[k] = a.at[k];
}
static inline v8 v8_all(int value) {
    v8 r;
    for (int k = 0; k < 8; k++) r.at[k] = (int16_t)value;
    return r;
}
V8(v8_add, int, p + q)
V8(v8_sub, int, p - q)
V8(v8_add_saturated, int, v8_clip(p + q, -32768, 32767))
V8(v8_multiply_low, int, (uint32_t)p *(uint32_t)q)
V8(v8_multiply_high, int, p *q >> 16)
V8(v8_multiply_high_unsigned, uint16_t, (uint32_t)p *q >> 16)
V8(v8_min, int, p < q ? p : q)
V8(v8_max, int, p > q ? p : q)
V8(v8_and, int, p &q)
V8(v8_xor, int, p ^ q)
SHIFT(v8_shift_left, uint16_t, p << n)
SHIFT(v8_shift_right, int, p >> n)
SHIFT(v8_shift_right_unsigned, uint16_t, p >> n)
static inline b16 b16_narrow(v8 low, v8 high) {
    b16 r;
    for (int k = 0; k < 8; k++) {
        r.at[k] = (int8_t)v8_clip(low.at[k], -128, 127);
        r.at[k + 8] = (int8_t)v8_clip(high.at[k], -128, 127);
    }
    return r;
}
static inline b16 b16_load(const uint8_t *p) {
    b16 r;
    for (int k = 0; k < 16; k++) r.at[k] = (int8_t)p[k];
    return r;
}
static inline b16 b16_all(int value) {
    b16 r;
    for (int k = 0; k < 16; k++) r.at[k] = (int8_t)value;
    return r;
}
B16(b16_add, p + q)
B16(b16_sub, p - q)
B16(b16_and, p &q)
B16(b16_greater, p > q ? -1 : 0)
static inline void b16_words(b16 a, uint64_t *words) {
    words[0] = words[1] = 0;
    for (int k = 0; k < 16; k++) words[k >> 3] |= (uint64_t)(uint8_t)a.at[k] << 8 * (k & 7);
}
#undef V8
#undef B16
#undef SHIFT
#endif

static inline v8 v8_absolute(v8 a) { return v8_max(a, v8_sub(v8_all(0), a)); }
#endif
