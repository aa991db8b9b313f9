/* The spherical cap around the 64 nodes of a word: what lets a search pass the word over. */
#ifndef BENCH_FLOOR_FLOOR_CAPS_H
#define BENCH_FLOOR_FLOOR_CAPS_H

#include "floor.h"

struct floor_word_cap {
    float x, y, z;  /* centre, a unit vector */
    float radius;   /* chord from the centre to the farthest node of the word */
};

/* Work the caps out from the laid-out nodes. */
void floor_caps_make(struct floor_tables *tables);

#endif
