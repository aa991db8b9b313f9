/* One thread, poll, at most eight connections. It trusts what it is sent. */
#include "load_fake.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frame.h"
#include "writer.h"

enum { CONNS_MAX = 8, IN_SIZE = 1 << 18, OUT_SIZE = 1 << 20, ORDER_ID_AT = 12, ORDER_ID_SIZE = 20 };

struct link {
    int fd;
    uint32_t size; /* bytes in in */
    uint8_t in[IN_SIZE];
};

static struct link links[CONNS_MAX];
static uint8_t out[OUT_SIZE];

/* The result for an order; its id stands at a fixed place of the generator's requests. */
static void write_route(struct writer *writer, const uint8_t *params, const char *node)
{
    char id[ORDER_ID_SIZE + 2];
    memcpy(id, params + ORDER_ID_AT, ORDER_ID_SIZE);
    memcpy(id + ORDER_ID_SIZE, "/1", 2);
    writer_map(writer, 6);
    writer_str(writer, "order_id");
    writer_text(writer, id, ORDER_ID_SIZE);
    writer_str(writer, "status");
    writer_str(writer, "routed");
    writer_str(writer, "fulfilments");
    writer_array(writer, 1);
    writer_map(writer, 4);
    writer_str(writer, "fulfilment");
    writer_text(writer, id, sizeof id);
    writer_str(writer, "node");
    writer_string(writer, node);
    writer_str(writer, "km");
    writer_float(writer, 12.345);
    writer_str(writer, "lines");
    writer_array(writer, 0);
    writer_str(writer, "total_km");
    writer_float(writer, 12.345);
    writer_str(writer, "optimal");
    writer_bool(writer, true);
    writer_str(writer, "lsn");
    writer_uint(writer, 1);
}

static void answer(struct writer *writer, const struct frame_head *head, const char *node)
{
    writer_reply(writer, head->msgid);
    if (head->method_len == 11 && memcmp(head->method, "order.route", 11) == 0) {
        write_route(writer, head->params, node);
    } else {
        writer_map(writer, 0);
    }
}

static void send_all(int fd, const uint8_t *bytes, uint32_t size)
{
    for (uint32_t at = 0; at < size;) {
        ssize_t sent = send(fd, bytes + at, size - at, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += (uint32_t)sent;
    }
}

/* Answer all whole requests of a link; false when it is closed. */
static bool serve(struct link *link, const char *node)
{
    static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    ssize_t got = recv(link->fd, link->in + link->size, IN_SIZE - link->size, 0);
    if (got <= 0) {
        return false;
    }
    link->size += (uint32_t)got;
    struct writer writer;
    writer_init(&writer, out, sizeof out);
    uint32_t at = 0;
    for (;;) {
        struct frame_scan scan;
        frame_scan_init(&scan);
        struct frame_head head;
        if (frame_scan_run(&scan, link->in + at, link->size - at, &limits) != FRAME_DONE ||
            !frame_head_read(link->in + at, scan.pos, &head)) {
            break;
        }
        answer(&writer, &head, node);
        at += scan.pos;
    }
    memmove(link->in, link->in + at, link->size - at);
    link->size -= at;
    send_all(link->fd, out, writer_size(&writer));
    return true;
}

/* Accept into a free place; the ninth connection ends the child, so that no test hangs on it. */
static void take_link(int listener, struct pollfd *polls)
{
    uint32_t i = 0;
    while (i < CONNS_MAX && polls[i].fd >= 0) {
        i++;
    }
    if (i == CONNS_MAX) {
        _exit(1);
    }
    links[i] = (struct link){.fd = accept(listener, NULL, NULL)};
    polls[i] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
}

static _Noreturn void run(int listener, const char *node)
{
    struct pollfd polls[CONNS_MAX + 1] = {{.fd = listener, .events = POLLIN}};
    for (uint32_t i = 0; i < CONNS_MAX; i++) {
        polls[i + 1].fd = -1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) {
        poll(polls, CONNS_MAX + 1, -1);
        for (uint32_t i = 0; i < CONNS_MAX; i++) {
            if (polls[i + 1].revents != 0 && !serve(&links[i], node)) {
                close(links[i].fd);
                polls[i + 1].fd = -1;
            }
        }
        if ((polls[0].revents & POLLIN) != 0) {
            take_link(listener, polls + 1);
        }
    }
}

_Bool load_fake_start(struct load_fake *fake, const char *node)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    fake->port = ntohs(address.sin_port);
    fake->pid = fork();
    if (fake->pid == 0) {
        run(listener, node);
    }
    close(listener);
    return fake->pid > 0;
}

/* A second child does it, and ends at once itself. */
void load_fake_stop_after(const struct load_fake *fake, unsigned ms)
{
    if (fork() == 0) {
        usleep(ms * 1000);
        kill(fake->pid, SIGKILL);
        _exit(0);
    }
}

void load_fake_stop(struct load_fake *fake)
{
    kill(fake->pid, SIGKILL);
    waitpid(fake->pid, NULL, 0);
}
