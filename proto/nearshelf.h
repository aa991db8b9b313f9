/* libnearshelf: the C client of a Nearshelf engine.
 *
 * One client is one connection and belongs to one thread. It is used in one of three ways:
 * blocking (nearshelf_call), blocking and pipelined (nearshelf_send, nearshelf_receive), or
 * driven by a libuv loop of the caller (nearshelf_attach, nearshelf_call_async).
 *
 * A lost connection is made again, and calls that were under way are sent again, the same
 * bytes, where that cannot do anything twice: reads, changes keyed by their own id or by a
 * `key` field, and changes that state a goal (a put, a status, a cancel) as long as no later
 * change of this client was answered. Any other change that was under way ends with
 * NEARSHELF_UNKNOWN: it may or may not have happened. */
#ifndef NEARSHELF_H
#define NEARSHELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NEARSHELF_API __attribute__((visibility("default")))

#define NEARSHELF_VERSION_MAJOR 0
#define NEARSHELF_VERSION_MINOR 1
#define NEARSHELF_VERSION_PATCH 0

#define NEARSHELF_PORT_DEFAULT 7420
#define NEARSHELF_REQUEST_SIZE_MAX (1024 * 1024)    /* bytes of one request: the engine's limit */
#define NEARSHELF_REPLY_SIZE_MAX (16 * 1024 * 1024) /* bytes of one reply; above: TOO_LARGE */
#define NEARSHELF_TIMEOUT_NONE UINT32_MAX           /* as a timeout: wait for ever */

struct uv_loop_s;
struct nearshelf;        /* a client */
struct nearshelf_params; /* the parameters of a call, being built */
struct nearshelf_reply;  /* how one call ended */
struct nearshelf_value;  /* a value inside a reply, read only */

/* How a call ended. Later versions may add values at the end. */
enum nearshelf_error {
    NEARSHELF_OK = 0,
    NEARSHELF_SERVER,      /* the engine answered with an error: see kind, code and text */
    NEARSHELF_TIMEOUT,     /* no answer in time */
    NEARSHELF_UNKNOWN,     /* connection lost: the change may or may not have happened */
    NEARSHELF_UNREACHABLE, /* no connection to be had; nothing was sent */
    NEARSHELF_TOO_LARGE,   /* request over 1 MiB, or reply over 16 MiB */
    NEARSHELF_PROTOCOL,    /* what came back is not MessagePack-RPC */
    NEARSHELF_ARGUMENT,    /* the caller's arguments or parameters are malformed */
    NEARSHELF_FULL,        /* in_flight_max calls are outstanding: receive some first */
    NEARSHELF_EMPTY,       /* receive: nothing is outstanding */
    NEARSHELF_CLOSED,      /* the client was closed before the answer came */
    NEARSHELF_MEMORY       /* out of memory */
};

/* Zero it (`= {0}`) and set what differs; 0 always means the default. Fields are only ever
 * added at the end, and `size` tells the library which of them the caller knows. */
struct nearshelf_options {
    size_t size;                 /* sizeof(struct nearshelf_options); 0 = of this version */
    uint32_t timeout_ms;         /* per call, everything included; 5000 */
    uint32_t connect_timeout_ms; /* per attempt to connect; 2000 */
    uint32_t backoff_min_ms;     /* wait before connecting again, at least half of it; 20 */
    uint32_t backoff_max_ms;     /* it doubles up to this; 2000 */
    uint32_t in_flight_max;      /* calls sent or answered but not received; 4096 */
    bool retry_overloaded;       /* OVERLOADED: try again after retry_after_ms, in the timeout */
    bool connect_later;          /* nearshelf_open does not wait for the first connection */
    uint64_t seed;               /* of the jitter; 0 = drawn */
};

/* ---- client ---- */

/* "0.1.0", of the library that is linked. Any thread. */
NEARSHELF_API const char *nearshelf_version(void);

/* Text for people, never NULL, static. Any thread. */
NEARSHELF_API const char *nearshelf_error_text(enum nearshelf_error error);

/* Connect to address: "host:port", "host", "[v6]:port" or "unix:/path". For blocking use.
 *
 * options may be NULL; both are copied. *client_out is the caller's, ended by
 * nearshelf_close, and NULL on every error.
 *
 * Errors:
 *   NEARSHELF_ARGUMENT     the address cannot be read.
 *   NEARSHELF_UNREACHABLE  nobody answers there (not with connect_later).
 *   NEARSHELF_MEMORY
 */
NEARSHELF_API enum nearshelf_error nearshelf_open(const char *address,
                                                  const struct nearshelf_options *options,
                                                  struct nearshelf **client_out);

/* Try once to connect, where there is no connection: after nearshelf_open with connect_later,
 * for a program that wants to say why (nearshelf_connect_text). Errors:
 * NEARSHELF_UNREACHABLE; NEARSHELF_ARGUMENT for an attached client. */
NEARSHELF_API enum nearshelf_error nearshelf_connect(struct nearshelf *client);

