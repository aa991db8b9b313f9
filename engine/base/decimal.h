/* Decimal text of a number, where printf would cost more than all the rest of a reply. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdint.h>

enum { DECIMAL_MAX = 20 }; /* digits of the largest number */

/* Write the digits to out (no NUL) and return how many. */
static inline uint32_t decimal_put(char *out, uint64_t number)
{
    char digits[DECIMAL_MAX];
    uint32_t count = 0;
    if (number < 10) { /* lines and fulfilments are seldom more */
        out[0] = (char)('0' + number);
        return 1;
    }
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    return count;
}

#endif
