/* Reads the engine's replies: the head of any, and the ones that the load generator acts on. */
#ifndef LOADGEN_LOAD_ANSWER_H
#define LOADGEN_LOAD_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "cursor.h"
#include "facts.h"
#include "id_index.h"

enum answer_status {
    ANSWER_ROUTED,
    ANSWER_PARTIAL,
    ANSWER_REFUSED,
    ANSWER_DONE,
    ANSWER_CANCELLED,
    ANSWER_OTHER
};

/* The head of any reply. Borrows the frame. */
struct answer {
    uint32_t msgid;
    bool is_error;
    struct span code;     /* of an error: its first word */
    struct span text;     /* of an error: all of it */
    struct cursor result; /* else: at the result */
};

/* Read the head of one whole frame. False: it is no reply. */
bool answer_read(struct answer *answer, const uint8_t *bytes, uint32_t size);

/* The number behind retry_after_ms= in an error's text, or 0. */
uint32_t answer_retry_after_ms(const struct answer *answer);

/* The result of order.route. words holds the facts where is_promised. */
struct route_answer {
    enum answer_status status;
    struct span reason; /* of a refusal */
    bool is_duplicate;
    bool is_optimal;
    bool is_promised; /* routed or partial, with at least one fulfilment */
    double total_km;
    uint32_t words_count;
    uint32_t words[FACTS_WORDS_MAX];
};

/* Read it; nodes turns node ids into indexes. False: the result lacks what it must hold, or
 * names a node or line that is not known. */
bool answer_read_route(struct route_answer *route, struct cursor *result,
                       const struct id_index *nodes);

/* The same of order.get, whose status tells of the life: lines are always read, and packed as one
 * word where a single fulfilment holds all that order asked for. */
bool answer_read_facts(struct route_answer *route, struct cursor *result,
                       const struct id_index *nodes, const struct order *order);

/* The status of a result that has one (order.cancel, stock.set, ...): refused or not. */
bool answer_is_refused(struct cursor result, struct span *reason_out);

/* Value of a word that an order's status can be. */
enum answer_status answer_status_of(struct span word);

#endif
