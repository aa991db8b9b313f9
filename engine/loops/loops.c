/* The engine's side of the read loops: gathers their requests, writes their answers, wakes them. */
#include "loops.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loops_internal.h"
#include "say.h"
#include "thread.h"

enum { EXIT_NO_MEMORY = 3 };

static void loop_wake(struct read_loop *own)
{
    CHECK(uv_async_send(&own->wake) == 0);
}

static struct read_loop *loop_of(void *conn)
{
    return net_conn_owner(conn);
}

/* -- answers -- */

static struct late_answer *late_new(uint32_t size)
{
    struct late_answer *late = malloc(sizeof *late + size);
    if (!late) {
        say(SAY_ERROR, "no_memory", "for an answer of %u bytes that a full ring has no room for: "
            "nothing that is not on the disk was told to anyone; start the daemon again", size);
        _exit(EXIT_NO_MEMORY);
    }
    late->next = NULL;
    return late;
}

/* Room for a record with size bytes behind it: in the ring, or late. */
static struct answer_record *record_begin(struct read_loop *own, uint32_t size)
{
    uint32_t whole = (uint32_t)sizeof(struct answer_record) + size;
    own->open = own->late_first ? NULL : ring_reserve(&own->answers, whole);
    own->open_late = NULL;
    if (!own->open) {
        own->open_late = late_new(size);
        own->open = &own->open_late->record;
    }
    return own->open;
}

static void late_append(struct read_loop *own, struct late_answer *late)
{
    if (own->late_first) {
        own->late_last->next = late;
    } else {
        own->late_first = late;
    }
    own->late_last = late;
}

static void record_end(struct read_loop *own, uint32_t size)
{
    uint32_t whole = (uint32_t)sizeof(struct answer_record) + size;
    if (own->open_late) {
        own->open_late->size = whole;
        late_append(own, own->open_late);
    } else {
        ring_commit(&own->answers, whole);
    }
    own->open = NULL;
    own->open_late = NULL;
}

static void send_short(struct read_loop *own, enum answer_kind kind, struct net_conn *conn,
                       uint64_t value, uint32_t size)
{
    *record_begin(own, 0) = (struct answer_record){kind, size, conn, value};
    record_end(own, 0);
}

uint8_t *loops_reply_begin(void *conn, uint32_t size)
{
    struct read_loop *own = loop_of(conn);
    CHECK(!own->open);
    CHECK(size <= REPLY_MAX);
    return (uint8_t *)(record_begin(own, size) + 1);
}

void loops_reply_end(void *conn, uint32_t size, uint64_t release_lsn)
{
    struct read_loop *own = loop_of(conn);
    CHECK(own->open);
    *own->open = (struct answer_record){ANSWER_REPLY, size, conn, release_lsn};
    record_end(own, size);
}

void loops_done(void *conn)
{
    send_short(loop_of(conn), ANSWER_DONE, conn, 0, 0);
}

void loops_hold(void *conn, bool held)
{
    send_short(loop_of(conn), ANSWER_HOLD, conn, held, 0);
}

static bool has_answer_room(struct read_loop *own)
{
    return !own->late_first &&
           ring_has_room(&own->answers, (uint32_t)sizeof(struct answer_record) + REPLY_MAX);
}

bool loops_may_answer(void *conn, const struct frame_head *head)
{
    struct read_loop *own = loop_of(conn);
    const struct batch_place *place = &own->loops->places[head - own->loops->heads];
    CHECK(place->loop == own);
    if (!own->has_given_back && has_answer_room(own)) {
        return true;
    }
    if (!own->has_given_back) {
        own->has_given_back = true;
        own->resume = place->at;
    }
    return false;
}

static void late_move(struct read_loop *own)
{
    while (own->late_first) {
        struct late_answer *late = own->late_first;
        void *record = ring_reserve(&own->answers, late->size);
        if (!record) {
            return;
        }
        memcpy(record, &late->record, late->size);
        ring_commit(&own->answers, late->size);
        own->late_first = late->next;
        free(late);
    }
}

/* What is late goes on when the loop has made room: it is asked to say so. */
static void late_look(struct read_loop *own)
{
    late_move(own);
    if (own->late_first) {
        __atomic_store_n(&own->blocked, true, __ATOMIC_SEQ_CST);
        late_move(own);
    }
}

void loops_flush(struct loops *loops)
{
    for (uint32_t i = 0; i < loops->started && !loops->is_ended; i++) {
        struct read_loop *own = &loops->each[i];
        late_look(own);
        if (ring_publish(&own->answers)) {
            loop_wake(own);
        }
    }
}

void loops_release(struct loops *loops, uint64_t lsn)
{
    __atomic_store_n(&loops->durable, lsn, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < loops->started && !loops->is_ended; i++) {
        struct read_loop *own = &loops->each[i];
        if (__atomic_load_n(&own->wants_durable, __ATOMIC_SEQ_CST)) {
            __atomic_store_n(&own->wants_durable, false, __ATOMIC_SEQ_CST);
            loop_wake(own);
        }
    }
}

