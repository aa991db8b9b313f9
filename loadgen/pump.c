/* The turn of the pump: flush, epoll_pwait2, read, parse. One read buffer serves all connections,
 * so that it stays in the cache; only the beginning of a cut reply is kept per connection. */
#include "pump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dial.h"
#include "frame.h"

enum { IN_SIZE = 256 * 1024, REPLY_SIZE_MAX = 64 << 20, EVENTS_MAX = 256, OUT_SIZE_FIRST = 16384 };

static const struct frame_limits reply_limits = {.size_max = REPLY_SIZE_MAX,
                                                 .depth_max = FRAME_DEPTH_MAX};

uint64_t pump_clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum err fail(struct pump *pump, enum err err, const char *what, const char *detail)
{
    if (pump->fault[0] == '\0') {
        snprintf(pump->fault, sizeof pump->fault, "%s: %s", what, detail);
    }
    return err;
}

static void link_free(struct pump *pump)
{
    for (uint32_t i = 0; i < pump->requests_max; i++) {
        pump->requests[i].next_free = i + 1 < pump->requests_max ? i + 1 : UINT32_MAX;
    }
    pump->free_head = 0;
}

static enum err connect_all(struct pump *pump, const char *address)
{
    for (uint32_t i = 0; i < pump->conns_count; i++) {
        char why[200];
        enum err err = dial(address, &pump->conns[i].fd, why, sizeof why);
        if (err != ERR_OK) {
            return fail(pump, err, address, why);
        }
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(pump->epoll_fd, EPOLL_CTL_ADD, pump->conns[i].fd, &event) != 0) {
            return fail(pump, ERR_SYS, "epoll_ctl", strerror(errno));
        }
    }
    return ERR_OK;
}

enum err pump_open(struct pump *pump, const char *address, uint32_t connections,
                   uint32_t requests_max)
{
    CHECK(connections > 0);
    CHECK(requests_max > 0);
    *pump = (struct pump){
        .conns = calloc(connections, sizeof *pump->conns),
        .requests = calloc(requests_max, sizeof *pump->requests),
        .dirty = calloc(connections, sizeof *pump->dirty),
        .in = malloc(IN_SIZE),
        .in_size = IN_SIZE,
        .conns_count = connections,
        .requests_max = requests_max,
        .epoll_fd = epoll_create1(EPOLL_CLOEXEC),
    };
    if (pump->conns == NULL || pump->requests == NULL || pump->dirty == NULL || pump->in == NULL) {
        pump->conns_count = 0;
        return fail(pump, ERR_NOMEM, "start", "out of memory");
    }
    for (uint32_t i = 0; i < connections; i++) {
        pump->conns[i].fd = -1;
    }
    link_free(pump);
    /* The kernel may round a sleep up by 50 us unless told otherwise. */
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    dial_raise_files(connections + 64);
    return connect_all(pump, address);
}

void pump_close(struct pump *pump)
{
    for (uint32_t i = 0; i < pump->conns_count; i++) {
        if (pump->conns[i].fd >= 0) {
            close(pump->conns[i].fd);
        }
        free(pump->conns[i].out);
        free(pump->conns[i].rest);
    }
    if (pump->conns != NULL) {
        close(pump->epoll_fd);
    }
    free(pump->conns);
    free(pump->requests);
    free(pump->dirty);
    free(pump->in);
    *pump = (struct pump){0};
}

void pump_set_owner(struct pump *pump, pump_reply_cb *on_reply, void *owner)
{
    CHECK(pump->in_flight == 0);
    pump->on_reply = on_reply;
    pump->owner = owner;
}

bool pump_has_room(const struct pump *pump)
{
    return pump->free_head != UINT32_MAX;
}

/* Memory may end here: a load generator without memory for its requests has no way on. */
static void *grow(void *memory, uint32_t size)
{
    void *grown = realloc(memory, size);
    CHECK(grown != NULL);
    return grown;
}

