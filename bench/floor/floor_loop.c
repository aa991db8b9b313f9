/* epoll: read, decide in batches, write one group at a time, send what is durable. */
#include "floor_loop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"

enum { IN_SIZE = 256 << 10, IN_MAX = 2 << 20, OUT_SIZE = 64 << 10, EVENTS_MAX = 256 };

static enum err fail(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    return ERR_SYS;
}

static void watch(struct floor_loop *loop, int fd, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    int result = epoll_ctl(loop->epoll_fd, how, fd, &event);
    CHECK(result == 0);
}

enum err floor_loop_open(struct floor_loop *loop, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(loop->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(loop->listen_fd, (struct sockaddr *)&address, size) != 0 ||
        listen(loop->listen_fd, 4096) != 0 ||
        getsockname(loop->listen_fd, (struct sockaddr *)&address, &size) != 0) {
        return fail("listen");
    }
    loop->port = ntohs(address.sin_port);
    watch(loop, loop->listen_fd, EPOLL_CTL_ADD, EPOLLIN);
    watch(loop, loop->log.event_fd, EPOLL_CTL_ADD, EPOLLIN);
    return ERR_OK;
}

static void conn_close(struct floor_conn *conn)
{
    close(conn->fd);
    free(conn->in);
    free(conn->out);
    bool is_listed = conn->is_listed;
    *conn = (struct floor_conn){.is_listed = is_listed};
}

