/* Few words, so a linear search does. */
#include "tally.h"

#include <stdio.h>

void tally_add(struct tally *tally, struct span word)
{
    tally->total++;
    uint32_t row = 0;
    while (row < tally->count) {
        const char *known = tally->rows[row].word;
        if (strlen(known) == word.size && memcmp(known, word.at, word.size) == 0) {
            break;
        }
        row++;
    }
    if (row == tally->count && tally->count == TALLY_WORDS_MAX - 1) {
        word = (struct span){.at = "other", .size = 5};
    }
    if (row == tally->count && tally->count < TALLY_WORDS_MAX) {
        snprintf(tally->rows[row].word, TALLY_WORD_SIZE, "%.*s", (int)word.size, word.at);
        tally->count++;
    }
    tally->rows[row < TALLY_WORDS_MAX ? row : TALLY_WORDS_MAX - 1].count++;
}
