/* Tables with something in every section of an image, drawn from a seed; the same seed gives the
 * same tables. Test thread only. */
#ifndef SUPPORT_TABLES_SAMPLE_H
#define SUPPORT_TABLES_SAMPLE_H

#include <stdint.h>

#include "tables.h"

/* Limits that fit, and the secret of the ids. */
extern const struct tables_options tables_sample_options;
extern const uint8_t tables_sample_secret[16];

/* Init tables and fill them: about orders orders over a few nodes and items. */
void tables_sample(struct tables *tables, uint64_t seed, uint32_t orders);

/* A few more changes, drawn from seed. */
void tables_sample_more(struct tables *tables, uint64_t seed, uint32_t orders);

#endif
