/* Sends on a schedule or as answers come; sleeps in the kernel between. */
#include "peer_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "dial.h"

enum { EVENTS_MAX = 256, BURST = 64, SECOND = 1000000000 };

#define TICK_NS  100000u
#define DRAIN_NS 20000000000u

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static bool fail(struct peer_run *run, const char *what)
{
    if (run->fault[0] == '\0') {
        snprintf(run->fault, sizeof run->fault, "%s: %s", what, strerror(errno));
    }
    return false;
}

static void touch(struct peer_run *run, uint32_t index)
{
    if (!run->conns[index].is_touched) {
        run->conns[index].is_touched = true;
        run->touched[run->touched_count++] = index;
    }
}

static void watch(struct peer_run *run, uint32_t index, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = index};
    int result = epoll_ctl(run->epoll_fd, how, run->conns[index].fd, &event);
    CHECK(result == 0);
}

/* The greeting of one connection, with blocking calls. */
static bool greet(struct peer_run *run, struct peer_conn *conn)
{
    uint32_t size = run->proto->hello(run->world, conn->out);
    if (size > 0 && send(conn->fd, conn->out, size, MSG_NOSIGNAL) != (ssize_t)size) {
        return fail(run, "greeting");
    }
    int32_t whole = 0;
    while (whole == 0) {
        ssize_t got = recv(conn->fd, conn->in + conn->in_used, PEER_IN_SIZE - conn->in_used, 0);
        if (got <= 0) {
            return fail(run, "greeting");
        }
        conn->in_used += (uint32_t)got;
        whole = run->proto->welcome(conn->in, conn->in_used);
    }
    if (whole < 0) {
        return fail(run, "the greeting is not that of this engine");
    }
    conn->in_used = 0;
    return true;
}

static bool conn_open(struct peer_run *run, uint32_t index)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(run->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    struct peer_conn *conn = &run->conns[index];
    conn->in = malloc(PEER_IN_SIZE);
    conn->out_size = (run->depth + 2) * PEER_REQUEST_MAX;
    conn->out_size = conn->out_size < PEER_OUT_MAX ? conn->out_size : PEER_OUT_MAX;
    conn->out = malloc(conn->out_size);
    conn->queue = calloc(run->depth, sizeof *conn->queue);
    conn->held_answers = calloc(run->depth, sizeof *conn->held_answers);
    CHECK(conn->in);
    CHECK(conn->out);
    CHECK(conn->queue);
    CHECK(conn->held_answers);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        return fail(run, "connect");
    }
    setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!greet(run, conn)) {
        return false;
    }
    fcntl(conn->fd, F_SETFL, O_NONBLOCK);
    watch(run, index, EPOLL_CTL_ADD, EPOLLIN);
    return true;
}

static bool run_open(struct peer_run *run)
{
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->conns = calloc(run->connections, sizeof *run->conns);
    run->slots = calloc(PEER_SLOTS_MAX, sizeof *run->slots);
    run->touched = calloc(run->connections, sizeof *run->touched);
    CHECK(run->touched);
    CHECK(run->conns);
    CHECK(run->slots);
    CHECK((uint64_t)run->connections * run->depth < PEER_SLOTS_MAX);
    for (uint32_t i = 0; i < PEER_SLOTS_MAX; i++) {
        run->slots[i].next = i + 1;
    }
    for (uint32_t i = 0; i < run->connections; i++) {
        run->conns[i].fd = -1;
    }
    hist_init(&run->latency);
    rng_init(&run->arrivals, run->world->opts.seed ^ 0xa1);
    dial_raise_files(run->connections + 64);
    prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
    for (uint32_t i = 0; i < run->connections; i++) {
        if (!conn_open(run, i)) {
            return false;
        }
        touch(run, i);
    }
    return true;
}

