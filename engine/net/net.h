/* Connections: sockets, frames in, replies out, all on one libuv loop.
 *
 * Knows nothing of orders or of the log. Complete frames are handed over in batches; replies
 * are written into a connection's output buffer and leave when their log position (LSN) is
 * durable. Everything here runs on the loop's thread. */
#ifndef NET_H
#define NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "err.h"
#include "frame.h" /* of proto: struct frame_head */

struct net;
struct net_conn;

/* One complete frame: a request or a notification. frame and head point into net's buffers and
 * live until the batch callback returns, longer after net_suspend. conn lives until the request is
 * finished. */
struct net_request {
    struct net_conn *conn;
    const uint8_t *frame;
    uint32_t size;          /* bytes at frame */
    uint64_t read_ns;       /* uv_hrtime of the read that completed it */
    struct frame_head head; /* already read from frame; type is FRAME_REQUEST or FRAME_NOTIFY */
};

/* Up to batch_max frames, in order per connection, at most one call per turn of the loop. Each
 * of them, notifications too, is finished exactly once, now or later, by net_reply_end, by
 * net_conn_done, or by a net_reply_begin that gives NULL. net_flush runs after the callback. */
typedef void net_batch_cb(void *owner, struct net_request *requests, uint32_t count);

/* Ask before each request of a batch, in order. False: the replies to earlier ones fill half of
 * its connection's output_hard; this one and all behind it of the connection are given back, are
 * not to be finished, and come again in a later batch. head: the one in the request. */
bool net_may_answer(struct net_conn *conn, const struct frame_head *head);

/* A connection is gone and has no unfinished request: the last chance to look at its tag. Runs
 * from the loop or from within the net_conn_done or net_reply_begin of its last request. */
typedef void net_closed_cb(void *owner, struct net_conn *conn);

/* Give the request and all behind it of its connection back, whatever there is room for: the
 * batch cannot take it now. As after a net_may_answer that said no. */
void net_give_back(struct net_conn *conn, const struct frame_head *head);

typedef void net_done_cb(void *owner);

/* An accepted socket, for another net to adopt: the callee's to close. False: not wanted, net
 * closes it and counts it as refused. */
typedef bool net_accepted_cb(void *owner, int fd, bool is_pipe);

/* 0 or NULL stands for the default in brackets. Sizes are bytes. */
struct net_options {
    uv_loop_t *loop;             /* borrowed until net_free */
    const char *const *listen;   /* HOST:PORT, [HOST]:PORT or unix:PATH; read by net_open only */
    uint32_t listen_count;       /* to NET_LISTEN_MAX; 0: connections come by net_adopt alone */
    uint32_t conns_max;          /* [10000] lowered when NOFILE does not allow it: net_limits */
    uint32_t inflight_max;       /* [16384] requests of a connection whose reply has not left */
    uint32_t frame_size_max;     /* [1 MiB] */
    uint32_t depth_max;          /* [16] */
    uint32_t output_soft;        /* [256 KiB] waiting output above which a connection is not read */
    uint32_t output_hard;        /* [8 MiB] above which it is cut */
    uint32_t output_patience_ms; /* [10000] a blocked output not taken whole by then is cut */
    uint32_t linger_ms;          /* [500] wait for the peer's end after our last byte */
    uint32_t batch_max;          /* [4096] frames per batch */
    uint32_t arena_size;         /* [2 MiB] input of one turn, all connections together */
    uint64_t buffers_max;        /* [1 GiB] buffers of all connections together */
    uint64_t delay_ns;           /* [0: never] less is read while turns or frames take longer */
    net_closed_cb *closed;       /* may be NULL */
    net_accepted_cb *accepted;   /* NULL: connections are served here */
};

enum { NET_LISTEN_MAX = 16 };

/* What really holds after net_open. */
struct net_limits {
    uint32_t conns_max;
    uint32_t conns_wanted; /* > conns_max: the system's file limit lowered it */
    uint32_t inflight_max;
    uint32_t frame_size_max;
    uint32_t depth_max;
    uint32_t output_soft;
    uint32_t output_hard;
    uint32_t batch_max;
    uint64_t memory_max; /* bytes: arena, buffers and connections at their limits */
};

