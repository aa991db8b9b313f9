/* What the client library's files share: the client, its calls, its connection.
 *
 * Rules between the files (cited as rule N):
 * 1. A call is in exactly one list: queued, sent, waiting (for OVERLOADED to pass), or done.
 * 2. A call moves from queued to sent when the kernel took its last byte: before that the
 *    server cannot have run it.
 * 3. Callbacks run from client_deliver alone, the last step of every libuv callback, when the
 *    lists are consistent.
 * 4. client_link.c and client_socket.c know bytes, client_call.c knows calls; neither knows
 *    who is waiting. */
#ifndef CLIENT_INTERNAL_H
#define CLIENT_INTERNAL_H

#include <msgpack.h>
#include <uv.h>

#include "frame.h"
#include "nearshelf.h"
#include "rng.h"

#define CLIENT_MAGIC 0x4e534c46u
#define CLIENT_TEXT_MAX 512
#define CLIENT_CODE_MAX 48
#define CLIENT_DEPTH_MAX 14 /* of parameters: the frame and the params array take two of 16 */

/* What a lost connection means for a call of this method. */
enum retry_class {
    RETRY_READ,  /* changes nothing */
    RETRY_KEYED, /* keyed by its own id: safe at any time */
    RETRY_GOAL,  /* states a goal: safe while no later change was answered */
    RETRY_NEVER  /* safe only with a `key` field */
};

/* Class of a method by name; an unknown one is RETRY_NEVER. */
enum retry_class retry_class_of(const char *method);

/* Whether the params map in a request frame has a `key` that is not nil. */
bool retry_has_key(const uint8_t *request, uint32_t size);

struct nearshelf_reply {
    uint32_t id;
    enum nearshelf_error error;
    int kind;
    bool may_have_happened;
    bool is_unpacked;           /* unpacked holds the frame's objects, which point into bytes */
    uint8_t *bytes;             /* the frame, owned; NULL where no answer came */
    const msgpack_object *result; /* inside unpacked */
    msgpack_unpacked unpacked;
    char code[CLIENT_CODE_MAX];
    char text[CLIENT_TEXT_MAX];
};

/* A reply of the library itself, or NULL without memory. */
struct nearshelf_reply *reply_new(uint32_t id, enum nearshelf_error error);

/* Make reply say error; text NULL = the usual one. */
void reply_fail(struct nearshelf_reply *reply, enum nearshelf_error error, const char *text);

/* Make reply, a fresh one, of a complete and scanned response frame. Copies the bytes. */
void reply_parse(struct nearshelf_reply *reply, const uint8_t *frame, uint32_t size);

/* retry_after_ms= in an OVERLOADED reply's text, else a default. */
uint32_t reply_retry_after_ms(const struct nearshelf_reply *reply);

/* The params array of a call: array of one map. False: the builder holds an error. */
bool params_span(const struct nearshelf_params *params, const uint8_t **at_out, size_t *size_out);

/* One call. Owned by the client from acceptance until its reply is given away. */
struct call {
    struct call_list *list;   /* the one it is in (rule 1) */
    struct call *prev, *next; /* in it */
    struct call *chain;       /* in its bucket of the id table */
    uint32_t id;
    uint32_t size;             /* bytes of request */
    uint64_t order;            /* position among all calls of the client */
    uint64_t deadline_ms;      /* loop time; UINT64_MAX = none */
    uint64_t resend_ms;        /* in the waiting list: when to queue it again */
    enum retry_class class;
    bool was_sent;             /* all of it, and not answered with OVERLOADED since */
    bool was_lost;             /* sent, and the connection was lost then */
    nearshelf_done *done;      /* NULL: kept for nearshelf_receive */
    void *user;
    struct nearshelf_reply *reply; /* allocated with the call, so that ending it cannot fail */
    uint8_t request[];
};

struct call_list {
    struct call *head, *tail;
};

enum link_state {
    LINK_DOWN,       /* nothing under way */
    LINK_RESOLVING,  /* waiting for the name */
    LINK_CONNECTING, /* waiting for the socket */
    LINK_UP,
    LINK_BACKOFF /* waiting to try again */
};

/* A socket and its poll handle; freed when libuv lets go of the handle. */
struct link_socket {
    uv_poll_t poll;
    struct nearshelf *client;
    int fd;
};

struct link_address {
    char host[256]; /* or the path of a Unix socket */
    char port[8];
    bool is_unix;
};

/* A client. One thread: its owner's. */
struct nearshelf {
    uint32_t magic;
    uv_loop_t *loop;      /* own_loop, or the caller's */
    uv_loop_t own_loop;
    struct nearshelf_options options;
    struct rng rng;
    struct nearshelf_counters counters;
    bool is_closing;
    uint32_t handles_open; /* timer, prepare, sockets, resolver: freed at 0 while closing */
    nearshelf_closed *closed;
    void *closed_user;
    uv_timer_t timer;     /* next deadline, resend, connect timeout or backoff end */
    uint64_t timer_ms;    /* what it is set to; UINT64_MAX = off */
    uv_prepare_t prepare; /* before the loop sleeps: connect or write what is queued */

