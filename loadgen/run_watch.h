/* The clockwork around a run: its measured part, and what is shown of it every second. */
#ifndef LOADGEN_RUN_WATCH_H
#define LOADGEN_RUN_WATCH_H

#include "load_run.h"

/* Empty figures. */
void run_watch_reset(struct load_run *run);

/* The warm-up is over: figures begin anew. */
void run_watch_begin(struct load_run *run);

/* The measured part is over; what is still answered counts for the latencies only. */
void run_watch_end(struct load_run *run, uint64_t now_ns);

/* One line on stderr about the second that ends, and the slowest and fastest for the report. */
void run_watch_second(struct load_run *run, uint64_t now_ns);

#endif
