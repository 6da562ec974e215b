/* Predicted label coding: labels of a palette image <-> flag streams.
 *
 * Every bit of every label is guessed from what is already decoded; a flag says whether the guess was wrong.
 * Flags go to one of eight streams by how sure the model was, so that each stream is evenly unlikely and a
 * plain entropy coder (zstd, outside this file) does the rest.  Same arithmetic in both directions: integers
 * only, no tables but the palette, so every machine makes the same bytes.  No global state: reentrant.
 */
#ifndef KMCODEC_PREDICT_H
#define KMCODEC_PREDICT_H
#include <stddef.h>
#include <stdint.h>

enum { PREDICT_STREAMS = 8 };

/* What the model looks at; one byte of the file.  The encoder picks what is smallest. */
enum {
    PREDICT_SMOOTH = 0,   /* the fast one: W, N, NE, NW */
    PREDICT_MIDDLE = 1,   /* photos in about 64 colours: (W,WW), (N,NN), ring of four */
    PREDICT_RICH = 2,     /* the same, smaller and slower: colour, (W,WW), (N,NN), NE, NW */
    PREDICT_DEEP = 3,     /* photos, smallest and slowest: colour, (W,WW), (N,NN), W, N, NE, NW */
    PREDICT_GRAPHICS = 4, /* screens, drawings: colour, (W,WW), (N,NN), ring, templates of 10 and 19 */
    PREDICT_SETS = 5
};

typedef struct {
    int set;        /* context set, above */
    int table_bits; /* log2 of the lines of a hashed context table, 8 to 18 */
    int sparse;     /* 1: three streams only, for pictures too small to fill eight */
} predict_params;

typedef enum {
    PREDICT_OK = 0,
    PREDICT_NO_MEMORY = -1,
    PREDICT_BAD_ARGUMENT = -2, /* the caller's: sizes, parameters, a label to encode >= palette size */
    PREDICT_BAD_DATA = -3      /* the file's: a label >= palette size, flags left over */
} predict_status;

/* Flags of one stream: bit i of byte i / 8 (least significant first) is flag i; 1 = the guess was wrong. */
typedef struct {
    uint8_t *bytes;
    size_t count; /* flags */
} predict_stream;

/* palette: colors x channels bytes, channels 3 (RGB) or 4 (RGBA); labels: width x height, row by row.
 * On success the caller owns streams[i].bytes (release with predict_free_streams); on failure nothing. */
predict_status predict_encode(const uint16_t *labels, uint32_t width, uint32_t height, const uint8_t *palette,
                              uint32_t colors, uint32_t channels, predict_params params,
                              predict_stream streams[PREDICT_STREAMS]);
void predict_free_streams(predict_stream streams[PREDICT_STREAMS]);

/* bytes[i], sizes[i]: a packed stream; flags after its end are 0, so trailing zero bytes need not be stored.
 * Safe for any bytes.  A byte or a set bit that no pixel consumed is PREDICT_BAD_DATA. */
predict_status predict_decode(const uint8_t *const bytes[PREDICT_STREAMS], const size_t sizes[PREDICT_STREAMS],
                              uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors,
                              uint32_t channels, predict_params params, uint16_t *labels);

/* Stored forms -> packed streams.  fives: 5 flags a byte; out: (5 size + 7) / 8 bytes.  gaps: zeros before each
 * one, `longest` = that many more and go on; long gaps: the same in LEB128; out: limit / 8 + 1 bytes, zeroed by the
 * callee as far as used. */
predict_status predict_unpack_fives(const uint8_t *fives, size_t size, uint8_t *out);
predict_status predict_unpack_gaps(const uint8_t *gaps, size_t size, unsigned longest, uint8_t *out, size_t limit,
                                   size_t *used);
predict_status predict_unpack_long_gaps(const uint8_t *gaps, size_t size, uint8_t *out, size_t limit, size_t *used);
#endif