/* -- requests -- */

/* Take what the ring has, up to max requests, behind the count that are there. */
static uint32_t gather(struct loops *loops, struct read_loop *own, uint32_t count, uint32_t max)
{
    const uint32_t begin = count;
    uint64_t at = ring_tail(&own->requests);
    uint64_t before = at;
    const struct request_record *record = NULL;
    uint32_t size;
    own->has_given_back = false;
    while (count - begin < max && (record = ring_next(&own->requests, &at, &size))) {
        const uint32_t frame = size - (uint32_t)sizeof *record;
        bool is_frame =
            frame_head_read((const uint8_t *)(record + 1), frame, &loops->heads[count]);
        CHECK(is_frame);
        loops->places[count] = (struct batch_place){own, before};
        loops->requests[count] =
            (struct service_request){record->conn, &loops->heads[count], record->read_ns};
        before = at;
        count++;
    }
    own->taken = at;
    own->has_more = record != NULL;
    return count;
}

/* Let the loop write over what was answered. True: there is more to be taken at once. */
static bool settle(struct read_loop *own)
{
    ring_release(&own->requests, own->has_given_back ? own->resume : own->taken);
    if (__atomic_load_n(&own->stalled, __ATOMIC_SEQ_CST)) {
        loop_wake(own);
    }
    if (!own->has_given_back) {
        return own->has_more;
    }
    __atomic_store_n(&own->blocked, true, __ATOMIC_SEQ_CST);
    return has_answer_room(own); /* it has taken some meanwhile and may not have seen that */
}

/* The loops may write over the batch's requests. */
static void batch_end(struct loops *loops)
{
    bool has_more = false;
    for (uint32_t i = 0; i < loops->started; i++) {
        has_more = settle(&loops->each[i]) || has_more;
    }
    if (has_more) {
        CHECK(uv_async_send(&loops->came) == 0);
    }
}

static void batch(struct loops *loops)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < loops->started; i++) {
        count = gather(loops, &loops->each[i], count, BATCH / loops->started);
    }
    if (count == 0) {
        return;
    }
    loops->options.batch(loops->options.owner, loops->requests, count);
    loops->is_turn_open = loops->is_suspended;
    if (!loops->is_turn_open) {
        batch_end(loops);
    }
}

void loops_suspend(struct loops *loops, bool is_suspended)
{
    loops->is_suspended = is_suspended;
    if (is_suspended || loops->is_ended) {
        return;
    }
    if (loops->is_turn_open) {
        loops->is_turn_open = false;
        batch_end(loops);
    }
    CHECK(uv_async_send(&loops->came) == 0);
}

static void drained_look(struct loops *loops)
{
    for (uint32_t i = 0; i < loops->started; i++) {
        if (!__atomic_load_n(&loops->each[i].is_drained, __ATOMIC_ACQUIRE)) {
            return;
        }
    }
    if (loops->is_draining && !loops->is_drained_told) {
        loops->is_drained_told = true;
        loops->options.drained(loops->options.owner);
    }
}

static void on_came(uv_async_t *async)
{
    struct loops *loops = async->data;
    loops_flush(loops);
    if (!loops->is_paused && !loops->is_suspended && !loops->is_failed) {
        batch(loops);
    }
    loops_flush(loops);
    drained_look(loops);
}

void loops_pause(struct loops *loops, bool is_paused)
{
    loops->is_paused = is_paused;
    if (!is_paused && !loops->is_ended) {
        CHECK(uv_async_send(&loops->came) == 0);
    }
}

/* -- connections -- */

bool loops_take(struct loops *loops, int fd, bool is_pipe)
{
    struct read_loop *least = &loops->each[0];
    for (uint32_t i = 1; i < loops->started; i++) {
        struct read_loop *own = &loops->each[i];
        if (__atomic_load_n(&own->conns, __ATOMIC_RELAXED) <
            __atomic_load_n(&least->conns, __ATOMIC_RELAXED)) {
            least = own;
        }
    }
    if (__atomic_load_n(&least->conns, __ATOMIC_RELAXED) >= least->conns_max) {
        return false;
    }
    __atomic_fetch_add(&least->conns, 1, __ATOMIC_RELAXED);
    send_short(least, ANSWER_ACCEPTED, NULL, (uint64_t)fd, is_pipe);
    loops_flush(loops);
    return true;
}

/* -- life -- */

static void wish(struct loops *loops, size_t flag)
{
    for (uint32_t i = 0; i < loops->started; i++) {
        bool *at = (bool *)(void *)((char *)&loops->each[i] + flag);
        __atomic_store_n(at, true, __ATOMIC_RELEASE);
        loop_wake(&loops->each[i]);
    }
}

void loops_drain(struct loops *loops)
{
    if (!loops->is_draining) {
        loops->is_draining = true;
        wish(loops, offsetof(struct read_loop, is_draining));
    }
}

