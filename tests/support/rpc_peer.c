/* The scripted server: plain blocking sockets, msgpack-c for both directions. */
#include "rpc_peer.h"

#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"

#define READ_SIZE 65536

static void pack_json(msgpack_packer *packer, const json_t *json);

static void pack_text(msgpack_packer *packer, const char *text)
{
    msgpack_pack_str(packer, strlen(text));
    msgpack_pack_str_body(packer, text, strlen(text));
}

static void pack_object(msgpack_packer *packer, const json_t *json)
{
    const char *key;
    json_t *value;
    msgpack_pack_map(packer, json_object_size(json));
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        pack_text(packer, key);
        pack_json(packer, value);
    }
}

static void pack_array(msgpack_packer *packer, const json_t *json)
{
    msgpack_pack_array(packer, json_array_size(json));
    for (size_t i = 0; i < json_array_size(json); i++) {
        pack_json(packer, json_array_get(json, i));
    }
}

static void pack_json(msgpack_packer *packer, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        pack_object(packer, json);
        return;
    case JSON_ARRAY:
        pack_array(packer, json);
        return;
    case JSON_STRING:
        pack_text(packer, json_string_value(json));
        return;
    case JSON_INTEGER:
        msgpack_pack_int64(packer, json_integer_value(json));
        return;
    case JSON_REAL:
        msgpack_pack_double(packer, json_real_value(json));
        return;
    case JSON_TRUE:
        msgpack_pack_true(packer);
        return;
    case JSON_FALSE:
        msgpack_pack_false(packer);
        return;
    case JSON_NULL:
        msgpack_pack_nil(packer);
        return;
    }
}

static void pack_head(msgpack_packer *packer, uint32_t msgid)
{
    msgpack_pack_array(packer, 4);
    msgpack_pack_int(packer, 1);
    msgpack_pack_uint32(packer, msgid);
}

char *peer_pack_answer(uint32_t msgid, const char *json, size_t *size_out)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    json_t *result = json_loads(json, JSON_DECODE_ANY, NULL);
    CHECK(result);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_head(&packer, msgid);
    msgpack_pack_nil(&packer);
    pack_json(&packer, result);
    json_decref(result);
    *size_out = buffer.size;
    return msgpack_sbuffer_release(&buffer);
}

void peer_bytes(struct peer *peer, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(peer->connection, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        size -= (size_t)sent;
    }
}

void peer_answer(struct peer *peer, uint32_t msgid, const char *json)
{
    size_t size;
    char *bytes = peer_pack_answer(msgid, json, &size);
    peer_bytes(peer, bytes, size);
    free(bytes);
}

void peer_error(struct peer *peer, uint32_t msgid, int kind, const char *text)
{
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    pack_head(&packer, msgid);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_int(&packer, kind);
    pack_text(&packer, text);
    msgpack_pack_nil(&packer);
    peer_bytes(peer, buffer.data, buffer.size);
    msgpack_sbuffer_destroy(&buffer);
}

static const msgpack_object *find(const struct peer_request *request, const char *key)
{
    const msgpack_object *map = request->params;
    for (uint32_t i = 0; map && i < map->via.map.size; i++) {
        const msgpack_object *name = &map->via.map.ptr[i].key;
        if (name->via.str.size == strlen(key) &&
            memcmp(name->via.str.ptr, key, name->via.str.size) == 0) {
            return &map->via.map.ptr[i].val;
        }
    }
    return NULL;
}

const char *peer_text(const struct peer_request *request, const char *key, char *buffer,
                      size_t size)
{
    const msgpack_object *value = find(request, key);
    buffer[0] = '\0';
    if (value && value->type == MSGPACK_OBJECT_STR) {
        snprintf(buffer, size, "%.*s", (int)value->via.str.size, value->via.str.ptr);
    }
    return buffer;
}

int64_t peer_int(const struct peer_request *request, const char *key)
{
    const msgpack_object *value = find(request, key);
    return value && value->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? value->via.i64 : -1;
}

