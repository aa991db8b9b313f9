/* What each fuzzer of this folder gives, and the main that runs it where there is no fuzzing
 * engine: files of a corpus, then inputs of its own for some seconds.
 *
 *   fuzz_x [--seconds N] [--seed N] [FILE or FOLDER]...
 *
 * An input that is not one of the corpus has a number; a failing one is told with --seed, and runs
 * again, first of all, with it. Under an engine (FUZZ_ENGINE) fuzz_main.c is not built. */
#ifndef FUZZ_MAIN_H
#define FUZZ_MAIN_H

#include <stddef.h>
#include <stdint.h>

#include "rng.h"

enum { FUZZ_INPUT_MAX = 256 << 10 };

/* Run one input: whatever it is, a clear answer. A CHECK that fails is the finding. */
int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size);

/* Draw an input that mostly hits, at most FUZZ_INPUT_MAX bytes; size of it. seed_input is a file of
 * the corpus to start from, in place; of seed_size bytes, 0 where there is none. */
size_t fuzz_draw(struct rng *rng, uint8_t *seed_input, size_t seed_size);

/* A few bytes changed, dropped, doubled: for fuzzers whose corpus says what an input is like. */
size_t fuzz_mutate(struct rng *rng, uint8_t *input, size_t size);

#endif
