/* Read loops: threads that hold the connections, each with a net and a libuv loop of its own.
 *
 * A read loop answers reads of stock itself (glance.h) and hands all else to the engine loop; the
 * answers come back and leave through its net. A request goes the same way as those before it that
 * its connection still waits for, so each sees the effects of all earlier ones. README.md has the
 * rules.
 *
 * Everything here is called on the engine loop's thread. The functions from loops_reply_begin to
 * loops_may_answer are for struct service_port: conn is what came in struct service_request.
 */
#ifndef LOOPS_LOOPS_H
#define LOOPS_LOOPS_H

#include "net.h"
#include "service.h"

enum { LOOPS_MAX = 16 };

struct loops;

/* Requests of all read loops, at most one batch a turn; loops_flush runs after it. */
typedef void loops_batch_cb(void *owner, const struct service_request *requests, uint32_t count);

typedef void loops_done_cb(void *owner);

struct loops_options {
    uint32_t count; /* 1 to LOOPS_MAX */
    uv_loop_t *loop; /* the engine's, borrowed until loops_close */
    struct service_core *service;
    struct net_options net; /* of each; conns_max and buffers_max are those of all together, what
                               concerns listening is not looked at */
    loops_batch_cb *batch;
    loops_done_cb *drained; /* the last connection is gone: loops_end may follow */
    void *owner;
};

/* Start the threads. durable_lsn: what may leave at once. error gets a line for people. Errors:
 * ERR_NOMEM, ERR_SYS (no thread); then the loop has to turn once more, and loops_close not. */
ERR_MUST_USE enum err loops_open(const struct loops_options *options, uint64_t durable_lsn,
                                 struct loops **out, char *error, size_t error_size);

/* Bytes that count loops take beside their nets' buffers. */
uint64_t loops_memory(uint32_t count, uint32_t arena_size);

/* A net_accepted_cb, but for the owner: the read loop with the fewest connections takes it. */
bool loops_take(struct loops *loops, int fd, bool is_pipe);

uint8_t *loops_reply_begin(void *conn, uint32_t size);
void loops_reply_end(void *conn, uint32_t size, uint64_t release_lsn);
void loops_done(void *conn);
void loops_hold(void *conn, bool held);
bool loops_may_answer(void *conn, const struct frame_head *head);

/* Everything up to lsn is durable. */
void loops_release(struct loops *loops, uint64_t lsn);

/* No batch is made in between. */
void loops_pause(struct loops *loops, bool is_paused);

/* As net_suspend: the running batch, or other work of the owner's, is not over. */
void loops_suspend(struct loops *loops, bool is_suspended);

/* Send off what was answered since the last flush: once at the end of a turn. */
void loops_flush(struct loops *loops);

/* As net_drain and net_fail, in all of them; options.drained runs from the loop. */
void loops_drain(struct loops *loops);
void loops_fail(struct loops *loops);

/* After drained: let the threads end. Closes its handle on the engine's loop. */
void loops_end(struct loops *loops);

/* Wait for the threads, after loops_end: then they touch no table any more. NULL is fine. */
void loops_join(struct loops *loops);

/* Free everything, after loops_join and when the engine's loop has ended. NULL is fine. */
void loops_close(struct loops *loops);

#endif