static enum peer_action handle(struct peer *peer, const msgpack_object *frame, const char *bytes,
                               size_t size)
{
    CHECK(frame->type == MSGPACK_OBJECT_ARRAY);
    CHECK(frame->via.array.size == 4);
    const msgpack_object *parts = frame->via.array.ptr;
    const msgpack_object_array *params = &parts[3].via.array;
    struct peer_request request = {.msgid = (uint32_t)parts[1].via.u64,
                                   .connection = peer->connections - 1,
                                   .number = peer->requests++,
                                   .bytes = bytes,
                                   .size = size};
    snprintf(request.method, sizeof(request.method), "%.*s", (int)parts[2].via.str.size,
             parts[2].via.str.ptr);
    request.params = params->size == 1 ? &params->ptr[0] : NULL;
    return peer->handler(peer, &request, peer->user);
}

/* The connection's bytes that are no whole frame yet. */
struct input {
    char *bytes;
    size_t size, max;
};

static bool input_fill(struct input *input, int fd)
{
    if (input->max - input->size < READ_SIZE) {
        input->max = input->max * 2 + READ_SIZE;
        input->bytes = realloc(input->bytes, input->max);
        CHECK(input->bytes);
    }
    ssize_t got = recv(fd, input->bytes + input->size, READ_SIZE, 0);
    if (got > 0) {
        input->size += (size_t)got;
    }
    return got > 0;
}

/* False: the handler wants the connection dropped. */
static bool input_handle(struct peer *peer, struct input *input)
{
    size_t at = 0;
    enum peer_action action = PEER_GO;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    while (action == PEER_GO) {
        size_t from = at;
        if (msgpack_unpack_next(&unpacked, input->bytes, input->size, &at) !=
            MSGPACK_UNPACK_SUCCESS) {
            at = from;
            break;
        }
        action = handle(peer, &unpacked.data, input->bytes + from, at - from);
    }
    msgpack_unpacked_destroy(&unpacked);
    input->size -= at;
    memmove(input->bytes, input->bytes + at, input->size);
    return action == PEER_GO;
}

/* True: fd can be read; false: the peer is to stop. */
static bool wait_for(struct peer *peer, int fd)
{
    struct pollfd fds[2] = {{.fd = peer->stop_event, .events = POLLIN},
                            {.fd = fd, .events = POLLIN}};
    CHECK(poll(fds, 2, -1) > 0);
    return fds[0].revents == 0;
}

static void serve(struct peer *peer)
{
    struct input input = {0};
    while (wait_for(peer, peer->connection) && input_fill(&input, peer->connection) &&
           input_handle(peer, &input)) {
    }
    free(input.bytes);
    close(peer->connection);
    peer->connection = -1;
}

static void *run(void *user)
{
    struct peer *peer = user;
    while (wait_for(peer, peer->listener)) {
        peer->connection = accept(peer->listener, NULL, NULL);
        if (peer->connection >= 0) {
            peer->connections++;
            serve(peer);
        }
    }
    return NULL;
}

static void begin(struct peer *peer, int family, const struct sockaddr *at, socklen_t size,
                  peer_handler *handler, void *user)
{
    const int on = 1;
    peer->handler = handler;
    peer->user = user;
    peer->connections = peer->requests = 0;
    peer->stop_event = eventfd(0, EFD_CLOEXEC);
    peer->listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(peer->listener >= 0);
    CHECK(peer->stop_event >= 0);
    setsockopt(peer->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CHECK(bind(peer->listener, at, size) == 0);
    CHECK(listen(peer->listener, 16) == 0);
}

void peer_start(struct peer *peer, uint16_t port, peer_handler *handler, void *user)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(at);
    begin(peer, AF_INET, (const struct sockaddr *)&at, size, handler, user);
    CHECK(getsockname(peer->listener, (struct sockaddr *)&at, &size) == 0);
    peer->port = ntohs(at.sin_port);
    snprintf(peer->address, sizeof(peer->address), "127.0.0.1:%u", peer->port);
    CHECK(pthread_create(&peer->thread, NULL, run, peer) == 0);
}

void peer_start_unix(struct peer *peer, const char *path, peer_handler *handler, void *user)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
    begin(peer, AF_UNIX, (const struct sockaddr *)&at, sizeof(at), handler, user);
    snprintf(peer->address, sizeof(peer->address), "unix:%s", at.sun_path);
    CHECK(pthread_create(&peer->thread, NULL, run, peer) == 0);
}

void peer_stop(struct peer *peer)
{
    const uint64_t one = 1;
    CHECK(write(peer->stop_event, &one, sizeof(one)) == (ssize_t)sizeof(one));
    CHECK(pthread_join(peer->thread, NULL) == 0);
    close(peer->listener);
    close(peer->stop_event);
}
