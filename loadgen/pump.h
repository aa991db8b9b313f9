/* Many connections, one thread: takes requests, gathers them into one write per connection and
 * turn, sleeps in the kernel until a time or a reply, and hands each reply to its owner.
 *
 * A request is a slot; its index is the msgid, which is unique over all connections. Any reply
 * that does not fit a slot in flight, and any lost connection, ends the pump: a load generator
 * that goes on past that would report nonsense. */
#ifndef LOADGEN_PUMP_H
#define LOADGEN_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "load_answer.h"
#include "err.h"

/* What is remembered of a request until its reply. */
struct pump_request {
    uint64_t intended_ns; /* when it should have left: latency counts from here */
    uint64_t subject;     /* the owner's: an order number, a packed cell */
    uint32_t extra;       /* the owner's */
    uint32_t next_free;   /* of the pump */
    uint16_t conn;
    uint8_t kind; /* the owner's, 1 and over; 0 = the slot is free */
};

/* One whole reply. request is a copy, its slot is free again; answer borrows the frame. now_ns
 * is when the bytes were read. May send; must not turn or close the pump. */
typedef void pump_reply_cb(void *owner, const struct pump_request *request, struct answer *answer,
                           uint64_t now_ns);

struct pump_conn {
    uint8_t *out; /* bytes to be sent: out_begin to out_end */
    uint32_t out_begin, out_end, out_size;
    uint8_t *rest; /* the beginning of a reply that is not whole yet */
    uint32_t rest_size, rest_capacity;
    uint32_t in_flight;
    int fd;
    bool is_dirty;   /* listed in pump.dirty */
    bool is_blocked; /* the socket is full: waits for EPOLLOUT */
};

/* Owner: the calling thread, which is the only one. */
struct pump {
    struct pump_conn *conns;
    uint32_t conns_count;
    struct pump_request *requests;
    uint32_t requests_max;
    uint32_t free_head; /* slot, or UINT32_MAX */
    uint32_t in_flight;
    uint32_t *dirty; /* connections with bytes to be sent */
    uint32_t dirty_count;
    uint8_t *in; /* what was read last, shared by all connections */
    uint32_t in_size;
    int epoll_fd;
    pump_reply_cb *on_reply;
    void *owner;
    uint64_t bytes_out, bytes_in, writes, reads, turns;
    char fault[256]; /* why it ended; "" while it runs */
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t pump_clock_ns(void);

/* Connect. address is HOST:PORT or unix:PATH. An all-zero pump may be closed.
 *
 * Errors (pump->fault tells more):
 *   ERR_INVALID  the address.
 *   ERR_SYS      a connection or resource is not to be had.
 *   ERR_NOMEM    no memory.
 */
ERR_MUST_USE enum err pump_open(struct pump *pump, const char *address, uint32_t connections,
                                uint32_t requests_max);
void pump_close(struct pump *pump);

/* Who gets the replies from now on. Nothing may be in flight. */
void pump_set_owner(struct pump *pump, pump_reply_cb *on_reply, void *owner);

/* Whether one more request may be begun. */
bool pump_has_room(const struct pump *pump);

/* Room for a request of up to size bytes on a connection, and its msgid. The bytes are valid
 * until pump_end, which must follow. The caller has asked pump_has_room. */
uint8_t *pump_begin(struct pump *pump, uint32_t conn, uint32_t size, uint32_t *msgid_out);

/* Send the size bytes written, with the next turn. kind must not be 0. */
void pump_end(struct pump *pump, uint32_t conn, uint32_t msgid, uint32_t size,
              struct pump_request request);

/* Write what there is, sleep until something arrives or until_ns, read and hand out replies.
 *
 * Errors (pump->fault tells more):
 *   ERR_CLOSED   a connection was lost.
 *   ERR_INVALID  what came is no reply to anything in flight.
 */
ERR_MUST_USE enum err pump_turn(struct pump *pump, uint64_t until_ns);

/* Turn until nothing is in flight or until_ns has passed. Errors: as pump_turn, ERR_TIMEOUT. */
ERR_MUST_USE enum err pump_drain(struct pump *pump, uint64_t until_ns);

#endif
