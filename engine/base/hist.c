/* Buckets: values below 2^7 one each; above, the top 8 bits of the value choose. */
#include "hist.h"

#include <math.h>
#include <string.h>

enum { SUB = 1 << HIST_SUB_BITS };

static uint32_t bucket_of(uint64_t value)
{
    if (value < SUB) {
        return (uint32_t)value;
    }
    uint32_t shift = 63u - (uint32_t)__builtin_clzll(value) - HIST_SUB_BITS;
    return ((shift + 1) << HIST_SUB_BITS) + (uint32_t)((value >> shift) - SUB);
}

/* Largest value of a bucket. */
static uint64_t bucket_top(uint32_t bucket)
{
    if (bucket < SUB) {
        return bucket;
    }
    uint32_t shift = (bucket >> HIST_SUB_BITS) - 1;
    uint64_t low = (uint64_t)(SUB + (bucket & (SUB - 1))) << shift;
    return low + ((uint64_t)1 << shift) - 1;
}

void hist_init(struct hist *hist)
{
    memset(hist, 0, sizeof *hist);
    hist->min = UINT64_MAX;
}

void hist_record(struct hist *hist, uint64_t value)
{
    hist->counts[bucket_of(value)]++;
    hist->total++;
    hist->sum += value;
    hist->min = value < hist->min ? value : hist->min;
    hist->max = value > hist->max ? value : hist->max;
}

void hist_merge(struct hist *into, const struct hist *from)
{
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        into->counts[i] += from->counts[i];
    }
    into->total += from->total;
    into->sum += from->sum;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
}

static void store(uint64_t *to, uint64_t value)
{
    __atomic_store_n(to, value, __ATOMIC_RELAXED);
}

static uint64_t load(const uint64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

void hist_record_shared(struct hist *hist, uint64_t value)
{
    uint64_t *count = &hist->counts[bucket_of(value)];
    store(count, *count + 1);
    store(&hist->total, hist->total + 1);
    store(&hist->sum, hist->sum + value);
    store(&hist->min, value < hist->min ? value : hist->min);
    store(&hist->max, value > hist->max ? value : hist->max);
}

/* The total is counted here, so that the ranks of percentiles fit the counts. */
void hist_merge_shared(struct hist *into, const struct hist *from)
{
    uint64_t min = load(&from->min);
    uint64_t max = load(&from->max);
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t count = load(&from->counts[i]);
        into->counts[i] += count;
        into->total += count;
    }
    into->sum += load(&from->sum);
    into->min = min < into->min ? min : into->min;
    into->max = max > into->max ? max : into->max;
}

uint64_t hist_percentile(const struct hist *hist, double percent)
{
    if (hist->total == 0) {
        return 0;
    }
    uint64_t rank = (uint64_t)ceil(percent / 100.0 * (double)hist->total);
    uint64_t seen = 0;
    rank = rank < 1 ? 1 : rank;
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        seen += hist->counts[i];
        if (seen >= rank) {
            uint64_t top = bucket_top(i);
            return top < hist->max ? top : hist->max;
        }
    }
    return hist->max;
}

double hist_mean(const struct hist *hist)
{
    return hist->total ? (double)hist->sum / (double)hist->total : 0.0;
}

void hist_write_hgrm(const struct hist *hist, FILE *file, double scale)
{
    fprintf(file, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount",
            "1/(1-Percentile)");
    uint64_t seen = 0;
    double deviation = 0.0;
    double mean = hist_mean(hist);
    for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
        if (hist->counts[i] == 0) {
            continue;
        }
        seen += hist->counts[i];
        double value = (double)(bucket_top(i) < hist->max ? bucket_top(i) : hist->max);
        double share = (double)seen / (double)hist->total;
        deviation += (double)hist->counts[i] * (value - mean) * (value - mean);
        if (seen < hist->total) {
            fprintf(file, "%12.3f %2.12f %10llu %14.2f\n", value / scale, share,
                    (unsigned long long)seen, 1.0 / (1.0 - share));
        } else {
            fprintf(file, "%12.3f %2.12f %10llu\n", value / scale, 1.0, (unsigned long long)seen);
        }
    }
    deviation = hist->total ? sqrt(deviation / (double)hist->total) : 0.0;
    fprintf(file, "#[Mean    = %12.3f, StdDeviation   = %12.3f]\n", mean / scale,
            deviation / scale);
    fprintf(file, "#[Max     = %12.3f, Total count    = %12llu]\n", (double)hist->max / scale,
            (unsigned long long)hist->total);
    fprintf(file, "#[Buckets = %12d, SubBuckets     = %12d]\n", 64 - HIST_SUB_BITS, SUB);
}
