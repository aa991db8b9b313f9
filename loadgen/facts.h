/* What an engine has promised in one answer to order.route, packed into words: which node ships
 * which lines. The commonest case, all lines from one node, takes one word.
 *
 *   whole:  [number << 16 | node]                      bit 31 clear; number 1 to 32767
 *   spread: [1 << 31 | fulfilments]                    then per fulfilment:
 *           [number << 16 | node] [lines] lines x [line << 20 | qty]      line from 0
 *
 * number is the n of `<order_id>/<n>`, node the index in struct network. */
#ifndef LOADGEN_FACTS_H
#define LOADGEN_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "workload.h"

enum { FACTS_WORDS_MAX = 8192, FACTS_QTY_BITS = 20 };
#define FACTS_SPREAD 0x80000000u

/* One fulfilment of a packed answer. lines is NULL where it is the whole order. */
struct fulfilment {
    uint32_t number;
    uint32_t node;
    uint32_t count;        /* of lines */
    const uint32_t *lines; /* packed, borrowed */
};

static inline uint32_t facts_fulfilments(const uint32_t *words)
{
    return (words[0] & FACTS_SPREAD) != 0 ? words[0] & ~FACTS_SPREAD : 1;
}

/* Take the fulfilment at *pos, which begins at 0 and moves on. */
struct fulfilment facts_next(const uint32_t *words, uint32_t *pos);

/* Line i of a fulfilment: item and quantity. order is the one that the answer is about. */
struct order_line facts_line(const struct fulfilment *fulfilment, uint32_t i,
                             const struct order *order);

/* Lines of a fulfilment of this order. */
static inline uint32_t facts_lines(const struct fulfilment *fulfilment, const struct order *order)
{
    return fulfilment->lines == NULL ? order->count : fulfilment->count;
}

/* Words of a packed answer, by reading it. */
uint32_t facts_size(const uint32_t *words);

#endif
