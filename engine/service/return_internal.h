/* A return being asked for: what return.* share. */
#ifndef SERVICE_RETURN_INTERNAL_H
#define SERVICE_RETURN_INTERNAL_H

#include "document_internal.h"
#include "place_internal.h"

/* On the caller's stack, some 140 KiB. */
struct returning {
    struct text id, order_id, node;
    uint64_t at_ms; /* 0 = arrival */
    struct place near;
    struct order *order; /* NULL = not in memory: unverified */
    uint32_t count;
    struct draft_ask asks[DOCUMENT_LINES_MAX];
    uint32_t items[DOCUMENT_LINES_MAX];
    uint16_t order_lines[DOCUMENT_LINES_MAX];
    uint32_t left_store[EFFECT_LINES_MAX]; /* per line of the order: units shipped or collected */
    uint32_t elsewhere[EFFECT_LINES_MAX];  /* of them claimed by other returns */
};

/* Find order, lines and items; own is left out of what other returns claim. False: answered. */
bool returning_resolve(struct service_core *service, struct call *call, struct text order_id,
                       const struct document *own, struct returning *returning);

/* Whether all of it may come back. False: refused. */
bool returning_check(struct service_core *service, struct call *call,
                     const struct returning *returning);

/* Answer return.quote: the nearest nodes that take it, and what becomes of it there. */
void return_options(struct service_core *service, struct call *call, struct returning *returning);

#endif
