/* A window over the series, and a stack of the numbers that must be sent again. */
#include "bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"

enum { KIND_BULK = 1 };

#define PAUSE_NS_DEFAULT 20000000u

/* An engine that gives no answer for so long gives none at all. */
#define SILENCE_NS 30000000000u

struct run {
    struct pump *pump;
    const struct bulk *bulk;
    uint64_t *again; /* numbers to be sent once more: at most window */
    uint32_t again_count;
    uint64_t next; /* number not sent so far */
    uint64_t done;
    uint64_t heard_ns;       /* of the last answer */
    uint64_t pause_until_ns; /* the engine is overloaded: nothing leaves before */
    uint32_t conn;
    uint32_t shown; /* percent */
    enum err err;
};

static void send_one(struct run *run, uint64_t index)
{
    const struct bulk *bulk = run->bulk;
    uint32_t msgid;
    uint8_t *at = pump_begin(run->pump, run->conn, bulk->size, &msgid);
    struct writer writer;
    writer_init(&writer, at, bulk->size);
    writer_request(&writer, msgid, bulk->method);
    bulk->write(bulk->owner, index, &writer);
    CHECK(!writer.is_full);
    pump_end(run->pump, run->conn, msgid, writer_size(&writer),
             (struct pump_request){.kind = KIND_BULK, .subject = index});
    run->conn = (run->conn + 1) % run->pump->conns_count;
}

static void put_off(struct run *run, uint64_t index, uint64_t pause_until_ns)
{
    CHECK(run->again_count < run->bulk->window);
    run->again[run->again_count++] = index;
    if (pause_until_ns > run->pause_until_ns) {
        run->pause_until_ns = pause_until_ns;
    }
}

static void on_reply(void *owner, const struct pump_request *request, struct answer *answer,
                     uint64_t now_ns)
{
    struct run *run = owner;
    run->heard_ns = now_ns;
    if (answer->is_error && span_is(answer->code, "OVERLOADED")) {
        uint64_t wait_ns = answer_retry_after_ms(answer) * 1000000ull;
        put_off(run, request->subject, now_ns + (wait_ns > 0 ? wait_ns : PAUSE_NS_DEFAULT));
        return;
    }
    switch (run->bulk->take(run->bulk->owner, request->subject, answer)) {
    case BULK_DONE:
        run->done++;
        break;
    case BULK_AGAIN:
        put_off(run, request->subject, 0);
        break;
    case BULK_FAULT:
        if (run->err == ERR_OK) {
            run->err = ERR_INVALID;
            snprintf(run->pump->fault, sizeof run->pump->fault, "%s: %.*s", run->bulk->method,
                     answer->is_error ? (int)answer->text.size : 22,
                     answer->is_error ? answer->text.at : "answer not as expected");
        }
        break;
    }
}

static void fill_window(struct run *run, uint64_t now_ns)
{
    if (now_ns < run->pause_until_ns) {
        return;
    }
    while (run->pump->in_flight + run->again_count < run->bulk->window || run->again_count > 0) {
        if (!pump_has_room(run->pump)) {
            return;
        }
        if (run->again_count > 0) {
            send_one(run, run->again[--run->again_count]);
        } else if (run->next < run->bulk->count) {
            send_one(run, run->next++);
        } else {
            return;
        }
    }
}

static void show(struct run *run)
{
    uint32_t percent = (uint32_t)(run->done * 100 / run->bulk->count);
    bool is_step = percent >= run->shown + 10 || (percent == 100 && run->shown < 100);
    if (run->bulk->title == NULL || (!is_step && !isatty(STDERR_FILENO))) {
        return;
    }
    if (percent != run->shown) {
        run->shown = percent;
        fprintf(stderr, isatty(STDERR_FILENO) ? "\r%s: %u %%%s" : "%s: %u %%%s", run->bulk->title,
                percent, isatty(STDERR_FILENO) && percent < 100 ? "" : "\n");
    }
}

enum err bulk_run(struct pump *pump, const struct bulk *bulk)
{
    CHECK(bulk->window > 0);
    if (bulk->count == 0) {
        return ERR_OK;
    }
    struct run run = {.pump = pump, .bulk = bulk, .heard_ns = pump_clock_ns()};
    run.again = calloc(bulk->window, sizeof *run.again);
    if (run.again == NULL) {
        return ERR_NOMEM;
    }
    pump_set_owner(pump, on_reply, &run);
    while (run.err == ERR_OK && run.done < bulk->count) {
        uint64_t now_ns = pump_clock_ns();
        fill_window(&run, now_ns);
        uint64_t until_ns = now_ns < run.pause_until_ns ? run.pause_until_ns : now_ns + 1000000000u;
        enum err err = pump_turn(pump, until_ns);
        run.err = run.err == ERR_OK ? err : run.err;
        show(&run);
        if (run.err == ERR_OK && now_ns > run.heard_ns + SILENCE_NS) {
            snprintf(pump->fault, sizeof pump->fault, "%s: no answer for 30 s", bulk->method);
            run.err = ERR_TIMEOUT;
        }
    }
    free(run.again);
    return run.err;
}
