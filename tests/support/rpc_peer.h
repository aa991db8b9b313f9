/* A scripted MessagePack-RPC server in a thread of the test: it hands each request to a
 * handler, which answers, keeps silent, says nonsense, or drops the connection.
 *
 * One connection at a time. The handler runs on the peer's thread; what it writes may be read
 * by the test after peer_stop. */
#ifndef TESTS_RPC_PEER_H
#define TESTS_RPC_PEER_H

#include <msgpack.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_action { PEER_GO, PEER_DROP };

/* One request; borrowed for the handler's call. */
struct peer_request {
    uint32_t msgid;
    char method[64];
    const msgpack_object *params; /* the map, or NULL */
    uint32_t connection;          /* 0 for the first of this peer */
    uint32_t number;              /* 0 for the first request of this peer */
    const char *bytes;            /* the frame */
    size_t size;
};

struct peer;
typedef enum peer_action peer_handler(struct peer *peer, const struct peer_request *request,
                                      void *user);

struct peer {
    pthread_t thread;
    int listener, stop_event, connection;
    uint32_t connections, requests;
    peer_handler *handler;
    void *user;
    uint16_t port;
    char address[128]; /* as nearshelf_open takes it */
};

/* Listen on 127.0.0.1:port (0 = a free one) or, with path, on a Unix socket, and serve. */
void peer_start(struct peer *peer, uint16_t port, peer_handler *handler, void *user);
void peer_start_unix(struct peer *peer, const char *path, peer_handler *handler, void *user);
void peer_stop(struct peer *peer);

/* From the handler: answer with a result written as JSON; with an error; with any bytes. */
void peer_answer(struct peer *peer, uint32_t msgid, const char *json);
void peer_error(struct peer *peer, uint32_t msgid, int kind, const char *text);
void peer_bytes(struct peer *peer, const void *bytes, size_t size);

/* The bytes of an answer, to be sent in a way of the test's own. The caller frees them. */
char *peer_pack_answer(uint32_t msgid, const char *json, size_t *size_out);

/* Text of a field of the request, or "" in a buffer; int of one, or -1. */
const char *peer_text(const struct peer_request *request, const char *key, char *buffer,
                      size_t size);
int64_t peer_int(const struct peer_request *request, const char *key);

#endif