void peer_run_close(struct peer_run *run)
{
    for (uint32_t i = 0; run->conns && i < run->connections; i++) {
        struct peer_conn *conn = &run->conns[i];
        if (conn->fd >= 0) {
            close(conn->fd);
        }
        free(conn->in);
        free(conn->out);
        free(conn->queue);
        free(conn->held_answers);
    }
    free(run->conns);
    free(run->slots);
    free(run->touched);
    close(run->epoll_fd);
}

/* -- sending -- */

static uint64_t next_order(struct peer_run *run)
{
    uint64_t request = run->requests++;
    bool is_repeat = run->repeat_every > 0 && request % run->repeat_every == run->repeat_every - 1;
    return is_repeat ? run->first + (run->next_number - run->first) / 2 : run->next_number++;
}

static void send_one(struct peer_run *run, struct peer_conn *conn, uint64_t intended_ns)
{
    struct peer_order order;
    uint32_t index = run->free_head;
    struct peer_slot *slot = &run->slots[index];
    run->free_head = slot->next;
    *slot = (struct peer_slot){intended_ns, next_order(run), 0, true};
    peer_world_draw(run->world, slot->number, &order);
    conn->out_end += run->proto->request(run->world, run->job, &order, index,
                                         conn->out + conn->out_end);
    conn->queue[(conn->queue_head + conn->queue_count++) % run->depth] = index;
    run->in_flight++;
    run->sent += intended_ns >= run->measure_ns;
}

static void batch_close(struct peer_run *run, struct peer_conn *conn, uint32_t count)
{
    if (run->proto->batch_end) {
        conn->out_end += run->proto->batch_end(conn->out + conn->out_end);
        conn->batches[(conn->batch_head + conn->batch_count++) % 64] = count;
    }
}

static bool has_room(const struct peer_run *run, const struct peer_conn *conn, uint32_t count)
{
    bool has_batch = !run->proto->batch_end || conn->batch_count < 64;
    return conn->queue_count + count <= run->depth && has_batch &&
           conn->out_end + (count + 1) * PEER_REQUEST_MAX <= conn->out_size;
}

static bool is_over(const struct peer_run *run, uint64_t now_ns)
{
    return now_ns >= run->end_ns || (run->orders_max > 0 && run->requests >= run->orders_max);
}

static void closed_fill(struct peer_run *run, struct peer_conn *conn, uint64_t now_ns)
{
    while (has_room(run, conn, run->batch) && !is_over(run, now_ns)) {
        for (uint32_t i = 0; i < run->batch; i++) {
            run->offered += now_ns >= run->measure_ns;
            send_one(run, conn, now_ns);
        }
        batch_close(run, conn, run->batch);
    }
}

static uint64_t gap_ns(struct peer_run *run)
{
    return (uint64_t)(-log(1.0 - rng_unit(&run->arrivals)) / run->rate * 1e9);
}

/* Due arrivals go to one connection after the other, some at a time; those for which no connection
 * has room wait, and their latency goes on. */
static void open_fill(struct peer_run *run, uint64_t now_ns)
{
    uint32_t most = run->batch > 1 ? run->batch : BURST;
    for (uint32_t tried = 0; tried < run->connections && run->next_due_ns <= now_ns; tried++) {
        uint32_t index = run->conn++ % run->connections;
        struct peer_conn *conn = &run->conns[index];
        uint32_t count = 0;
        while (count < most && run->next_due_ns <= now_ns && has_room(run, conn, 1)) {
            run->offered += run->next_due_ns >= run->measure_ns;
            send_one(run, conn, run->next_due_ns);
            run->next_due_ns += gap_ns(run);
            count++;
        }
        if (count > 0) {
            batch_close(run, conn, count);
            touch(run, index);
            tried = 0;
        }
    }
}

