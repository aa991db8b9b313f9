/* Sends a numbered series of requests through a pump, many in flight, and waits for all answers.
 * What the engine puts off (OVERLOADED) is sent again. */
#ifndef LOADGEN_BULK_H
#define LOADGEN_BULK_H

#include <stdint.h>

#include "load_answer.h"
#include "err.h"
#include "pump.h"
#include "writer.h"

enum bulk_next {
    BULK_DONE,  /* this number is through */
    BULK_AGAIN, /* ask for it once more: the next page of a list */
    BULK_FAULT  /* the series ends; the answer was an error or not as expected */
};

/* Write the map of a request's params; the request's head is there. */
typedef void bulk_write_cb(void *owner, uint64_t index, struct writer *writer);

/* Take an answer, errors other than OVERLOADED included. */
typedef enum bulk_next bulk_take_cb(void *owner, uint64_t index, struct answer *answer);

struct bulk {
    const char *method;
    const char *title; /* shown as progress on stderr, with a percentage; NULL: nothing is */
    uint64_t count;    /* of requests: 0 to count-1 */
    uint32_t size;     /* most bytes of one request */
    uint32_t window;   /* most in flight, over all connections */
    bulk_write_cb *write;
    bulk_take_cb *take;
    void *owner;
};

/* Run it. The pump must be idle, and is idle afterwards unless an error came.
 *
 * Errors (pump->fault tells more): those of pump_turn, ERR_INVALID after a BULK_FAULT,
 * ERR_TIMEOUT after 30 s without any answer.
 */
ERR_MUST_USE enum err bulk_run(struct pump *pump, const struct bulk *bulk);

#endif
