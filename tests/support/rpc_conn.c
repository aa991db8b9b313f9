/* A blocking MessagePack-RPC connection for C tests: see the header. */
#include "rpc_conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_SIZE 65536u

_Noreturn void rpc_die(const char *what, const msgpack_object *object)
{
    flockfile(stderr);
    fprintf(stderr, "%s", what);
    if (object != NULL) {
        fprintf(stderr, ": ");
        msgpack_object_print(stderr, *object);
    }
    fprintf(stderr, "\n");
    funlockfile(stderr);
    _exit(1);
}

void rpc_conn_init(struct rpc_conn *conn, const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int one = 1;
    memset(conn, 0, sizeof *conn);
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        rpc_die("cannot connect", NULL);
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    msgpack_sbuffer_init(&conn->out);
    msgpack_packer_init(&conn->packer, &conn->out, msgpack_sbuffer_write);
    if (!msgpack_unpacker_init(&conn->unpacker, READ_SIZE)) {
        rpc_die("no memory", NULL);
    }
    for (uint32_t i = 0; i < RPC_BATCH_MAX; i++) {
        msgpack_unpacked_init(&conn->replies[i].unpacked);
    }
}

void rpc_conn_close(struct rpc_conn *conn)
{
    for (uint32_t i = 0; i < RPC_BATCH_MAX; i++) {
        msgpack_unpacked_destroy(&conn->replies[i].unpacked);
    }
    msgpack_unpacker_destroy(&conn->unpacker);
    msgpack_sbuffer_destroy(&conn->out);
    close(conn->fd);
}

static void pack_text(struct rpc_conn *conn, const char *text)
{
    msgpack_pack_str(&conn->packer, strlen(text));
    msgpack_pack_str_body(&conn->packer, text, strlen(text));
}

void rpc_conn_request(struct rpc_conn *conn, const char *method, uint32_t fields)
{
    if (conn->count == RPC_BATCH_MAX) {
        rpc_die("more requests than a batch holds", NULL);
    }
    msgpack_pack_array(&conn->packer, 4);
    msgpack_pack_int(&conn->packer, 0);
    msgpack_pack_uint32(&conn->packer, conn->first + conn->count);
    pack_text(conn, method);
    msgpack_pack_array(&conn->packer, 1);
    msgpack_pack_map(&conn->packer, fields);
    conn->count++;
}

void rpc_conn_key(struct rpc_conn *conn, const char *key)
{
    pack_text(conn, key);
}

void rpc_conn_text(struct rpc_conn *conn, const char *key, const char *value)
{
    pack_text(conn, key);
    pack_text(conn, value);
}

void rpc_conn_int(struct rpc_conn *conn, const char *key, int64_t value)
{
    pack_text(conn, key);
    msgpack_pack_int64(&conn->packer, value);
}

void rpc_conn_real(struct rpc_conn *conn, const char *key, double value)
{
    pack_text(conn, key);
    msgpack_pack_double(&conn->packer, value);
}

static void send_all(struct rpc_conn *conn)
{
    size_t sent = 0;
    while (sent < conn->out.size) {
        ssize_t count = send(conn->fd, conn->out.data + sent, conn->out.size - sent, MSG_NOSIGNAL);
        if (count <= 0) {
            rpc_die("the server closed the connection", NULL);
        }
        sent += (size_t)count;
    }
    msgpack_sbuffer_clear(&conn->out);
}

static void read_more(struct rpc_conn *conn)
{
    if (!msgpack_unpacker_reserve_buffer(&conn->unpacker, READ_SIZE)) {
        rpc_die("no memory", NULL);
    }
    ssize_t count = recv(conn->fd, msgpack_unpacker_buffer(&conn->unpacker), READ_SIZE, 0);
    if (count <= 0) {
        rpc_die("the server closed the connection", NULL);
    }
    msgpack_unpacker_buffer_consumed(&conn->unpacker, (size_t)count);
}

/* Put one message into the slot of its msgid. */
static void file_reply(struct rpc_conn *conn, msgpack_unpacked *unpacked)
{
    const msgpack_object *message = &unpacked->data;
    if (message->type != MSGPACK_OBJECT_ARRAY || message->via.array.size != 4 ||
        message->via.array.ptr[0].via.u64 != 1 ||
        message->via.array.ptr[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER) {
        rpc_die("not a response", message);
    }
    uint64_t at = message->via.array.ptr[1].via.u64 - conn->first;
    if (at >= conn->count || conn->replies[at].is_there) {
        rpc_die("a response that nobody waits for", message);
    }
    struct rpc_reply *reply = &conn->replies[at];
    msgpack_unpacked_destroy(&reply->unpacked);
    reply->unpacked = *unpacked;
    reply->error = &reply->unpacked.data.via.array.ptr[2];
    reply->result = &reply->unpacked.data.via.array.ptr[3];
    reply->is_there = true;
}

void rpc_conn_exchange(struct rpc_conn *conn)
{
    uint32_t have = 0;
    for (uint32_t i = 0; i < conn->count; i++) {
        conn->replies[i].is_there = false;
    }
    send_all(conn);
    while (have < conn->count) {
        msgpack_unpacked unpacked;
        msgpack_unpacked_init(&unpacked);
        msgpack_unpack_return got = msgpack_unpacker_next(&conn->unpacker, &unpacked);
        if (got == MSGPACK_UNPACK_SUCCESS) {
            file_reply(conn, &unpacked);
            have++;
        } else if (got == MSGPACK_UNPACK_CONTINUE) {
            read_more(conn);
        } else {
            rpc_die("a reply that is not MessagePack", NULL);
        }
    }
    conn->first += conn->count;
    conn->count = 0;
}

const msgpack_object *rpc_conn_call(struct rpc_conn *conn)
{
    rpc_conn_exchange(conn);
    if (conn->replies[0].error->type != MSGPACK_OBJECT_NIL) {
        rpc_die("an error", conn->replies[0].error);
    }
    return conn->replies[0].result;
}

bool rpc_is_text(const msgpack_object *object, const char *text)
{
    return object != NULL && object->type == MSGPACK_OBJECT_STR &&
           object->via.str.size == strlen(text) &&
           memcmp(object->via.str.ptr, text, object->via.str.size) == 0;
}

const msgpack_object *rpc_find(const msgpack_object *map, const char *key)
{
    if (map->type != MSGPACK_OBJECT_MAP) {
        rpc_die("not a map", map);
    }
    for (uint32_t i = 0; i < map->via.map.size; i++) {
        if (rpc_is_text(&map->via.map.ptr[i].key, key)) {
            return &map->via.map.ptr[i].val;
        }
    }
    return NULL;
}

bool rpc_is_overloaded(const msgpack_object *error)
{
    static const char code[] = "OVERLOADED";
    if (error->type != MSGPACK_OBJECT_ARRAY || error->via.array.size != 2) {
        rpc_die("an error that is not [kind, text]", error);
    }
    const msgpack_object *text = &error->via.array.ptr[1];
    return text->type == MSGPACK_OBJECT_STR && text->via.str.size >= sizeof code - 1 &&
           memcmp(text->via.str.ptr, code, sizeof code - 1) == 0;
}

int64_t rpc_int_at(const msgpack_object *map, const char *key)
{
    const msgpack_object *value = rpc_find(map, key);
    if (value == NULL || (value->type != MSGPACK_OBJECT_POSITIVE_INTEGER &&
                          value->type != MSGPACK_OBJECT_NEGATIVE_INTEGER)) {
        rpc_die(key, map);
    }
    return value->via.i64;
}
