/* What the files of engine/net share: the two structs and the calls between the files. */
#ifndef NET_INTERNAL_H
#define NET_INTERNAL_H

#include "net.h"
#include "net_buffer.h"

enum { NET_MAGIC = 0x6e657431, CONN_MAGIC = 0x636f6e31 };

/* A place in a ring with a head; next is NULL while in none. */
struct net_link {
    struct net_link *prev, *next;
};

#define CONN_OF(link_at, member)                                                                   \
    ((struct net_conn *)(void *)((char *)(link_at)-offsetof(struct net_conn, member)))

/* Life of a connection: OPEN -> ENDING -> LINGERING -> CLOSING, any step may be left out.
 *   OPEN       frames are taken
 *   ENDING     no frame is taken any more; owed replies are awaited and sent
 *   LINGERING  our end is sent; the peer's bytes are thrown away until its end comes, because
 *              closing over unread bytes resets the connection and would destroy our last words
 *   CLOSING    uv_close was called; nothing is read or sent */
enum conn_state { CONN_OPEN, CONN_ENDING, CONN_LINGERING, CONN_CLOSING };

/* Replies up to a stream position, releasable together. */
struct conn_mark {
    uint64_t end; /* stream position behind the last byte */
    uint64_t lsn;
    uint32_t count; /* replies */
};

/* One client. Owned by its net; freed when its handle is closed and no request is unfinished. */
struct net_conn {
    uint32_t magic;
    enum conn_state state;
    bool is_sniffed;      /* the first byte was that of an RPC frame */
    bool is_input_over;   /* nothing more will be read; what is complete is still taken */
    bool is_peer_ended;   /* the peer sent its end */
    bool is_parked;       /* waits for credit: not read, not taken from */
    bool is_read_stopped; /* uv_read_stop was called */
    bool is_started;      /* counted and served, not refused at the door */
    bool is_closed;       /* the handle is closed */
    bool is_held;         /* the service wants no more of it for now */
    bool is_used_up;      /* ENDING because all that was read is taken, not for a fault */
    bool is_put_back;     /* its next frames were given back: their wait was for its own replies */
    bool is_spare;        /* there was no memory for one: refused, and kept for the next time */
    struct net *net;
    uint64_t id;
    void *tag;
    struct net_link all;
    struct net_link ready;   /* may hold a complete frame */
    struct net_link turn;    /* has bytes in the arena, or gave frames, this turn */
    struct net_link flush;   /* has output that was releasable when it was made */
    struct net_link waiting; /* has output that was not */
    struct net_link parked;
    struct net_link timed; /* has a deadline */
    uint64_t deadline_ms;  /* of the blocked output, or of lingering */

    /* -- input: either [own_start, own_end) of own, or arena bytes of this turn, never both -- */
    const uint8_t *turn_at;
    uint32_t turn_size;
    uint32_t turn_read; /* bytes read in this turn */
    struct net_buffer own;
    uint32_t own_start, own_end;
    uint64_t read_ns;
    struct frame_scan scan; /* of the frame at the front of the input */
    const uint8_t *given_back; /* first frame of the running batch that was; NULL = none */

    /* -- output: [out_start, out_released) may leave, up to out_end is written -- */
    struct net_buffer out;
    uint32_t out_start, out_released, out_end;
    uint32_t out_reserved;     /* of the open reservation */
    uint32_t out_hint;         /* size that out had lately: taken at once next time */
    uint64_t out_base;         /* stream position of out.at[0] */
    struct net_buffer sending; /* handed to libuv because the socket was full */
    uint32_t sending_size;
    struct net_buffer marks; /* of struct conn_mark: [marks_start, marks_end) */
    uint32_t marks_start, marks_end;

    uint32_t inflight;   /* taken and reply not released */
    uint32_t unfinished; /* taken and not answered by the service */
    uint32_t reply_peak; /* bytes of a large reply of late: what one more may cost */

    union {
        uv_write_t write;
        uv_shutdown_t shutdown; /* only after the last write */
    } req;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
};

_Static_assert(sizeof(struct net_conn) <= 1100, "an idle connection stays about 1 KiB");

struct net_listener {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } socket;
    struct net *net;
    bool is_pipe;
    bool is_waiting; /* libuv holds a connection back that there was no memory to take */
    char text[128];
};

/* Kinds of log lines that a client can cause: each at most once a second. */
enum net_gate {
    NET_GATE_REFUSED,
    NET_GATE_FOREIGN,
    NET_GATE_BAD,
    NET_GATE_LARGE,
    NET_GATE_SLOW,
    NET_GATE_NOMEM,
    NET_GATE_COUNT
};

struct net {
    uint32_t magic;
    struct net_options options; /* defaults filled in; listen is not kept */
    struct frame_limits limits;
    uint32_t conns_wanted;
    net_batch_cb *batch;
    net_done_cb *done;
    void *owner;
    uint32_t handles;    /* open uv handles: done runs at 0 */
    uint32_t conns_open; /* those of connections among them */
    bool is_stopped;     /* global backpressure */
    bool is_suspended;   /* the owner is in the middle of something */
    bool is_turn_open;   /* frames of its batch are in use */
    bool is_draining;    /* no accepting, no reading */
    bool is_failed;      /* nothing leaves */
    bool is_idle_active;
    bool is_timer_active;
    bool is_ending; /* the last connection is gone and the loop handles are being closed */
    bool is_done_told;
    bool has_given_back; /* some connection has, in the running batch */
    bool is_open_failed; /* net_open gave an error: frees itself with the last handle */