    /* -- link -- */
    struct link_address address;
    enum link_state state;
    struct link_socket *socket;      /* of this connection, NULL when down */
    struct link_resolve *resolve;    /* name look-up under way, else NULL */
    struct addrinfo *addresses;      /* what the name gave, owned */
    const struct addrinfo *address_next;
    uint64_t link_deadline_ms;       /* connect timeout or end of backoff */
    uint32_t backoff_ms;
    int poll_events;
    char connect_text[CLIENT_TEXT_MAX];
    uint8_t *input;                  /* received and not yet consumed */
    size_t input_size, input_max;
    struct frame_scan scan;
    uint32_t head_sent;              /* bytes of queued.head that the kernel has */
    bool is_torn;                    /* a half-sent call has ended: the connection must too */

    /* -- calls -- */
    struct call_list queued, sent, waiting, done;
    struct call **table; /* by id, table_mask + 1 buckets */
    uint32_t table_mask;
    uint32_t id_next;
    uint32_t outstanding;            /* in all four lists */
    uint32_t queued_bytes;           /* by nearshelf_send since it last wrote */
    uint64_t order_next;
    uint64_t order_changed; /* order + 1 of the latest call, not a read, that was answered */
};

/* ---- client.c ---- */

/* Set the timer to fire at when_ms (loop time) at the latest. */
void client_wake_at(struct nearshelf *client, uint64_t when_ms);

/* Have the prepare handle look at the queue before the loop sleeps. */
void client_wake_soon(struct nearshelf *client);

/* Run the callbacks of the asynchronous calls in done. May close the client. */
void client_deliver(struct nearshelf *client);

/* One handle less; frees a closing client with the last. */
void client_handle_closed(struct nearshelf *client);

/* ---- client_call.c ---- */

/* Make a call and queue it. Errors as nearshelf_send; *call_out is NULL then. */
enum nearshelf_error call_new(struct nearshelf *client, const char *method,
                              const struct nearshelf_params *params, struct call **call_out);
void call_free(struct call *call);

/* The outstanding call with this id, or NULL. */
struct call *call_find(const struct nearshelf *client, uint32_t id);

/* Free a call that is done; its reply is the caller's. */
struct nearshelf_reply *call_give_away(struct nearshelf *client, struct call *call);

void call_list_push(struct call_list *list, struct call *call);
void call_list_remove(struct call *call);

/* End a call that is not done: it moves to done. text NULL = the usual one. */
void call_finish(struct nearshelf *client, struct call *call, enum nearshelf_error error,
                 const char *text);

/* A response frame came: end its call, or set it waiting. */
void call_on_response(struct nearshelf *client, uint32_t id, const uint8_t *frame, uint32_t size);

/* The connection is gone: queue again what is safe, end the rest. reason as in the call. */
void call_on_loss(struct nearshelf *client, enum nearshelf_error reason, const char *text);

/* A reply over the limit has begun to arrive for this id. */
void call_on_oversize(struct nearshelf *client, uint32_t id);

/* End what is past its deadline, queue what has waited; returns when to look again. */
uint64_t call_on_time(struct nearshelf *client, uint64_t now_ms);

/* End everything with NEARSHELF_CLOSED. */
void call_close_all(struct nearshelf *client);

/* ---- client_link.c ---- */

/* "host:port", "host", "[v6]:port", "unix:/path". False: it is none of them. */
bool link_address_parse(struct link_address *address, const char *text);

/* Bring the connection up, or write, as far as goes without waiting. */
void link_push(struct nearshelf *client);

/* Connect timeout passed or backoff ended. */
void link_on_time(struct nearshelf *client, uint64_t now_ms);

/* Begin to connect, from LINK_DOWN. */
void link_start(struct nearshelf *client);

/* Let go of the socket and of a look-up under way. */
void link_close(struct nearshelf *client);

/* ---- client_socket.c ---- */

/* A non-blocking, close-on-exec socket that is connecting to address; -1 and errno on failure. */
int socket_connect(const struct sockaddr *address, socklen_t size);

/* Begin to receive anew, on a fresh connection. */
void socket_reset(struct nearshelf *client);

/* Send queued calls until the kernel takes no more; finished ones move to sent.
 * 0, or a negative libuv error. */
int socket_write(struct nearshelf *client);

/* Read until the kernel has no more (within a budget) and answer calls. False: the
 * connection must end; *error_out and text say why. */
bool socket_read(struct nearshelf *client, enum nearshelf_error *error_out, char *text,
                 size_t text_size);

#endif
