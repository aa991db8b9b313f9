/* Work that would hold the loop too long stops in its middle: each turn runs on a stack of its own
 * (fiber.h), which is left after so many steps of deciding and gone on with by the next tick.
 *
 * It stops only where the router says that it may (route_slices_set), that is while something is
 * decided: no record is half written, no change half applied, and until it goes on no other code
 * changes a table. Meanwhile the loop sends what is durable, looks at its timers and answers what
 * is no request; requests behind the one that stopped wait for it, so that their order, and with it
 * every answer and every record, is what it would have been without a stop.
 *
 * Units lent for a decision (an order's own, while it is decided anew) are given back for the time
 * of the pause: readers on other threads and the digest see the tables as they are. */
#include <stdlib.h>

#include "fiber.h"
#include "service_internal.h"

enum { STACK_SIZE = 1 << 20 }; /* handlers keep their plans there, up to some 200 KB */

enum {
    LONG_ORDER = 64, /* lines or shares of one that a turn may be suspended for */
    ROW_STEPS = 12   /* of deciding, that one of them takes in a stage */
};

void stage_end(struct service_core *service, uint32_t rows)
{
    if (rows >= LONG_ORDER) {
        route_work(service->route, rows * ROW_STEPS);
    }
}

void lend_begin(struct service_core *service, lend_function *lend, const void *what)
{
    CHECK(!service->lent.lend);
    service->lent = (struct lent){lend, what};
    lend(service, what, true);
}

void lend_end(struct service_core *service)
{
    const struct lent lent = service->lent;
    service->lent = (struct lent){NULL, NULL};
    lent.lend(service, lent.what, false);
}

static void lend_again(struct service_core *service, bool is_lent)
{
    if (service->lent.lend) {
        service->lent.lend(service, service->lent.what, is_lent);
    }
}

/* The slice is over. What was begun so far goes to the disk, engine time stands, and a half-written
 * reply stays in its scratch while others are written beside it. */
static void pause(void *owner)
{
    struct service_core *service = owner;
    struct slices *slices = &service->slices;
    const struct writer writer = service->writer;
    const uint64_t now_ns = service->now_ns;
    if (!fiber_is_inside(slices->fiber)) {
        return;
    }
    lend_again(service, false);
    wal_time_keep(service->wal, service->now_ms);
    wal_submit(service->wal, &service->tables.digest);
    service->scratch = slices->scratch_aside;
    slices->pauses++;
    fiber_pause(slices->fiber);
    service->scratch = slices->scratch_main;
    service->writer = writer;
    service->now_ns = now_ns;
    lend_again(service, true);
}

enum err slices_open(struct service_core *service)
{
    struct slices *slices = &service->slices;
    slices->scratch_main = service->scratch;
    slices->scratch_aside = calloc(1, REPLY_SIZE_MAX);
    if (!slices->scratch_aside || fiber_new(STACK_SIZE, &slices->fiber) != ERR_OK) {
        return ERR_NOMEM;
    }
    route_slices_set(service->route, service->options.slice_steps, pause, service);
    return ERR_OK;
}

void slices_close(struct service_core *service)
{
    fiber_free(service->slices.fiber);
    if (service->slices.scratch_main) {
        service->scratch = service->slices.scratch_main;
    }
    free(service->slices.scratch_aside);
}

static void turn_main(void *owner)
{
    struct service_core *service = owner;
    service->slices.due_ms = service->slices.turn(service);
}

uint32_t slices_run(struct service_core *service, slices_turn *turn)
{
    struct slices *slices = &service->slices;
    slices->turn = turn;
    route_slice_begin(service->route);
    return fiber_run(slices->fiber, turn_main, service) ? 0 : slices->due_ms;
}

void slices_go_on(struct service_core *service)
{
    (void)fiber_go_on(service->slices.fiber);
}

bool service_is_suspended(const struct service_core *service)
{
    return !service->is_dead && fiber_is_paused(service->slices.fiber);
}