    struct net_listener listeners[NET_LISTEN_MAX];
    uint32_t listeners_count;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;

    struct net_conn *spare; /* to refuse with when there is no memory for one; NULL: in use */
    struct net_link all, ready, turn, flush, waiting, parked, timed;
    struct net_link dead; /* freed when the turn is over, by their link all */
    uint64_t next_id;
    uint64_t durable_lsn;
    struct net_pool pool;
    uint8_t *arena;
    uint32_t arena_used;
    uint32_t read_max; /* bytes of one connection that a turn reads; net_pace.c */
    struct net_request *requests; /* batch_max of them */
    uint8_t *discard;             /* where a lingering peer's bytes go */
    uint64_t gate_next_ms[NET_GATE_COUNT];
    uint64_t gate_silent[NET_GATE_COUNT];
    struct net_stats stats;
};

struct net_conn *conn_from(const uv_handle_t *handle);

enum { TURN_READ_MAX = 256 << 10 }; /* read_max at most */

/* -- net_pace.c -- */

/* A turn that began at begin_ns handed count frames over, late of them read over delay_ns ago. */
void net_pace(struct net *net, uint64_t begin_ns, uint32_t count, uint32_t late);

/* -- net_link.c -- */
void net_link_init(struct net_link *head);
bool net_link_is_empty(const struct net_link *head);
void net_link_add(struct net_link *head, struct net_link *link); /* last; no-op if in a ring */
void net_link_take(struct net_link *link);                       /* no-op if in none */

/* -- net.c -- */
/* Keep the loop turning while frames are left over, else let it sleep in the kernel. */
void net_idle_set(struct net *net);
void net_handle_closed(struct net *net);
/* If draining and the last connection is gone: close the rest. */
void net_end_check(struct net *net);
/* Start the timer for deadlines if it does not run. */
void net_timer_need(struct net *net);

/* -- net_listen.c -- */
enum err net_listen_open(struct net *net, const char *address, char *error, size_t error_size);
/* Take the connections that libuv held back while there was no memory to refuse them with. */
void net_listen_again(struct net *net);
/* Close all listeners and remove socket files. */
void net_listen_close(struct net *net);
/* Raise NOFILE for conns_max connections, else lower conns_max. */
void net_files_fit(struct net *net);

/* -- net_conn.c -- */
/* Without memory it is the spare one (is_spare), only to be accepted and closed; NULL: in use. */
struct net_conn *conn_new(struct net *net, bool is_pipe);
/* Serve an accepted connection. */
void conn_start(struct net_conn *conn);
/* Free those that went while the frames of the turn were in use. */
void conns_bury(struct net *net);
/* Close at once; buffers stay until the close callback. */
void conn_close(struct net_conn *conn);
/* Take no more frames; close after what is owed was sent. */
void conn_end(struct net_conn *conn);
/* Nothing more is read; complete frames at hand are still taken. */
void conn_input_over(struct net_conn *conn);
/* If ENDING and nothing is owed any more: linger or close. */
void conn_finish_check(struct net_conn *conn);
/* How many more frames may be taken now. */
uint32_t conn_credit(const struct net_conn *conn);
/* Go on when there is credit again. */
void conn_wake(struct net_conn *conn);
void conn_park(struct net_conn *conn);
/* Close it for want of buffer memory, and say so. */
void conn_nomem(struct net_conn *conn);
void conn_deadline_set(struct net_conn *conn, uint32_t in_ms);
void conn_deadline_clear(struct net_conn *conn);
/* Log line with peer, at most one a second per gate. conn may be NULL. */
void net_warn(struct net *net, enum net_gate gate, const char *event, const struct net_conn *conn,
              const char *why);

/* -- net_read.c -- */
void conn_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf);
void conn_on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);
uint32_t conn_input_size(const struct net_conn *conn);
void conn_ready_add(struct net_conn *conn);
/* Bring the arena's rest into the connections' own buffers; the arena is empty afterwards. */
void net_turn_settle(struct net *net);

/* -- net_take.c -- */
/* The batch is over: what it gave back, sent and left. */
void net_turn_end(struct net *net);
void net_on_check(uv_check_t *check);

/* -- net_write.c -- */
uint32_t conn_output_size(const struct net_conn *conn);
/* Send what is releasable. May close conn. */
void conn_send(struct net_conn *conn);
/* Write bytes of net's own (no request's reply), in order behind the replies. */
void conn_say(struct net_conn *conn, const uint8_t *bytes, uint32_t size);
/* Give back all output; the handle is closed. */
void conn_output_drop(struct net_conn *conn);

/* -- net_sniff.c -- */
enum sniff { SNIFF_RPC, SNIFF_MORE, SNIFF_HTTP, SNIFF_RESP, SNIFF_TLS, SNIFF_OTHER };
enum sniff net_sniff(const uint8_t *bytes, uint32_t size);
/* Msgid of an incomplete request frame. False if it is not in there. */
bool net_msgid_peek(const uint8_t *bytes, uint32_t size, uint32_t *msgid);

#endif
