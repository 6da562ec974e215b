/* Labels chosen for size and likeness together: every pixel takes the label of least
 *
 *     weight * squared error + lambda * bits,
 *
 * bits being what the model of predicted coding, learning as it goes, would spend on it.  Integers, and square roots, which
 * every machine rounds the same.
 */
#ifndef KMCODEC_CHOOSE_H
#define KMCODEC_CHOOSE_H
#include "predict.h"

typedef int16_t choose_point[4]; /* coordinates of a colour, 0 where there is no fourth */

typedef struct {
    const choose_point *pixels;  /* of every pixel, row by row */
    const uint16_t *weights;     /* of its squared error, 256 = 1 */
    const uint16_t *nearest;     /* label of the colour nearest to it; a label in use */
    const choose_point *colors;  /* of the palette */
    const uint8_t *used;         /* of every label, whether it may be chosen */
    const uint16_t *neighbors;   /* of every label, others in use by rising distance, `reach` each; may repeat the label */
    const int32_t *distances;    /* to those, squared */
    int reach;
    uint32_t lambda; /* 16 = a squared error of 1 for a bit */
    int look_ahead;  /* 1: the next pixel's cost counts too */
    int settle;      /* 1: the labels given are those of a pass before, and neighbours should agree with them */
} choose_job;

typedef struct chooser chooser;

/* A model for pictures of this size, which learns from pass to pass. */
predict_status choose_open(uint32_t width, uint32_t height, const uint8_t *palette, uint32_t colors, uint32_t channels,
                           predict_params params, chooser **opened);
/* One pass over all pixels.  palette: as many colours as at first; labels: width x height, all in use, replaced. */
predict_status choose_pass(chooser *c, const uint8_t *palette, const choose_job *job, uint16_t *labels);
void choose_close(chooser *c);
#endif
