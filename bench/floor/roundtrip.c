/* The two things that a durable answer cannot be quicker than: a flush of one group, and an echo
 * over loopback. Both one at a time, in turns; p50 and p99 as one line of JSON. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"
#include "check.h"
#include "floor_log.h"
#include "hist.h"

enum { REQUEST = 150, REPLY = 300, ROUND = 20 };

/* The way of a server: sleep in epoll, read, answer. */
static void *echo_run(void *owner)
{
    int fd = *(int *)owner;
    uint8_t bytes[REPLY] = {0};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
    for (;;) {
        ssize_t got = epoll_wait(epoll_fd, &event, 1, -1) == 1 ? recv(fd, bytes, REQUEST, 0) : -1;
        if (got <= 0 || send(fd, bytes, REPLY, MSG_NOSIGNAL) <= 0) {
            close(epoll_fd);
            return NULL;
        }
    }
}

static int pair_open(int *peer_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int one = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    *peer_out = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(*peer_out, (struct sockaddr *)&address, size) == 0);
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(*peer_out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(listener);
    return fd;
}

static void echo_once(int fd, struct hist *hist)
{
    uint8_t bytes[REPLY] = {0};
    uint64_t start = bench_now_ns();
    CHECK(send(fd, bytes, REQUEST, MSG_NOSIGNAL) == REQUEST);
    CHECK(recv(fd, bytes, REPLY, MSG_WAITALL) == REPLY);
    hist_record(hist, bench_now_ns() - start);
}

static void flush_once(struct floor_log *log, struct hist *hist)
{
    uint64_t start = bench_now_ns();
    struct io_uring_cqe *cqe;
    floor_log_add(log, 96);
    floor_log_submit(log);
    while (!floor_log_reap(log)) {
        io_uring_wait_cqe(&log->ring, &cqe);
    }
    hist_record(hist, bench_now_ns() - start);
}

static double us(const struct hist *hist, double percent)
{
    return (double)hist_percentile(hist, percent) / 1000;
}

int main(int argc, char **argv)
{
    static struct hist flush;
    static struct hist echo;
    static struct floor_log log;
    char path[] = "bench-flush-XXXXXX";
    struct bench bench;
    int peer;
    int file = bench_init(&bench, argc, argv) ? mkstemp(path) : -1;
    if (file < 0 || floor_log_open(&log, path, false) != ERR_OK) {
        return 2;
    }
    close(file);
    pthread_t thread;
    int fd = pair_open(&peer);
    CHECK(pthread_create(&thread, NULL, echo_run, &fd) == 0);
    hist_init(&flush);
    hist_init(&echo);
    for (uint32_t i = 0; i < (bench.is_smoke ? 2 : bench.repeats * 10) * ROUND; i++) {
        if (i / ROUND % 2 == 0) {
            flush_once(&log, &flush);
        } else {
            echo_once(peer, &echo);
        }
    }
    printf("{\"flush_p50_us\":%.1f,\"flush_p99_us\":%.1f,\"echo_p50_us\":%.1f,"
           "\"echo_p99_us\":%.1f,\"method\":\"%s\"}\n",
           us(&flush, 50), us(&flush, 99), us(&echo, 50), us(&echo, 99),
           log.uses_dsync ? "dsync" : "fdatasync");
    shutdown(peer, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    close(peer);
    floor_log_close(&log);
    unlink(path);
    return 0;
}