static bool conn_flush(struct peer_run *run, uint32_t index)
{
    struct peer_conn *conn = &run->conns[index];
    while (conn->out_begin < conn->out_end) {
        ssize_t sent = send(conn->fd, conn->out + conn->out_begin, conn->out_end - conn->out_begin,
                            MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            memmove(conn->out, conn->out + conn->out_begin, conn->out_end - conn->out_begin);
            conn->out_end -= conn->out_begin;
            conn->out_begin = 0;
            if (!conn->is_blocked) {
                watch(run, index, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
            }
            conn->is_blocked = true;
            return true;
        }
        if (sent < 0) {
            return fail(run, "send");
        }
        conn->out_begin += (uint32_t)sent;
    }
    if (conn->is_blocked) {
        watch(run, index, EPOLL_CTL_MOD, EPOLLIN);
    }
    conn->is_blocked = false;
    conn->out_begin = conn->out_end = 0;
    return true;
}

/* -- answers -- */

static void count_answer(struct peer_run *run, uint32_t index, const struct peer_answer *answer,
                         uint64_t now_ns)
{
    struct peer_slot *slot = &run->slots[index];
    if (slot->intended_ns >= run->measure_ns && now_ns < run->end_ns) {
        run->taken += answer->outcome == PEER_TAKEN && !answer->is_known;
        run->parts += answer->outcome == PEER_TAKEN && !answer->is_known ? answer->parts : 0;
        run->known += answer->outcome == PEER_TAKEN && answer->is_known;
        run->refused += answer->outcome == PEER_REFUSED;
        run->failed += answer->outcome == PEER_FAILED;
        run->reads += answer->outcome == PEER_READ;
    }
    if (slot->intended_ns >= run->measure_ns && answer->outcome != PEER_FAILED) {
        hist_record(&run->latency, now_ns - slot->intended_ns);
    }
    if (run->on_answer) {
        run->on_answer(run->owner, slot->number, answer);
    }
    slot->is_used = false;
    slot->next = run->free_head;
    run->free_head = index;
    run->in_flight--;
}

static uint32_t queue_pop(const struct peer_run *run, struct peer_conn *conn)
{
    uint32_t index = conn->queue[conn->queue_head];
    conn->queue_head = (conn->queue_head + 1) % run->depth;
    conn->queue_count--;
    return index;
}

/* A batch is over: held answers count, and what has none has failed. */
static bool batch_take(struct peer_run *run, struct peer_conn *conn, uint64_t now_ns)
{
    static const struct peer_answer failed = {.outcome = PEER_FAILED};
    if (conn->batch_count == 0) {
        return false;
    }
    uint32_t count = conn->batches[conn->batch_head];
    conn->batch_head = (conn->batch_head + 1) % 64;
    conn->batch_count--;
    bool is_whole = conn->held == count; /* else the transaction was rolled back */
    for (uint32_t i = 0; i < count; i++) {
        count_answer(run, queue_pop(run, conn), is_whole ? &conn->held_answers[i] : &failed,
                     now_ns);
    }
    conn->held = 0;
    return true;
}

static bool answer_take(struct peer_run *run, struct peer_conn *conn,
                        const struct peer_answer *answer, uint64_t now_ns)
{
    if (answer->outcome == PEER_END) {
        return batch_take(run, conn, now_ns);
    }
    if (conn->queue_count == 0) {
        return false;
    }
    if (answer->is_held) {
        conn->held_answers[conn->held++ % run->depth] = *answer;
        return true;
    }
    uint32_t index = queue_pop(run, conn); /* by number, the queue only counts */
    if (answer->slot != PEER_SLOT_NEXT) {
        index = (uint32_t)answer->slot;
    }
    if (index >= PEER_SLOTS_MAX || !run->slots[index].is_used) {
        return false;
    }
    count_answer(run, index, answer, now_ns);
    return true;
}

static bool conn_read(struct peer_run *run, struct peer_conn *conn)
{
    ssize_t got = recv(conn->fd, conn->in + conn->in_used, PEER_IN_SIZE - conn->in_used, 0);
    if (got < 0 && errno == EAGAIN) {
        return true;
    }
    if (got <= 0) {
        return fail(run, "connection lost");
    }
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    uint32_t at = 0;
    conn->in_used += (uint32_t)got;
    while (at < conn->in_used) {
        struct peer_answer answer = {.slot = PEER_SLOT_NEXT};
        int32_t size = run->proto->reply(run->world, conn->in + at, conn->in_used - at, &answer);
        if (size == 0) {
            break;
        }
        if (size < 0 || !answer_take(run, conn, &answer, now_ns)) {
            return fail(run, "what came is not an answer to what was asked");
        }
        at += (uint32_t)size;
    }
    memmove(conn->in, conn->in + at, conn->in_used - at);
    conn->in_used -= at;
    return true;
}

/* -- the loop -- */

static bool turn(struct peer_run *run, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    for (uint32_t i = 0; i < run->touched_count; i++) {
        struct peer_conn *conn = &run->conns[run->touched[i]];
        conn->is_touched = false;
        if (conn->out_end > 0 && !conn->is_blocked && !conn_flush(run, run->touched[i])) {
            return false;
        }
    }
    run->touched_count = 0;
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    uint64_t left_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec left = {(time_t)(left_ns / SECOND), (long)(left_ns % SECOND)};
    int count = epoll_pwait2(run->epoll_fd, events, EVENTS_MAX, &left, NULL);
    for (int i = 0; i < count; i++) {
        uint32_t index = events[i].data.u32;
        touch(run, index);
        if ((events[i].events & EPOLLOUT) != 0 && !conn_flush(run, index)) {
            return false;
        }
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 &&
            !conn_read(run, &run->conns[index])) {
            return false;
        }
    }
    return true;
}

