/* The project's own table of places: the three-digit ZIP areas of the United States in which
 * people live, with their population-weighted centre. Facts worked out by zip3_make.py from the
 * US Census gazetteer and the counts of 2010 (public domain). */
#ifndef LOADGEN_ZIP3_H
#define LOADGEN_ZIP3_H

#include <stdint.h>

struct zip3 {
    char digits[4]; /* "010" to "999" */
    double lat;     /* degrees */
    double lon;
    uint32_t people; /* in 2010, > 0 */
};

/* Sorted by digits. */
extern const struct zip3 zip3_rows[];
extern const uint32_t zip3_count;

#endif