/* Counters since net_open, but for conns and buffer_bytes, which are of now. */
struct net_stats {
    uint64_t conns;
    uint64_t conns_total;   /* accepted and kept */
    uint64_t conns_refused; /* over conns_max */
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t reads;
    uint64_t writes;
    uint64_t batches;
    uint64_t frames; /* handed over, notifications too */
    uint64_t notifications;
    uint64_t responses_ignored; /* frames of type 1 */
    uint64_t frames_bad;        /* not MessagePack-RPC: the connection was closed */
    uint64_t frames_too_large;  /* over the size or the depth */
    uint64_t foreign;           /* HTTP, RESP, TLS and other first bytes */
    uint64_t slow_cut;          /* readers that did not take their replies */
    uint64_t nomem_cut;         /* connections cut because buffers_max was reached */
    uint64_t pauses;            /* times that a connection was not read for a while */
    uint64_t read_max;          /* bytes of a connection that a turn reads now (net_pace.c) */
    uint64_t buffer_bytes;      /* held by connections and pool */
};

/* Listen and serve. error gets one line for people when it fails; then the loop has to turn
 * once more before it is closed, so that half-opened handles can end.
 *
 * Errors:
 *   ERR_INVALID  an address that cannot be read, or a path that is no socket
 *   ERR_ACCESS   an address that is not loopback, or the system's permission
 *   ERR_INUSE    somebody listens there
 *   ERR_NOMEM, ERR_SYS
 */
ERR_MUST_USE enum err net_open(const struct net_options *options, net_batch_cb *batch, void *owner,
                               struct net **out, char *error, size_t error_size);

/* Whether address could be listened on, as far as its text tells: ERR_INVALID or ERR_ACCESS with
 * a line for people as of net_open. */
ERR_MUST_USE enum err net_address_check(const char *address, char *error, size_t error_size);

/* Where it listens, port 0 resolved: "127.0.0.1:7420", "[::1]:7420", "unix:/run/x". The text
 * belongs to net. */
uint32_t net_listen_count(const struct net *net);
const char *net_listen_text(const struct net *net, uint32_t i);

/* Serve a socket that another net accepted; fd is net's from now on, also on failure. The
 * connection, or NULL: refused (conns_max, memory) or draining, and fd is closed. */
struct net_conn *net_adopt(struct net *net, int fd, bool is_pipe);

void net_limits(const struct net *net, struct net_limits *out);
void net_stats(const struct net *net, struct net_stats *out);

/* Reserve room for the reply to one unfinished request of conn. At most one reservation is open
 * at a time, and nothing else of net is called before net_reply_end. NULL: the connection is
 * going; the request counts as finished and there is nothing more to do. */
uint8_t *net_reply_begin(struct net_conn *conn, uint32_t size_max);

/* The reply has size bytes (at most those reserved; 0 sends nothing but finishes the request)
 * and may leave once release_lsn is durable. A release_lsn below that of an earlier reply of
 * the connection waits for that one: bytes leave in order. */
void net_reply_end(struct net_conn *conn, uint32_t size, uint64_t release_lsn);

/* One request of conn is finished without a reply. */
void net_conn_done(struct net_conn *conn);

/* Send everything up to durable_lsn, one gathered write per connection. A lower value than
 * before changes nothing. Starts at 0: after recovery, tell the recovered LSN first. */
void net_release(struct net *net, uint64_t durable_lsn);

/* Send replies that were releasable when they ended. Runs by itself after each batch; to be
 * called after replies that were made outside of one. */
void net_flush(struct net *net);

/* Global backpressure: no connection is read and no batch is made in between. */
void net_stop_reading(struct net *net);
void net_start_reading(struct net *net);

/* The running batch, or other work of the owner's, is not over: no batch is made and nothing is
 * read until it is; replies leave, timers run, connections may go. Called within the batch
 * callback: the batch's frames stay in memory until is_suspended is false again. */
void net_suspend(struct net *net, bool is_suspended);

/* Stop accepting and reading; complete frames already read are still handed over, what is owed
 * is delivered, everything is closed, then done runs (from the loop, never from here). Once. */
void net_drain(struct net *net, net_done_cb *done);

/* After a failed flush: nothing leaves any more, answers to reads included. Output is dropped,
 * everything is closed. net_drain may follow, to learn when that has happened. */
void net_fail(struct net *net);

/* After done only (or on NULL). */
void net_free(struct net *net);

/* Deliver no more frames of conn until held is false again; those of the running batch are out
 * already. It is not read meanwhile, and lives until it is let go. */
void net_conn_hold(struct net_conn *conn, bool held);

/* The service's own mark on a connection; NULL at first. */
void *net_conn_tag(const struct net_conn *conn);
void net_conn_tag_set(struct net_conn *conn, void *tag);

/* The owner given to net_open, for a connection with an unfinished request. Any thread. */
void *net_conn_owner(const struct net_conn *conn);

/* Bytes of replies that have not left. */
uint32_t net_conn_output(const struct net_conn *conn);

/* A number that no other connection of this net has had. */
uint64_t net_conn_id(const struct net_conn *conn);

#endif