static uint64_t fill(struct peer_run *run, uint64_t now_ns)
{
    if (run->rate > 0) {
        open_fill(run, now_ns);
        uint64_t tick_ns = now_ns + TICK_NS;
        return run->next_due_ns > tick_ns ? run->next_due_ns : tick_ns;
    }
    for (uint32_t i = 0; i < run->touched_count; i++) {
        closed_fill(run, &run->conns[run->touched[i]], now_ns);
    }
    return now_ns + SECOND / 10;
}

/* Arrivals that were due and could not be sent were offered all the same. */
static void count_unsent(struct peer_run *run, uint64_t now_ns)
{
    uint64_t end_ns = now_ns < run->end_ns ? now_ns : run->end_ns;
    while (run->rate > 0 && run->next_due_ns < end_ns) {
        run->offered += run->next_due_ns >= run->measure_ns;
        run->next_due_ns += gap_ns(run);
    }
}

static bool loop(struct peer_run *run)
{
    uint64_t now_ns = run->start_ns;
    uint64_t cpu_ns = 0;
    while (!is_over(run, now_ns)) {
        if (cpu_ns == 0 && now_ns >= run->measure_ns) {
            cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
        }
        uint64_t until_ns = fill(run, now_ns);
        if (!turn(run, until_ns < run->end_ns ? until_ns : run->end_ns)) {
            return false;
        }
        now_ns = clock_ns(CLOCK_MONOTONIC);
    }
    run->cpu_s = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns) / 1e9;
    run->seconds = (double)(now_ns - run->measure_ns) / 1e9;
    count_unsent(run, now_ns);
    uint64_t drain_ns = now_ns + DRAIN_NS;
    while (run->in_flight > 0 && now_ns < drain_ns) {
        if (!turn(run, drain_ns)) {
            return false;
        }
        now_ns = clock_ns(CLOCK_MONOTONIC);
    }
    return run->in_flight == 0 || fail(run, "answers are missing");
}

bool peer_run_go(struct peer_run *run)
{
    if (!run_open(run)) {
        return false;
    }
    run->next_number = run->first;
    run->start_ns = run->next_due_ns = clock_ns(CLOCK_MONOTONIC);
    run->measure_ns = run->start_ns + (uint64_t)(run->warmup_s * 1e9);
    run->end_ns = run->measure_ns + (uint64_t)(run->duration_s * 1e9);
    return loop(run);
}