void loops_fail(struct loops *loops)
{
    loops->is_failed = true;
    wish(loops, offsetof(struct read_loop, is_failed));
}

void loops_end(struct loops *loops)
{
    wish(loops, offsetof(struct read_loop, is_over));
    loops->is_ended = true;
    uv_close((uv_handle_t *)&loops->came, NULL);
}

static void late_drop(struct read_loop *own)
{
    while (own->late_first) {
        struct late_answer *late = own->late_first;
        own->late_first = late->next;
        free(late);
    }
}

static void loops_free(struct loops *loops)
{
    for (uint32_t i = 0; loops->each && i < loops->options.count; i++) {
        late_drop(&loops->each[i]);
        ring_close(&loops->each[i].requests);
        ring_close(&loops->each[i].answers);
    }
    free(loops->each);
    free(loops->heads);
    free(loops->requests);
    free(loops->places);
    free(loops);
}

void loops_join(struct loops *loops)
{
    for (uint32_t i = 0; loops && i < loops->started; i++) {
        CHECK(pthread_join(loops->each[i].thread, NULL) == 0);
    }
}

void loops_close(struct loops *loops)
{
    if (!loops) {
        return;
    }
    for (uint32_t i = 0; i < loops->started; i++) {
        read_loop_close(&loops->each[i]);
    }
    loops_free(loops);
}

static void *aligned_zeroed(size_t size)
{
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    return memory ? memset(memory, 0, size) : NULL;
}

static struct loops *loops_new(const struct loops_options *options)
{
    struct loops *loops = aligned_zeroed(sizeof *loops);
    if (!loops) {
        return NULL;
    }
    loops->options = *options;
    loops->each = aligned_zeroed(options->count * sizeof *loops->each);
    loops->heads = calloc(BATCH, sizeof *loops->heads);
    loops->requests = calloc(BATCH, sizeof *loops->requests);
    loops->places = calloc(BATCH, sizeof *loops->places);
    bool is_whole = loops->each && loops->heads && loops->requests && loops->places;
    for (uint32_t i = 0; is_whole && i < options->count; i++) {
        is_whole = ring_init(&loops->each[i].requests, REQUESTS_SIZE) == ERR_OK &&
                   ring_init(&loops->each[i].answers, ANSWERS_SIZE) == ERR_OK;
    }
    if (!is_whole || glances_open(options->service, options->count) != ERR_OK) {
        loops_free(loops);
        return NULL;
    }
    return loops;
}

static enum err loop_start(struct loops *loops, uint32_t number, char *error, size_t error_size)
{
    struct read_loop *own = &loops->each[number];
    const uint32_t count = loops->options.count;
    const uint32_t conns = loops->options.net.conns_max;
    own->loops = loops;
    own->number = number;
    own->conns_max = conns / count + (number < conns % count);
    own->glance = glances_at(loops->options.service, number);
    enum err err = read_loop_open(own, error, error_size);
    if (err == ERR_OK) {
        err = thread_start(&own->thread, NULL, NULL, read_loop_run, own);
    }
    if (err == ERR_OK) {
        loops->started++;
    }
    return err;
}

/* One could not be started: those that were end again. Nobody is connected. */
static void abandon(struct loops *loops)
{
    loops_drain(loops);
    for (uint32_t i = 0; i < loops->started; i++) {
        while (!__atomic_load_n(&loops->each[i].is_drained, __ATOMIC_ACQUIRE)) {
            sched_yield();
        }
    }
    loops_end(loops);
    loops_join(loops);
    loops_close(loops);
}

enum err loops_open(const struct loops_options *options, uint64_t durable_lsn, struct loops **out,
                    char *error, size_t error_size)
{
    CHECK(options->count >= 1);
    CHECK(options->count <= LOOPS_MAX);
    snprintf(error, error_size, "read loops: out of memory");
    struct loops *loops = loops_new(options);
    if (!loops) {
        return ERR_NOMEM;
    }
    loops->durable = durable_lsn;
    CHECK(uv_async_init(options->loop, &loops->came, on_came) == 0);
    loops->came.data = loops;
    for (uint32_t i = 0; i < options->count; i++) {
        enum err err = loop_start(loops, i, error, error_size);
        if (err != ERR_OK) {
            snprintf(error, error_size, "read loop %u: %s", i, err_text(err));
            abandon(loops); /* UNTESTED: a thread is not to be had */
            return err;
        }
    }
    *out = loops;
    return ERR_OK;
}

uint64_t loops_memory(uint32_t count, uint32_t arena_size)
{
    uint64_t each = sizeof(struct read_loop) + REQUESTS_SIZE + ANSWERS_SIZE + arena_size +
                    glance_memory() + EPOCH_BYTES_MAX / LOOPS_MAX;
    uint64_t batches = BATCH * (sizeof(struct frame_head) + sizeof(struct service_request) +
                                sizeof(struct batch_place));
    return count ? count * each + batches : 0;
}