/* A client driven by loop, which must outlive it and be run by the caller. It connects on its
 * own when the first call is made, and a connection keeps the loop alive until nearshelf_close.
 * Errors: NEARSHELF_ARGUMENT, NEARSHELF_MEMORY. */
NEARSHELF_API enum nearshelf_error nearshelf_attach(struct uv_loop_s *loop, const char *address,
                                                    const struct nearshelf_options *options,
                                                    struct nearshelf **client_out);

/* Close and free. NULL is fine. Outstanding asynchronous calls end with NEARSHELF_CLOSED
 * before this returns. With nearshelf_attach, run the loop until it has nothing to do (or
 * until done ran, which may be NULL) before it is closed. Not to be used after this. */
typedef void nearshelf_closed(void *user);
NEARSHELF_API void nearshelf_close(struct nearshelf *client);
NEARSHELF_API void nearshelf_close_then(struct nearshelf *client, nearshelf_closed *done,
                                        void *user);

/* Timeout of the calls made from now on; NEARSHELF_TIMEOUT_NONE for none. */
NEARSHELF_API void nearshelf_timeout_set(struct nearshelf *client, uint32_t timeout_ms);

/* Why the last attempt to connect failed, or "". Valid until the next call of this client. */
NEARSHELF_API const char *nearshelf_connect_text(const struct nearshelf *client);

/* What happened so far; for logs and tests. size is sizeof(*counters_out). */
struct nearshelf_counters {
    uint64_t connects;    /* connections made */
    uint64_t losses;      /* connections lost */
    uint64_t calls;       /* calls accepted */
    uint64_t resends;     /* calls sent again after a loss */
    uint64_t overloads;   /* calls sent again after OVERLOADED */
    uint64_t unmatched;   /* answers to no outstanding call (late ones), dropped */
    uint64_t unsolicited; /* requests and notifications from the other side, dropped */
};
NEARSHELF_API void nearshelf_counters_get(const struct nearshelf *client,
                                          struct nearshelf_counters *counters_out, size_t size);

/* ---- calls ---- */

/* Call and wait for the answer. params may be NULL (no parameters) and stays the caller's.
 *
 * *reply_out is set on every return but NEARSHELF_ARGUMENT, _FULL and _MEMORY (then NULL), so
 * that code and text of a failure can be read; the caller frees it. The return value is
 * nearshelf_reply_error of it. A refusal of the business is a result, not an error. */
NEARSHELF_API enum nearshelf_error nearshelf_call(struct nearshelf *client, const char *method,
                                                  const struct nearshelf_params *params,
                                                  struct nearshelf_reply **reply_out);

/* Queue a call and return at once. Its bytes leave with the next nearshelf_flush or
 * nearshelf_receive; effects happen in the order of sending. *id_out (may be NULL) is what
 * nearshelf_reply_id of its answer gives. Errors: NEARSHELF_ARGUMENT, _TOO_LARGE, _FULL,
 * _MEMORY. */
NEARSHELF_API enum nearshelf_error nearshelf_send(struct nearshelf *client, const char *method,
                                                  const struct nearshelf_params *params,
                                                  uint32_t *id_out);

/* Send what the kernel takes without waiting. */
NEARSHELF_API void nearshelf_flush(struct nearshelf *client);

/* Wait for the next call to end, in whatever order they end. The caller frees *reply_out.
 * Returns how the call ended, or NEARSHELF_EMPTY (*reply_out is NULL then). */
NEARSHELF_API enum nearshelf_error nearshelf_receive(struct nearshelf *client,
                                                     struct nearshelf_reply **reply_out);

/* The same for the call with this id; others are kept for later. NEARSHELF_EMPTY: no such
 * call is outstanding. */
NEARSHELF_API enum nearshelf_error nearshelf_receive_id(struct nearshelf *client, uint32_t id,
                                                        struct nearshelf_reply **reply_out);

/* Calls sent and not yet received. */
NEARSHELF_API uint32_t nearshelf_outstanding(const struct nearshelf *client);

/* Runs on the loop's thread, once for each accepted call, never before nearshelf_call_async
 * returned. reply is valid until it returns. It may make calls and close the client. */
typedef void nearshelf_done(const struct nearshelf_reply *reply, void *user);

/* Queue a call of an attached client. params stays the caller's. Errors (done never runs):
 * as nearshelf_send. */
NEARSHELF_API enum nearshelf_error nearshelf_call_async(struct nearshelf *client,
                                                        const char *method,
                                                        const struct nearshelf_params *params,
                                                        nearshelf_done *done, void *user);

/* ---- replies ---- */

NEARSHELF_API void nearshelf_reply_free(struct nearshelf_reply *reply);
NEARSHELF_API enum nearshelf_error nearshelf_reply_error(const struct nearshelf_reply *reply);
NEARSHELF_API uint32_t nearshelf_reply_id(const struct nearshelf_reply *reply);

/* True if the call was a change that may have happened although no answer tells so. */
NEARSHELF_API bool nearshelf_reply_may_have_happened(const struct nearshelf_reply *reply);

