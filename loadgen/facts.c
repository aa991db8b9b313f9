/* Unpacks what load_answer.c packs. */
#include "facts.h"

#include "check.h"

struct fulfilment facts_next(const uint32_t *words, uint32_t *pos)
{
    bool is_spread = (words[0] & FACTS_SPREAD) != 0;
    if (*pos == 0 && is_spread) {
        *pos = 1;
    }
    uint32_t head = words[(*pos)++];
    struct fulfilment fulfilment = {.number = head >> 16, .node = head & 0xffff};
    if (is_spread) {
        fulfilment.count = words[(*pos)++];
        fulfilment.lines = words + *pos;
        *pos += fulfilment.count;
    }
    return fulfilment;
}

struct order_line facts_line(const struct fulfilment *fulfilment, uint32_t i,
                             const struct order *order)
{
    if (fulfilment->lines == NULL) {
        CHECK(i < order->count);
        return order->lines[i];
    }
    CHECK(i < fulfilment->count);
    uint32_t line = fulfilment->lines[i] >> FACTS_QTY_BITS;
    CHECK(line < order->count);
    return (struct order_line){.item = order->lines[line].item,
                               .qty = fulfilment->lines[i] & ((1u << FACTS_QTY_BITS) - 1)};
}

uint32_t facts_size(const uint32_t *words)
{
    uint32_t pos = 0;
    for (uint32_t i = facts_fulfilments(words); i > 0; i--) {
        facts_next(words, &pos);
    }
    return pos;
}
