/* A log-linear histogram of durations: 128 sub-buckets per power of two, so every value is
 * kept to within 0.8 %. Fixed memory, no allocation, one writer. */
#ifndef BASE_HIST_H
#define BASE_HIST_H

#include <stdint.h>
#include <stdio.h>

enum { HIST_SUB_BITS = 7, HIST_BUCKETS = (64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS };

struct hist {
    uint64_t total; /* values recorded */
    uint64_t min;   /* smallest, UINT64_MAX while empty */
    uint64_t max;   /* largest */
    uint64_t sum;
    uint64_t counts[HIST_BUCKETS];
};

void hist_init(struct hist *hist);
void hist_record(struct hist *hist, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);

/* The same where another thread merges a histogram into one of its own while its writer goes on:
 * each number is read whole, the sums may be a few values apart. */
void hist_record_shared(struct hist *hist, uint64_t value);
void hist_merge_shared(struct hist *into, const struct hist *from);

/* Value at or below which the given share (0 to 100) of values lies; 0 while empty. The upper
 * edge of its bucket, never above max. */
uint64_t hist_percentile(const struct hist *hist, double percent);

double hist_mean(const struct hist *hist);

/* Write the percentile table in HdrHistogram's .hgrm form; values are divided by scale. */
void hist_write_hgrm(const struct hist *hist, FILE *file, double scale);

#endif
