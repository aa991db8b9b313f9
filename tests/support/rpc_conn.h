/* A blocking MessagePack-RPC connection for C tests, on plain sockets and msgpack-c.
 *
 * It shares no code with the project's own codec and client, so that it can judge them.
 * One thread per connection. Any fault of the wire ends the process with a line on stderr:
 * a test has nothing better to do. */
#ifndef TESTS_RPC_CONN_H
#define TESTS_RPC_CONN_H

#include <msgpack.h>
#include <stdbool.h>
#include <stdint.h>

/* Requests that may be outstanding at once: the size of the reply table. */
#define RPC_BATCH_MAX 256u

/* One reply; its objects live in `zone` until the next rpc_conn_exchange. */
struct rpc_reply {
    msgpack_unpacked unpacked; /* owner of the objects below */
    const msgpack_object *error;
    const msgpack_object *result;
    bool is_there;
};

struct rpc_conn {
    int fd;
    uint32_t count; /* requests in the batch that is being built */
    uint32_t first; /* msgid of the batch's first request */
    msgpack_sbuffer out;
    msgpack_packer packer;
    msgpack_unpacker unpacker;
    struct rpc_reply replies[RPC_BATCH_MAX];
};

/* Connect to host:port; the caller's memory. Close takes what init made. */
void rpc_conn_init(struct rpc_conn *conn, const char *host, const char *port);
void rpc_conn_close(struct rpc_conn *conn);

/* Begin one request with a map of `fields` entries; the caller packs them into conn->packer. */
void rpc_conn_request(struct rpc_conn *conn, const char *method, uint32_t fields);

/* Pack one entry of that map. */
void rpc_conn_text(struct rpc_conn *conn, const char *key, const char *value);
void rpc_conn_int(struct rpc_conn *conn, const char *key, int64_t value);
void rpc_conn_real(struct rpc_conn *conn, const char *key, double value);
void rpc_conn_key(struct rpc_conn *conn, const char *key);

/* Send the batch and wait until each of its requests has its reply; the replies stand in
 * conn->replies in request order, whatever order they came in. */
void rpc_conn_exchange(struct rpc_conn *conn);

/* One request alone: exchange and give its result; an error ends the process. Not for a server
 * under load, which may answer OVERLOADED. */
const msgpack_object *rpc_conn_call(struct rpc_conn *conn);

/* Look-ups in a reply; rpc_find gives NULL where the key is not there. */
const msgpack_object *rpc_find(const msgpack_object *map, const char *key);
bool rpc_is_text(const msgpack_object *object, const char *text);
bool rpc_is_overloaded(const msgpack_object *error);
int64_t rpc_int_at(const msgpack_object *map, const char *key);

/* Say what is wrong with an object and end the process. */
_Noreturn void rpc_die(const char *what, const msgpack_object *object);

#endif
