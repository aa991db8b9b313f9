/* The loop, the echo and the sockets of the tests of engine/net. */
#include "support/net_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "writer.h"

enum { WAIT_MS = 5000 };

uint32_t rig_reply(const struct rig *rig, uint8_t *frame, uint32_t msgid)
{
    struct writer writer;
    writer_init(&writer, frame, rig->reply_size + 64);
    writer_reply(&writer, msgid);
    const uint32_t used = writer_size(&writer);
    const uint32_t padding = rig->reply_size > used + 5 ? rig->reply_size - used - 5 : 0;
    const uint8_t head[5] = {0xc6, (uint8_t)(padding >> 24), (uint8_t)(padding >> 16),
                             (uint8_t)(padding >> 8), (uint8_t)padding};
    writer_raw(&writer, head, sizeof head);
    memset(writer.at, (int)(msgid & 0x7f), padding);
    return used + (uint32_t)sizeof head + padding;
}

static bool answer(struct rig *rig, struct net_conn *conn, uint32_t msgid, uint64_t lsn)
{
    uint8_t *room = net_reply_begin(conn, rig->reply_size + 64);
    if (!room) {
        rig->refused++;
        return false;
    }
    net_reply_end(conn, rig_reply(rig, room, msgid), lsn);
    return true;
}

static void on_request(struct rig *rig, const struct net_request *request)
{
    CHECK(request->read_ns >= rig->read_ns || rig->read_ns - request->read_ns < 1000000000);
    rig->read_ns = request->read_ns;
    rig->requests++;
    if (request->head.method_len == 6 && memcmp(request->head.method, "marked", 6) == 0) {
        rig->batch_of_marked = rig->batches;
    }
    if (request->head.type == FRAME_NOTIFY) {
        rig->notifications++;
        net_conn_done(request->conn);
    } else if (rig->is_later) {
        CHECK(rig->later_count < RIG_LATER_MAX);
        rig->later[rig->later_count] = request->conn;
        rig->later_msgids[rig->later_count++] = request->head.msgid;
    } else {
        rig->lsn += rig->is_counting;
        answer(rig, request->conn, request->head.msgid, rig->lsn);
    }
}

static void pass(uint64_t ns)
{
    const uint64_t end = uv_hrtime() + ns;
    while (uv_hrtime() < end) {
        usleep(100);
    }
}

static void on_batch(void *owner, struct net_request *requests, uint32_t count)
{
    struct rig *rig = owner;
    rig->batches++;
    if (count > rig->batch_size_max) {
        rig->batch_size_max = count;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (net_may_answer(requests[i].conn, &requests[i].head)) {
            on_request(rig, &requests[i]);
        }
    }
    pass(rig->batch_ns);
}

static void on_closed(void *owner, struct net_conn *conn)
{
    struct rig *rig = owner;
    CHECK(net_conn_tag(conn) == NULL);
    rig->closed++;
}

bool rig_answer(struct rig *rig, uint32_t i, uint64_t lsn)
{
    CHECK(i < rig->later_count);
    const bool is_given = answer(rig, rig->later[i], rig->later_msgids[i], lsn);
    net_flush(rig->net);
    return is_given;
}

void rig_open(struct rig *rig)
{
    static const char *const here[] = {"127.0.0.1:0"};
    char error[256] = "";
    CHECK(uv_loop_init(&rig->loop) == 0);
    rig->options.loop = &rig->loop;
    rig->options.closed = on_closed;
    if (!rig->options.listen) {
        rig->options.listen = here;
        rig->options.listen_count = 1;
    }
    const enum err err = net_open(&rig->options, on_batch, rig, &rig->net, error, sizeof error);
    if (err) {
        fprintf(stderr, "%s\n", error);
    }
    CHECK(err == ERR_OK);
}

void rig_drained(void *owner)
{
    struct rig *rig = owner;
    rig->is_drained = true;
}

