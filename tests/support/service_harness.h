/* A service without sockets, for tests: requests as JSON in, replies as JSON out, on a data
 * folder that is thrown away, with a clock that only the test moves. One thread.
 *
 *     struct harness harness;
 *     harness_open(&harness);
 *     json_t *answer = harness_ask(&harness, "item.get", "{'item':'%s'}", "a");
 *     harness_drop(answer);
 *     harness_restart(&harness);
 *     harness_close(&harness);
 *
 * Single quotes stand for double ones. An answer is the result, or {"error": [kind, "text"]}. */
#ifndef TESTS_SERVICE_HARNESS_H
#define TESTS_SERVICE_HARNESS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "service.h"

enum { HARNESS_CALLS_MAX = 4096, HARNESS_CONNS = 4 };

struct harness_call;

struct harness {
    struct service_core *service;
    struct service_options options; /* to be changed between harness_init and harness_start */
    char dir[256];
    uint64_t wall_ms; /* the clock; every harness_run moves it by step_ms first */
    uint64_t step_ms;
    uint64_t now_ns;
    uint64_t waited_ns; /* how long before its turn a request was read */
    uint64_t released; /* LSN up to which replies may leave */
    bool is_paused;
    uint64_t checkpoint_lsn; /* one was asked for and not made yet; 0 = none */
    void (*suspended)(struct harness *harness); /* called while a turn is; NULL: never */
    bool leaves_suspended; /* a batch is left as it is where it is suspended */
    bool is_held[HARNESS_CONNS];
    int conns[HARNESS_CONNS]; /* their addresses stand for connections */
    uint32_t next_msgid;
    uint32_t call_count;       /* staged and not taken yet */
    struct harness_call *calls; /* HARNESS_CALLS_MAX */
    uint8_t *reply; /* room of the reply being written */
    void *reply_conn;
};

/* harness_init and harness_start. Aborts when something fails, as all functions here do. */
void harness_open(struct harness *harness);

/* The fixture of a test: one on the heap, open. Its teardown restarts it (whatever a test did must
 * be recovered) and frees it; the second one restarts it from a snapshot as well. */
struct harness *harness_new(void);
int harness_end(void **state);
int harness_end_by_snapshot(void **state);

/* Small limits, the pwrite back end, a new empty folder. */
void harness_init(struct harness *harness);
void harness_start(struct harness *harness);

/* Close the service and remove its folder. */
void harness_close(struct harness *harness);

/* Close and open again: what is recovered must be what was there (digest), and sound. */
void harness_restart(struct harness *harness);

/* Ask on connection 0 and wait for the answer. The caller ends it with harness_drop. */
json_t *harness_ask(struct harness *harness, const char *method, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same in steps, for batches: stage requests of several connections, run them as one batch
 * until all are answered, take each answer once, by the number that staging gave. */
uint32_t harness_stage(struct harness *harness, uint32_t conn, const char *method,
                       const char *format, ...) __attribute__((format(printf, 4, 5)));
void harness_run(struct harness *harness);
json_t *harness_take(struct harness *harness, uint32_t number);

/* The same as the bytes that were sent; the caller frees them. */
uint8_t *harness_take_bytes(struct harness *harness, uint32_t number, uint32_t *size_out);

/* The frame that was staged, the harness's until it is taken. */
const uint8_t *harness_request(struct harness *harness, uint32_t number, uint32_t *size_out);

/* Ask for a snapshot, make it, name it; its LSN. */
uint64_t harness_snapshot(struct harness *harness);

/* Only the batch itself: loads may be under way after it. harness_run goes on. */
void harness_batch(struct harness *harness);

/* One tick of the service: a slice of what is under way. */
void harness_tick(struct harness *harness);

/* No answer is expected any more: the connection is closed. */
void harness_forget(struct harness *harness, uint32_t number);

void harness_drop(json_t *answer);

/* A field of an answer, by path: "fulfilments.0.node". Aborts when it is not there or of
 * another kind. The text belongs to the answer. */
int64_t harness_int(const json_t *answer, const char *path);
const char *harness_text(const json_t *answer, const char *path);
bool harness_bool(const json_t *answer, const char *path);
double harness_float(const json_t *answer, const char *path);
uint32_t harness_count(const json_t *answer, const char *path); /* of a list or map */
bool harness_has(const json_t *answer, const char *path);

/* Ask and check: the answer is an error whose text begins with begin and holds part; the text is
 * printed when it does not. */
void harness_refute(struct harness *harness, const char *method, const char *params,
                    const char *begin, const char *part);

/* Ask, and abort with the text if the answer is an error or a refusal. */
void harness_do(struct harness *harness, const char *method, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The cell's units, all and reserved. */
void harness_expect_cell(struct harness *harness, const char *item, const char *node,
                         int64_t on_hand, int64_t reserved);

#endif