static void reserve_out(struct pump_conn *conn, uint32_t size)
{
    if (conn->out_begin == conn->out_end) {
        conn->out_begin = conn->out_end = 0;
    }
    if (conn->out_size - conn->out_end >= size) {
        return;
    }
    uint32_t used = conn->out_end - conn->out_begin;
    if (conn->out_begin > 0) {
        memmove(conn->out, conn->out + conn->out_begin, used);
        conn->out_begin = 0;
        conn->out_end = used;
    }
    uint32_t wanted = conn->out_size == 0 ? OUT_SIZE_FIRST : conn->out_size;
    while (wanted - used < size) {
        CHECK(wanted < 1u << 30);
        wanted *= 2;
    }
    if (wanted > conn->out_size) {
        conn->out = grow(conn->out, wanted);
        conn->out_size = wanted;
    }
}

uint8_t *pump_begin(struct pump *pump, uint32_t index, uint32_t size, uint32_t *msgid_out)
{
    CHECK(index < pump->conns_count);
    CHECK(pump_has_room(pump));
    struct pump_conn *conn = &pump->conns[index];
    reserve_out(conn, size);
    *msgid_out = pump->free_head;
    return conn->out + conn->out_end;
}

void pump_end(struct pump *pump, uint32_t index, uint32_t msgid, uint32_t size,
              struct pump_request request)
{
    CHECK(msgid == pump->free_head);
    CHECK(request.kind != 0);
    struct pump_conn *conn = &pump->conns[index];
    CHECK(size <= conn->out_size - conn->out_end);
    struct pump_request *slot = &pump->requests[msgid];
    pump->free_head = slot->next_free;
    *slot = request;
    slot->conn = (uint16_t)index;
    conn->out_end += size;
    conn->in_flight++;
    pump->in_flight++;
    if (!conn->is_dirty) {
        conn->is_dirty = true;
        pump->dirty[pump->dirty_count++] = index;
    }
}

static void watch(struct pump *pump, uint32_t index, bool is_blocked)
{
    struct pump_conn *conn = &pump->conns[index];
    if (conn->is_blocked == is_blocked) {
        return;
    }
    conn->is_blocked = is_blocked;
    struct epoll_event event = {.events = EPOLLIN | (is_blocked ? (uint32_t)EPOLLOUT : 0),
                                .data.u32 = index};
    int result = epoll_ctl(pump->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    CHECK(result == 0);
}

static enum err flush_conn(struct pump *pump, uint32_t index)
{
    struct pump_conn *conn = &pump->conns[index];
    while (conn->out_begin < conn->out_end) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_begin, conn->out_end - conn->out_begin,
                            MSG_NOSIGNAL);
        pump->writes++;
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0 && errno == EAGAIN) {
            watch(pump, index, true);
            return ERR_OK;
        }
        if (sent < 0) {
            return fail(pump, ERR_CLOSED, "connection lost", strerror(errno));
        }
        conn->out_begin += (uint32_t)sent;
        pump->bytes_out += (uint64_t)sent;
    }
    watch(pump, index, false);
    return ERR_OK;
}

static enum err flush_all(struct pump *pump)
{
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < pump->dirty_count; i++) {
        struct pump_conn *conn = &pump->conns[pump->dirty[i]];
        conn->is_dirty = false;
        if (!conn->is_blocked && err == ERR_OK) {
            err = flush_conn(pump, pump->dirty[i]);
        }
    }
    pump->dirty_count = 0;
    return err;
}

/* Give the slot of a reply back and hand the reply out. */
static enum err take_reply(struct pump *pump, uint32_t index, const uint8_t *bytes, uint32_t size,
                           uint64_t now_ns)
{
    struct answer answer;
    if (!answer_read(&answer, bytes, size)) {
        return fail(pump, ERR_INVALID, "protocol", "what came is not a reply");
    }
    if (answer.msgid >= pump->requests_max || pump->requests[answer.msgid].kind == 0 ||
        pump->requests[answer.msgid].conn != index) {
        return fail(pump, ERR_INVALID, "protocol", "a reply to nothing that was asked");
    }
    struct pump_request request = pump->requests[answer.msgid];
    pump->requests[answer.msgid].kind = 0;
    pump->requests[answer.msgid].next_free = pump->free_head;
    pump->free_head = answer.msgid;
    pump->conns[index].in_flight--;
    pump->in_flight--;
    pump->on_reply(pump->owner, &request, &answer, now_ns);
    return ERR_OK;
}