void rig_close(struct rig *rig)
{
    const uint64_t end = uv_hrtime() + (uint64_t)WAIT_MS * 1000000;
    if (!rig->is_drained) {
        net_fail(rig->net);
        net_drain(rig->net, rig_drained);
    }
    while (!rig->is_drained && uv_hrtime() < end) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
    CHECK(rig->is_drained);
    net_free(rig->net);
    CHECK(uv_loop_close(&rig->loop) == 0);
}

void rig_turn(struct rig *rig, uint32_t turns)
{
    for (uint32_t i = 0; i < turns; i++) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
}

void rig_turn_ms(struct rig *rig, uint32_t ms)
{
    const uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
    while (uv_hrtime() < end) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(200);
    }
}

struct net_stats rig_stats(struct rig *rig)
{
    struct net_stats stats;
    net_stats(rig->net, &stats);
    return stats;
}

int rig_connect(struct rig *rig)
{
    const char *colon = strrchr(net_listen_text(rig->net, 0), ':');
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                               .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10))};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    const int on = 1;
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    rig_turn(rig, 2);
    return fd;
}

void rig_send(struct rig *rig, int fd, const void *bytes, size_t size)
{
    const uint64_t end = uv_hrtime() + (uint64_t)WAIT_MS * 1000000;
    size_t done = 0;
    while (done < size && uv_hrtime() < end) {
        const ssize_t sent = send(fd, (const char *)bytes + done, size - done, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) {
            return; /* the net closed it: the test looks at what it got instead */
        }
        done += sent > 0 ? (size_t)sent : 0;
        rig_turn(rig, 1);
    }
    CHECK(done == size);
    rig_turn(rig, 2);
}

size_t rig_receive(struct rig *rig, int fd, void *bytes, size_t size)
{
    const uint64_t end = uv_hrtime() + (uint64_t)WAIT_MS * 1000000;
    size_t done = 0;
    while (done < size && uv_hrtime() < end) {
        const ssize_t got = recv(fd, (char *)bytes + done, size - done, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN)) {
            break;
        }
        if (got < 0) {
            rig_turn(rig, 1);
        } else {
            done += (size_t)got;
        }
    }
    return done;
}

bool rig_is_silent(struct rig *rig, int fd)
{
    char byte;
    rig_turn(rig, 10);
    return recv(fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

bool rig_is_ended(struct rig *rig, int fd)
{
    const uint64_t end = uv_hrtime() + (uint64_t)WAIT_MS * 1000000;
    char byte;
    while (uv_hrtime() < end) {
        const ssize_t got = recv(fd, &byte, 1, 0);
        if (got >= 0 || errno != EAGAIN) {
            return got <= 0;
        }
        rig_turn(rig, 1);
    }
    return false;
}

uint32_t rig_request(uint8_t *frame, uint32_t msgid, const char *method, uint32_t padding)
{
    struct writer writer;
    writer_init(&writer, frame, padding + 128);
    writer_array(&writer, 4);
    writer_uint(&writer, 0);
    writer_uint(&writer, msgid);
    writer_string(&writer, method);
    writer_array(&writer, 1);
    const uint8_t head[5] = {0xc6, (uint8_t)(padding >> 24), (uint8_t)(padding >> 16),
                             (uint8_t)(padding >> 8), (uint8_t)padding};
    writer_raw(&writer, head, sizeof head);
    memset(writer.at, 'x', padding);
    return writer_size(&writer) + padding;
}

bool rig_has_replies(struct rig *rig, int fd, uint32_t first, uint32_t count)
{
    uint8_t *wanted = malloc(rig->reply_size + 64);
    uint8_t *got = malloc(rig->reply_size + 64);
    CHECK(wanted);
    CHECK(got);
    bool is_equal = true;
    for (uint32_t i = 0; i < count && is_equal; i++) {
        const uint32_t size = rig_reply(rig, wanted, first + i);
        is_equal = rig_receive(rig, fd, got, size) == size && memcmp(got, wanted, size) == 0;
    }
    free(wanted);
    free(got);
    return is_equal;
}
