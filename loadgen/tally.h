/* Counts by word: refusals by reason, errors by code. */
#ifndef LOADGEN_TALLY_H
#define LOADGEN_TALLY_H

#include <stdint.h>

#include "cursor.h"

enum { TALLY_WORDS_MAX = 32, TALLY_WORD_SIZE = 40 };

struct tally_row {
    char word[TALLY_WORD_SIZE];
    uint64_t count;
};

/* Words in order of first sight; those past the last row count under "other". Zero is empty. */
struct tally {
    struct tally_row rows[TALLY_WORDS_MAX];
    uint32_t count; /* of rows */
    uint64_t total;
};

void tally_add(struct tally *tally, struct span word);

#endif