static void keep_rest(struct pump_conn *conn, const uint8_t *bytes, uint32_t size)
{
    if (size > conn->rest_capacity) {
        conn->rest = grow(conn->rest, size * 2);
        conn->rest_capacity = size * 2;
    }
    if (size > 0) {
        memcpy(conn->rest, bytes, size);
    }
    conn->rest_size = size;
}

/* All whole replies in the size bytes of pump->in; the rest is kept. */
static enum err take_replies(struct pump *pump, uint32_t index, uint32_t size)
{
    uint64_t now_ns = pump_clock_ns();
    uint32_t at = 0;
    enum err err = ERR_OK;
    while (err == ERR_OK && at < size) {
        struct frame_scan scan;
        frame_scan_init(&scan);
        enum frame_state state = frame_scan_run(&scan, pump->in + at, size - at, &reply_limits);
        if (state == FRAME_MORE) {
            break;
        }
        if (state != FRAME_DONE) {
            return fail(pump, ERR_INVALID, "protocol", "what came is not MessagePack-RPC");
        }
        err = take_reply(pump, index, pump->in + at, scan.pos, now_ns);
        at += scan.pos;
    }
    keep_rest(&pump->conns[index], pump->in + at, size - at);
    return err;
}

static enum err read_conn(struct pump *pump, uint32_t index)
{
    struct pump_conn *conn = &pump->conns[index];
    uint32_t kept = conn->rest_size;
    if (kept > pump->in_size / 2) {
        pump->in_size *= 2;
        pump->in = grow(pump->in, pump->in_size);
    }
    if (kept > 0) {
        memcpy(pump->in, conn->rest, kept);
    }
    ssize_t got = recv(conn->fd, pump->in + kept, pump->in_size - kept, 0);
    pump->reads++;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return ERR_OK;
    }
    if (got <= 0) {
        return fail(pump, ERR_CLOSED, "connection lost",
                    got == 0 ? "closed by the engine" : strerror(errno));
    }
    pump->bytes_in += (uint64_t)got;
    return take_replies(pump, index, kept + (uint32_t)got);
}

/* Sleep until until_ns at the latest. Kernels before 5.11 know milliseconds only. */
static int wait_events(struct pump *pump, struct epoll_event *events, uint64_t until_ns)
{
    uint64_t now_ns = pump_clock_ns();
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec left = {.tv_sec = (time_t)(left_ns / 1000000000u),
                            .tv_nsec = (long)(left_ns % 1000000000u)};
    int count = epoll_pwait2(pump->epoll_fd, events, EVENTS_MAX, &left, NULL);
    if (count < 0 && errno == ENOSYS) {
        uint64_t left_ms = (left_ns + 999999) / 1000000;
        count =
            epoll_wait(pump->epoll_fd, events, EVENTS_MAX, left_ms > 60000 ? 60000 : (int)left_ms);
    }
    return count;
}

enum err pump_turn(struct pump *pump, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    pump->turns++;
    enum err err = flush_all(pump);
    if (err != ERR_OK) {
        return err;
    }
    int count = wait_events(pump, events, until_ns);
    if (count < 0 && errno != EINTR) {
        return fail(pump, ERR_SYS, "epoll_pwait2", strerror(errno));
    }
    for (int i = 0; i < count && err == ERR_OK; i++) {
        uint32_t index = events[i].data.u32;
        if ((events[i].events & EPOLLOUT) != 0) {
            err = flush_conn(pump, index);
        }
        if (err == ERR_OK && (events[i].events & (uint32_t)~EPOLLOUT) != 0) {
            err = read_conn(pump, index);
        }
    }
    return err;
}

enum err pump_drain(struct pump *pump, uint64_t until_ns)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && pump->in_flight > 0) {
        if (pump_clock_ns() >= until_ns) {
            return fail(pump, ERR_TIMEOUT, "timed out", "replies are missing");
        }
        err = pump_turn(pump, until_ns);
    }
    return err;
}