static void accept_all(struct floor_loop *loop)
{
    int one = 1;
    for (;;) {
        int fd = accept4(loop->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        if (fd >= FLOOR_CONNS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        struct floor_conn *conn = &loop->conns[fd];
        bool is_listed = conn->is_listed;
        *conn = (struct floor_conn){.fd = fd, .is_open = true, .is_listed = is_listed};
        watch(loop, fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void reserve(uint8_t **bytes, uint32_t *size, uint32_t wanted)
{
    if (*size < wanted) {
        *size = wanted;
        *bytes = realloc(*bytes, wanted);
        CHECK(*bytes);
    }
}

uint8_t *floor_conn_room(struct floor_loop *loop, struct floor_conn *conn, uint32_t size)
{
    if (conn->out_used + size > conn->out_size) {
        uint32_t doubled = conn->out_size * 2;
        uint32_t wanted = conn->out_used + size + OUT_SIZE;
        reserve(&conn->out, &conn->out_size, wanted > doubled ? wanted : doubled);
    }
    if (!conn->is_listed) {
        conn->is_listed = true;
        loop->listed[loop->listed_count++] = (uint32_t)conn->fd;
    }
    return conn->out + conn->out_used;
}

static void conn_send(struct floor_loop *loop, struct floor_conn *conn)
{
    while (conn->out_sent < conn->out_marked) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_sent,
                            conn->out_marked - conn->out_sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) {
                watch(loop, conn->fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            }
            return;
        }
        conn->out_sent += (uint32_t)sent;
    }
    if (conn->out_sent == conn->out_used) {
        conn->out_sent = conn->out_marked = conn->out_waiting = conn->out_used = 0;
    } else if (conn->out_sent > OUT_SIZE) {
        memmove(conn->out, conn->out + conn->out_sent, conn->out_used - conn->out_sent);
        conn->out_marked -= conn->out_sent;
        conn->out_waiting -= conn->out_sent;
        conn->out_used -= conn->out_sent;
        conn->out_sent = 0;
    }
}

/* The group in flight is durable: its replies go. */
static void release(struct floor_loop *loop)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < loop->listed_count; i++) {
        struct floor_conn *conn = &loop->conns[loop->listed[i]];
        if (!conn->is_open) {
            conn->is_listed = false;
            continue;
        }
        conn->out_marked = conn->out_waiting;
        conn_send(loop, conn);
        conn->is_listed = conn->out_used > conn->out_marked;
        if (conn->is_listed) {
            loop->listed[kept++] = loop->listed[i];
        }
    }
    loop->listed_count = kept;
}

static void submit(struct floor_loop *loop)
{
    if (loop->log.is_flying || loop->listed_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < loop->listed_count; i++) {
        struct floor_conn *conn = &loop->conns[loop->listed[i]];
        conn->out_waiting = conn->out_used;
    }
    if (floor_log_can_submit(&loop->log)) {
        floor_log_submit(&loop->log);
    } else {
        release(loop);
    }
}

/* Wait for the group in flight and send the next one: the collecting buffer is full. */
static void turn_over(struct floor_loop *loop)
{
    while (loop->log.is_flying) {
        if (floor_log_reap(&loop->log)) {
            release(loop);
        } else {
            struct io_uring_cqe *cqe;
            io_uring_wait_cqe(&loop->log.ring, &cqe);
        }
    }
    submit(loop);
}

static void batch_run(struct floor_loop *loop, struct floor_conn *conn, uint32_t count)
{
    struct floor_tables *tables = &loop->tables;
    struct floor_order *orders = loop->batch;
    if (tables->sealed_size == 0) {
        floor_seal(tables);
    }
    floor_hash_stage(tables, orders, count);
    floor_find_stage(tables, orders, count);
    floor_guess_stage(tables, orders, count);
    for (uint32_t i = 0; i < count; i++) {
        if (!floor_log_room(&loop->log, FLOOR_RECORD_MAX)) {
            turn_over(loop);
        }
        floor_take(tables, &orders[i]);
        if (!orders[i].is_refused && !orders[i].is_known) {
            uint8_t *record = floor_log_room(&loop->log, FLOOR_RECORD_MAX);
            floor_log_add(&loop->log, floor_record_write(&orders[i], record));
        }
        uint8_t *reply = floor_conn_room(loop, conn, FLOOR_REPLY_MAX);
        conn->out_used += floor_reply(tables, &orders[i], reply);
    }
}

/* All whole frames that were read; false: the connection is lost. */
static bool frames_take(struct floor_loop *loop, struct floor_conn *conn)
{
    uint32_t at = 0;
    uint32_t count = 0;
    int32_t size = 1;
    while (at < conn->in_used && size > 0) {
        size = floor_decode(conn->in + at, conn->in + conn->in_used, &loop->batch[count]);
        bool is_order = size > 0;
        count += is_order;
        if (count == FLOOR_BATCH || (!is_order && count > 0)) {
            batch_run(loop, conn, count);
            count = 0;
        }
        if (size < 0) {
            size = floor_setup(loop, conn, conn->in + at, conn->in_used - at);
        }
        at += size > 0 ? (uint32_t)size : 0;
    }
    if (count > 0) {
        batch_run(loop, conn, count);
    }
    memmove(conn->in, conn->in + at, conn->in_used - at);
    conn->in_used -= at;
    return size >= 0;
}

static void conn_read(struct floor_loop *loop, struct floor_conn *conn)
{
    uint32_t wanted = conn->in_used > IN_SIZE / 2 ? IN_MAX : IN_SIZE;
    reserve(&conn->in, &conn->in_size, wanted);
    ssize_t got = recv(conn->fd, conn->in + conn->in_used, conn->in_size - conn->in_used, 0);
    if (got < 0 && errno == EAGAIN) {
        return;
    }
    conn->in_used += got > 0 ? (uint32_t)got : 0;
    if (got <= 0 || !frames_take(loop, conn)) {
        conn_close(conn);
    }
}

static void event_take(struct floor_loop *loop, const struct epoll_event *event)
{
    int fd = event->data.fd;
    uint64_t count;
    if (fd == loop->listen_fd) {
        accept_all(loop);
        return;
    }
    if (fd == loop->log.event_fd) {
        ssize_t got = read(fd, &count, sizeof count);
        (void)got; /* another wake-up has taken it */
        return;
    }
    struct floor_conn *conn = &loop->conns[fd];
    if ((event->events & EPOLLOUT) != 0) {
        watch(loop, fd, EPOLL_CTL_MOD, EPOLLIN);
        conn_send(loop, conn);
    }
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0) {
        conn_read(loop, conn);
    }
}

void floor_loop_run(struct floor_loop *loop)
{
    struct epoll_event events[EVENTS_MAX];
    while (!loop->is_stopped) {
        int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            event_take(loop, &events[i]);
        }
        if (floor_log_reap(&loop->log)) {
            release(loop);
        }
        submit(loop);
    }
}

void floor_loop_close(struct floor_loop *loop)
{
    for (uint32_t fd = 0; fd < FLOOR_CONNS_MAX; fd++) {
        if (loop->conns[fd].is_open) {
            conn_close(&loop->conns[fd]);
        }
    }
    close(loop->listen_fd);
    close(loop->epoll_fd);
    floor_log_close(&loop->log);
    floor_tables_close(&loop->tables);
}