/* Of NEARSHELF_SERVER: 1 the caller's fault, 0 the server's (later it may work); else -1. */
NEARSHELF_API int nearshelf_reply_kind(const struct nearshelf_reply *reply);

/* The engine's CODE, or the name of the library's own error ("TIMEOUT"); "" when OK. */
NEARSHELF_API const char *nearshelf_reply_code(const struct nearshelf_reply *reply);

/* What went wrong and what to do, for people; "" when OK. */
NEARSHELF_API const char *nearshelf_reply_text(const struct nearshelf_reply *reply);

/* The result, or NULL unless OK. Values are valid as long as the reply. */
NEARSHELF_API const struct nearshelf_value *
nearshelf_reply_result(const struct nearshelf_reply *reply);

/* ---- values: every reader takes NULL as "absent", so look-ups can be chained ---- */

enum nearshelf_type {
    NEARSHELF_ABSENT,
    NEARSHELF_NIL,
    NEARSHELF_BOOL,
    NEARSHELF_INT, /* fits int64_t */
    NEARSHELF_FLOAT,
    NEARSHELF_TEXT, /* str or bin */
    NEARSHELF_ARRAY,
    NEARSHELF_MAP
};
NEARSHELF_API enum nearshelf_type nearshelf_type(const struct nearshelf_value *value);

/* The value itself, or fallback where it is absent or of another type. A float with an
 * integral value counts as an int, an int as a float. */
NEARSHELF_API bool nearshelf_bool(const struct nearshelf_value *value, bool fallback);
NEARSHELF_API int64_t nearshelf_int(const struct nearshelf_value *value, int64_t fallback);
NEARSHELF_API double nearshelf_float(const struct nearshelf_value *value, double fallback);

/* The bytes, not NUL-terminated, and their number; "" and 0 where it is no text. */
NEARSHELF_API const char *nearshelf_text(const struct nearshelf_value *value, size_t *size_out);

/* True if value is this text. */
NEARSHELF_API bool nearshelf_text_is(const struct nearshelf_value *value, const char *text);

/* Copy the text, NUL-terminated and cut to size - 1 bytes; returns buffer. size >= 1. */
NEARSHELF_API const char *nearshelf_text_copy(const struct nearshelf_value *value, char *buffer,
                                              size_t size);

/* Entries of an array or pairs of a map; 0 for anything else. */
NEARSHELF_API uint32_t nearshelf_count(const struct nearshelf_value *value);

/* Entry of an array, or NULL. */
NEARSHELF_API const struct nearshelf_value *nearshelf_at(const struct nearshelf_value *array,
                                                         uint32_t index);

/* Value of a text key of a map, or NULL. */
NEARSHELF_API const struct nearshelf_value *nearshelf_get(const struct nearshelf_value *map,
                                                          const char *key);

/* Pair of a map: returns the value, or NULL past the end; *key_out (may be NULL) its key. */
NEARSHELF_API const struct nearshelf_value *
nearshelf_pair(const struct nearshelf_value *map, uint32_t index,
               const struct nearshelf_value **key_out);

/* ---- parameters ----
 * A map is open from the start. key names the field inside a map and must be NULL inside an
 * array. Mistakes (a key too many or too few, deeper than 14, out of memory, an end too many)
 * stick: the call that uses the parameters then returns NEARSHELF_ARGUMENT. */

NEARSHELF_API struct nearshelf_params *nearshelf_params_new(void); /* NULL: out of memory */
NEARSHELF_API void nearshelf_params_free(struct nearshelf_params *params);

/* Empty it again, errors too, keeping its memory. */
NEARSHELF_API void nearshelf_params_clear(struct nearshelf_params *params);

NEARSHELF_API void nearshelf_params_nil(struct nearshelf_params *params, const char *key);
NEARSHELF_API void nearshelf_params_bool(struct nearshelf_params *params, const char *key,
                                         bool value);
NEARSHELF_API void nearshelf_params_int(struct nearshelf_params *params, const char *key,
                                        int64_t value);
NEARSHELF_API void nearshelf_params_float(struct nearshelf_params *params, const char *key,
                                          double value);
NEARSHELF_API void nearshelf_params_text(struct nearshelf_params *params, const char *key,
                                         const char *text);
NEARSHELF_API void nearshelf_params_text_n(struct nearshelf_params *params, const char *key,
                                           const char *text, size_t size);

/* Open a map or an array; what follows goes into it until nearshelf_params_end. */
NEARSHELF_API void nearshelf_params_map(struct nearshelf_params *params, const char *key);
NEARSHELF_API void nearshelf_params_array(struct nearshelf_params *params, const char *key);
NEARSHELF_API void nearshelf_params_end(struct nearshelf_params *params);

/* Make the whole parameters of ready MessagePack: one map. Replaces what was there. */
NEARSHELF_API void nearshelf_params_bytes(struct nearshelf_params *params, const void *map,
                                          size_t size);

/* Bytes written so far: to keep a request under NEARSHELF_REQUEST_SIZE_MAX. */
NEARSHELF_API size_t nearshelf_params_size(const struct nearshelf_params *params);

#ifdef __cplusplus
}
#endif

#endif
